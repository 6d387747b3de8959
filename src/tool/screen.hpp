#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tool/terminal.hpp"

namespace cow::tool {

enum class ColorChoice { automatic, always, never };

/// Whether output to `file` should be coloured. `automatic`: only on a terminal that can do it,
/// and not if NO_COLOR is set (https://no-color.org).
[[nodiscard]] bool wants_color(ColorChoice choice, std::FILE* file);

enum class Style {
  plain,
  heading,
  dim,        ///< explanation
  highlight,  ///< what to look at
  good,
  bad,
};

/// Prints the narration: plain ASCII, and colour codes only if asked for. Lines are kept until a
/// heading or flush() ends their block. Where somebody sits before a terminal that a block does not
/// fit on any more, it waits for Enter first.
class Screen {
 public:
  Screen(std::FILE* file, bool color, const Terminal& terminal)
      : file_(file), color_(color), terminal_(terminal) {}

  [[nodiscard]] std::size_t columns() const { return terminal_.columns; }

  /// One line as it is.
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    block_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  void blank() { block_.emplace_back(); }

  /// Words, broken into lines where the screen ends; each line begins with `indent` blanks.
  void text(std::size_t indent, std::string_view words) { wrap(std::string(indent, ' '), words); }

  /// The heading of a part, underlined.
  void title(std::string_view text);

  /// The heading of a numbered step.
  void step(int number, std::string_view text);

  /// An indented "name   value" line of a step; more lines if the value is long.
  void fact(std::string_view name, std::string_view value);

  [[nodiscard]] std::string paint(Style style, std::string_view text) const;

  /// What was printed is on the screen now. Throws ToolError if it could not be written, and
  /// Stopped if whoever sits there has seen enough.
  void flush();

  /// The same, and where somebody sits there, waits for Enter.
  void pause();

  /// Thrown by flush().
  struct Stopped {};

 private:
  void wrap(const std::string& first_indent, std::string_view words);
  void write(const std::string& text);
  void wait_for_enter();

  std::FILE* file_;
  bool color_;
  Terminal terminal_;
  std::vector<std::string> block_;
  std::size_t rows_used_ = 0;  ///< since the last wait
};

}  // namespace cow::tool
