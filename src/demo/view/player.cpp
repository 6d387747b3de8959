#include "demo/view/player.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "demo/view/free_view.hpp"
#include "demo/view/performance.hpp"
#include "demo/view/player_pages.hpp"
#include "demo/view/stage.hpp"

namespace cow::demo {
namespace {

constexpr const char* keys = "space forward  backspace back  n p chapter  m menu  ? help  q quit";

enum class Way { quit, menu, next, previous };

enum class Command { none, forward, back, answer, help, quit, menu, next, previous };

Command command_of(const Key& key) {
  using Kind = Key::Kind;
  switch (key.kind) {
    case Kind::right:
    case Kind::enter:
    case Kind::down: return Command::forward;
    case Kind::left:
    case Kind::backspace:
    case Kind::up: return Command::back;
    case Kind::closed: return Command::quit;
    case Kind::resized:
    case Kind::nothing: return Command::none;
    case Kind::character: break;
  }
  switch (key.character) {
    case ' ': return Command::forward;
    case 'a': return Command::answer;
    case '?': return Command::help;
    case 'q': return Command::quit;
    case 'm': return Command::menu;
    case 'n': return Command::next;
    case 'p': return Command::previous;
    default: return Command::none;
  }
}

/// One chapter on the screen: which of its steps is shown.
class ChapterView {
 public:
  ChapterView(FullScreen& screen, const Chapter& chapter, const PlayOptions& options)
      : screen_(screen),
        chapter_(chapter),
        options_(options),
        performance_(chapter, options.chapter) {}

  Way run() {
    forward();
    while (true) {
      draw();
      const Key key = screen_.read(options_.pace_ms);
      Command command = command_of(key);
      const bool is_time = key.kind == Key::Kind::nothing && options_.pace_ms.has_value();
      if (is_time) command = is_at_end() ? Command::next : Command::forward;
      if (const auto way = obey(command)) return *way;
    }
  }

  [[nodiscard]] const Recording& recording() const { return performance_.recording(); }

 private:
  [[nodiscard]] std::optional<Way> obey(Command command) {
    const bool showed_answer = std::exchange(shows_answer_, false);
    switch (command) {
      case Command::none: shows_answer_ = showed_answer; break;
      case Command::forward: forward(); break;
      case Command::back: back(); break;
      case Command::answer: shows_answer_ = true; break;
      case Command::help: show_help(screen_); break;
      case Command::quit: return Way::quit;
      case Command::menu: return Way::menu;
      case Command::next: return Way::next;
      case Command::previous: return Way::previous;
    }
    return std::nullopt;
  }

  [[nodiscard]] const std::vector<Step>& steps() const { return performance_.recording().steps; }
  [[nodiscard]] bool is_at_end() const {
    return performance_.has_ended() && shown_ == last_shown_index();
  }
  // Without questions the steps that ask are not there.
  [[nodiscard]] bool is_skipped(const Step& step) const {
    return step.question.has_value() && !options_.asks;
  }
  [[nodiscard]] std::size_t last_shown_index() const {
    std::size_t index = steps().size() - 1;
    while (index > 0 && is_skipped(steps()[index])) --index;
    return index;
  }

  void forward() {
    std::size_t next = steps().empty() || is_empty_ ? 0 : shown_ + 1;
    while (true) {
      if (next == steps().size()) {
        draw_working();
        if (!performance_.advance()) return;
      }
      if (!is_skipped(steps()[next])) break;
      ++next;
    }
    shown_ = next;
    is_empty_ = false;
  }

  void back() {
    std::size_t before = shown_;
    while (before > 0) {
      if (!is_skipped(steps()[--before])) {
        shown_ = before;
        return;
      }
    }
  }

  void draw_working() {
    if (is_empty_) return;
    draw_with("It is happening now ...");
  }

  void draw() {
    draw_with(is_at_end() ? "The end.  n next chapter  m menu  backspace back  q quit" : keys);
  }

  void draw_with(const char* last_line) {
    Canvas canvas = screen_.blank();
    if (is_too_small(canvas)) {
      draw_too_small(canvas);
    } else {
      Caption caption;
      caption.chapter = fmt::format("{}: {}", chapter_.name, chapter_.title);
      caption.number = shown_ + 1;
      caption.newest = last_shown_index() + 1;
      caption.is_the_end = performance_.has_ended();
      caption.asks = options_.asks;
      caption.shows_answer = shows_answer_;
      caption.keys = last_line;
      draw_step(canvas, steps()[shown_], caption);
    }
    screen_.show(canvas);
  }

  FullScreen& screen_;
  const Chapter& chapter_;
  const PlayOptions& options_;
  Performance performance_;
  std::size_t shown_ = 0;
  bool is_empty_ = true;
  bool shows_answer_ = false;
};

Way show_chapter(FullScreen& screen, const Chapter& chapter, const PlayOptions& options,
                 std::vector<Recording>& recordings) {
  if (chapter.is_free) {
    recordings.emplace_back();
    return play_freely(screen, chapter, options.chapter, recordings.back()) ? Way::menu : Way::quit;
  }
  ChapterView view(screen, chapter, options);
  const Way way = view.run();
  recordings.push_back(view.recording());
  return way;
}

/// Which chapter is next; nothing for the menu.
std::optional<std::size_t> next_chapter(std::size_t index, Way way) {
  if (way == Way::next && index + 1 < chapters().size()) return index + 1;
  if (way == Way::previous && index > 0) return index - 1;
  return std::nullopt;
}

}  // namespace

std::vector<Recording> play(FullScreen& screen, const Chapter* first, const PlayOptions& options) {
  const std::vector<Chapter>& all = chapters();
  const bool goes_on_by_itself = options.pace_ms.has_value();
  std::vector<Recording> recordings;
  std::size_t last = 0;
  std::optional<std::size_t> index;
  if (first != nullptr) index = static_cast<std::size_t>(first - all.data());
  if (first == nullptr && goes_on_by_itself) index = 0;
  while (true) {
    if (!index.has_value()) index = choose_chapter(screen, last);
    if (!index.has_value()) return recordings;
    last = *index;
    const Way way = show_chapter(screen, all[last], options, recordings);
    if (way == Way::quit) return recordings;
    index = next_chapter(last, way);
    // By itself it plays what was named, or all of them; nobody is there for the rest.
    const bool is_done = first != nullptr || !index.has_value() || all[*index].is_free;
    if (goes_on_by_itself && way == Way::next && is_done) return recordings;
  }
}

}  // namespace cow::demo
