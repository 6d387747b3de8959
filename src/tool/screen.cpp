#include "tool/screen.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tool/tool_error.hpp"

namespace cow::tool {

bool wants_color(ColorChoice choice, std::FILE* file) {
  if (choice != ColorChoice::automatic) return choice == ColorChoice::always;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || std::strcmp(terminal, "dumb") == 0) return false;
  return ::isatty(::fileno(file)) == 1;
}

void Screen::title(std::string_view text) {
  line("{}", paint(Style::heading, text));
  line("{}", paint(Style::heading, std::string(text.size(), '=')));
}

void Screen::step(int number, std::string_view text) {
  blank();
  line("{}", paint(Style::heading, fmt::format("{}. {}", number, text)));
}

void Screen::fact(std::string_view name, std::string_view value) {
  line("   {:<13}{}", name, value);
}

std::string Screen::paint(Style style, std::string_view text) const {
  const char* code = nullptr;
  switch (style) {
    case Style::plain: break;
    case Style::heading: code = "1"; break;
    case Style::dim: code = "2"; break;
    case Style::highlight: code = "1;33"; break;
    case Style::good: code = "1;32"; break;
    case Style::bad: code = "1;31"; break;
  }
  if (!color_ || code == nullptr) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void Screen::flush() {
  if (std::fflush(file_) == 0 && std::ferror(file_) == 0) return;
  throw ToolError(fmt::format("the output cannot be written ({}); make room or send it elsewhere",
                              std::strerror(errno)));
}

void Screen::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file_);
  std::fputc('\n', file_);
}

}  // namespace cow::tool
