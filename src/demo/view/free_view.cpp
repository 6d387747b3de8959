#include "demo/view/free_view.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "demo/chapters/free_play.hpp"
#include "demo/view/player_pages.hpp"
#include "demo/view/stage.hpp"

namespace cow::demo {
namespace {

constexpr const char* keys =
    "arrows  Enter store  c clone  s snapshot  r restore  d drop  f fork  m menu  q";

class FreeView {
 public:
  FreeView(FullScreen& screen, const Chapter& chapter, const ChapterOptions& options,
           Recording& recording)
      : screen_(screen),
        chapter_(chapter),
        recording_(recording),
        recorder_([this](const Step& step) { take(step); }),
        play_(recorder_, options) {}

  // True for the menu.
  bool run() {
    while (true) {
      draw();
      const Key key = screen_.read(std::nullopt);
      if (key.kind == Key::Kind::closed || key.character == 'q') return false;
      if (key.character == 'm') return true;
      obey(key);
    }
  }

 private:
  void take(const Step& step) {
    recording_.steps.push_back(step);
    shown_ = recording_.steps.size() - 1;
  }

  [[nodiscard]] bool is_past() const { return shown_ + 1 < recording_.steps.size(); }

  void obey(const Key& key) {
    using Kind = Key::Kind;
    if (key.kind == Kind::backspace) {
      shown_ -= shown_ > 0 ? 1 : 0;
    } else if (key.character == ' ') {
      shown_ += is_past() ? 1 : 0;
    } else if (key.character == '?') {
      show_help(screen_);
    } else if (!is_past()) {
      move_or_do(key);
    }
  }

  void move_or_do(const Key& key) {
    using Kind = Key::Kind;
    const std::vector<std::string> rows = play_.rows();
    row_ = std::min(row_, rows.size() - 1);
    const std::string& name = rows[row_];
    switch (key.kind) {
      case Kind::up: row_ -= row_ > 0 ? 1 : 0; return;
      case Kind::down: row_ += row_ + 1 < rows.size() ? 1 : 0; return;
      case Kind::left: page_ -= page_ > 0 ? 1 : 0; return;
      case Kind::right: page_ += page_ + 1 < pages_shown() ? 1 : 0; return;
      case Kind::enter: play_.store(name, first_page() + page_); return;
      default: break;
    }
    switch (key.character) {
      case 'c': play_.clone(name); break;
      case 's': play_.snapshot(name); break;
      case 'r': play_.restore(name); break;
      case 'd': play_.drop(name); break;
      case 'f': play_.fork(); break;
      default: break;
    }
  }

  [[nodiscard]] const Step& newest() const { return recording_.steps.back(); }
  [[nodiscard]] std::size_t pages_shown() const { return newest().regions.front().shown.size(); }
  [[nodiscard]] std::size_t first_page() const { return newest().regions.front().first_page; }

  // The newest step with the cursor where it is now, or a step of the past as it was.
  [[nodiscard]] Step step_to_show() {
    if (is_past()) return recording_.steps[shown_];
    Step step = newest();
    const std::vector<std::string> rows = play_.rows();
    row_ = std::min(row_, rows.size() - 1);
    step.mark = Mark{rows[row_], first_page() + page_};
    step.mapping.reset();
    step.regions.clear();
    step.frames.clear();
    recorder_.scene().look(step);
    return step;
  }

  void draw() {
    Canvas canvas = screen_.blank();
    if (is_too_small(canvas)) {
      draw_too_small(canvas);
    } else {
      Caption caption;
      caption.chapter = fmt::format("{}: {}", chapter_.name, chapter_.title);
      caption.number = shown_ + 1;
      caption.newest = recording_.steps.size();
      caption.keys = is_past() ? "space forward  backspace back  m menu  q quit" : keys;
      draw_step(canvas, step_to_show(), caption);
    }
    screen_.show(canvas);
  }

  FullScreen& screen_;
  const Chapter& chapter_;
  Recording& recording_;
  std::size_t shown_ = 0;
  std::size_t row_ = 0;
  std::size_t page_ = 0;
  Recorder recorder_;
  FreePlay play_;
};

}  // namespace

bool play_freely(FullScreen& screen, const Chapter& chapter, const ChapterOptions& options,
                 Recording& recording) {
  recording.chapter = chapter.name;
  recording.title = chapter.title;
  return FreeView(screen, chapter, options, recording).run();
}

}  // namespace cow::demo
