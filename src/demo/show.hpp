#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "tool/screen.hpp"

namespace cow::demo {

/// What `cow demo` was asked for.
struct ShowOptions {
  std::optional<std::string> chapter;  ///< nothing: a menu, or the demo as text
  std::optional<std::string> file;
  std::optional<std::string> json;  ///< where the recorded steps go
  std::optional<std::string> html;  ///< where the page that replays them goes; or a folder of pages
  std::optional<std::size_t> page;
  std::optional<std::size_t> size_bytes;
  tool::ColorChoice color = tool::ColorChoice::automatic;
  bool plain = false;
  bool goes_on_by_itself = false;
  bool asks = true;
  double pace_seconds = 4;
};

/// Prints the chapters.
void list_chapters();

/// Whether this terminal can and should show the full screen. Says on stderr what is missing where
/// the build has none.
[[nodiscard]] bool wants_full_screen(const ShowOptions& options);

/// Whether `html` is a folder, for a page of each chapter.
[[nodiscard]] bool wants_folder_of_pages(const ShowOptions& options);

/// The chapters on a full screen, or the one that was named as text; without either, all of them
/// for a page. Returns the exit code. Throws ToolError. Precondition: a chapter is named, or a
/// page, or wants_full_screen().
[[nodiscard]] int run_show(const ShowOptions& options);

}  // namespace cow::demo
