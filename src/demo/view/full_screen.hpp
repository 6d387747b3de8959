#pragma once

#include <memory>
#include <optional>

#include "demo/view/canvas.hpp"

namespace cow::demo {

/// What was pressed.
struct Key {
  enum class Kind { character, up, down, left, right, enter, backspace, resized, nothing, closed };
  Kind kind = Kind::nothing;
  char character = 0;
};

/// A whole terminal, by ncurses. However the program ends (a quit, an exception, Ctrl-C, SIGTERM),
/// the terminal is as it was before. There can be one at a time.
class FullScreen {
 public:
  /// Nothing where the terminal cannot do it, or this build has no ncurses.
  [[nodiscard]] static std::unique_ptr<FullScreen> open(bool colored);
  [[nodiscard]] static bool is_built_in() noexcept;

  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  [[nodiscard]] Canvas blank() const;
  void show(const Canvas& canvas);
  /// Waits for a key, or for so many milliseconds.
  [[nodiscard]] Key read(std::optional<int> milliseconds);

 private:
  struct Curses;
  explicit FullScreen(std::unique_ptr<Curses> curses);

  std::unique_ptr<Curses> curses_;
};

}  // namespace cow::demo
