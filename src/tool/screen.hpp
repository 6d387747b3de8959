#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

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

/// Prints the narration: plain ASCII, and colour codes only if asked for.
class Screen {
 public:
  Screen(std::FILE* file, bool color) : file_(file), color_(color) {}

  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    write(fmt::format(format, std::forward<Args>(args)...));
  }
  void blank() { write({}); }

  /// The heading of a part, underlined.
  void title(std::string_view text);

  /// The heading of a numbered step.
  void step(int number, std::string_view text);

  /// An indented "name   value" line of a step.
  void fact(std::string_view name, std::string_view value);

  [[nodiscard]] std::string paint(Style style, std::string_view text) const;

  /// What was printed is on the screen now. Throws ToolError if it could not be written.
  void flush();

 private:
  void write(const std::string& text);

  std::FILE* file_;
  bool color_;
};

}  // namespace cow::tool
