#include "demo/show.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "demo/chapters/chapter.hpp"
#include "demo/pages.hpp"
#include "demo/record/step_json.hpp"
#include "demo/view/full_screen.hpp"
#include "demo/view/memory_picture.hpp"
#include "demo/view/player.hpp"
#include "demo/view/stage.hpp"
#include "demo/view/text_teller.hpp"
#include "tool/json_file.hpp"
#include "tool/page.hpp"
#include "tool/tool_error.hpp"

namespace cow::demo {
namespace {

constexpr std::size_t usual_columns = 80;

ChapterOptions chapter_options(const ShowOptions& options, std::size_t columns) {
  ChapterOptions chapter;
  chapter.file = options.file;
  chapter.page = options.page;
  chapter.size_bytes = options.size_bytes;
  chapter.pages_shown = pages_that_fit(columns);
  return chapter;
}

Recording tell_as_text(const Chapter& chapter, const ShowOptions& options) {
  tool::Terminal terminal = tool::Terminal::of(stdout);
  if (options.goes_on_by_itself) terminal.can_wait = false;
  tool::Screen screen(stdout, tool::wants_color(options.color, stdout), terminal);
  TextTeller teller(screen, options.asks);
  Recording recording{chapter.name, chapter.title, {}};
  try {
    teller.begin(chapter);
    Recorder recorder([&](const Step& step) {
      recording.steps.push_back(step);
      teller.tell(step);
    });
    chapter.run(recorder, chapter_options(options, terminal.columns));
    screen.flush();
  } catch (const tool::Screen::Stopped&) {
    return recording;  // whoever watches has seen enough
  }
  return recording;
}

std::vector<Recording> play_on_screen(const Chapter* first, const ShowOptions& options) {
  const auto screen = FullScreen::open(tool::wants_color(options.color, stdout));
  if (screen == nullptr) {
    if (first == nullptr) first = &chapter_named("one-store");
    return {tell_as_text(*first, options)};
  }
  PlayOptions play_options;
  play_options.chapter = chapter_options(options, screen->blank().columns());
  play_options.asks = options.asks;
  if (options.goes_on_by_itself) {
    play_options.pace_ms = static_cast<int>(options.pace_seconds * 1000);
  }
  return play(*screen, first, play_options);
}

}  // namespace

void list_chapters() {
  for (const Chapter& chapter : chapters()) {
    fmt::print("{:<15} {:<23} {}\n", chapter.name, chapter.title, chapter.about);
  }
}

bool wants_full_screen(const ShowOptions& options) {
  if (options.plain) return false;
  const tool::Terminal terminal = tool::Terminal::of(stdout);
  if (!terminal.can_wait || terminal.rows < least_rows || terminal.columns < least_columns) {
    return false;
  }
  const char* const kind = std::getenv("TERM");
  if (kind == nullptr || *kind == '\0' || std::strcmp(kind, "dumb") == 0) return false;
  if (FullScreen::is_built_in()) return true;
  fmt::print(stderr, "cow: this build has no full screen, as it was made without ncurses; "
                     "what follows is text\n");
  return false;
}

bool wants_folder_of_pages(const ShowOptions& options) {
  std::error_code ignored;
  return options.html.has_value() &&
         (options.html->ends_with('/') || std::filesystem::is_directory(*options.html, ignored));
}

int run_show(const ShowOptions& options) {
  if (wants_folder_of_pages(options)) {
    write_folder_of_pages(*options.html, options.chapter, chapter_options(options, usual_columns));
    return tool::exit_success;
  }
  const Chapter* const first =
      options.chapter.has_value() ? &chapter_named(*options.chapter) : nullptr;
  std::optional<tool::JsonFile> json;
  if (options.json.has_value()) json.emplace(*options.json);
  std::optional<tool::PageFile> page;
  if (options.html.has_value()) page.emplace(*options.html);
  std::vector<Recording> recordings;
  if (wants_full_screen(options)) {
    recordings = play_on_screen(first, options);
  } else if (first != nullptr) {
    recordings.push_back(tell_as_text(*first, options));
  } else {
    recordings = record_all(chapter_options(options, usual_columns));
  }
  if (json.has_value()) json->write(document_of(recordings));
  if (page.has_value()) page->write(document_of(recordings));
  return tool::exit_success;
}

}  // namespace cow::demo
