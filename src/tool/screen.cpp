#include "tool/screen.hpp"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tool/tool_error.hpp"

namespace cow::tool {

namespace {

// Columns that a word takes: colour codes take none.
std::size_t width_of(std::string_view word) {
  std::size_t width = 0;
  bool in_code = false;
  for (const char character : word) {
    if (character == '\x1b') in_code = true;
    if (!in_code) ++width;
    if (character == 'm') in_code = false;
  }
  return width;
}

}  // namespace

bool wants_color(ColorChoice choice, std::FILE* file) {
  if (choice != ColorChoice::automatic) return choice == ColorChoice::always;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || std::strcmp(terminal, "dumb") == 0) return false;
  return ::isatty(::fileno(file)) == 1;
}

void Screen::title(std::string_view text) {
  flush();
  line("{}", paint(Style::heading, text));
  line("{}", paint(Style::heading, std::string(text.size(), '=')));
}

void Screen::step(int number, std::string_view text) {
  flush();
  blank();
  const std::string start = fmt::format("{}. ", number);
  const std::size_t first = block_.size();
  wrap(start, text);
  for (std::size_t i = first; i < block_.size(); ++i) {
    block_[i] = paint(Style::heading, block_[i]);
  }
}

void Screen::fact(std::string_view name, std::string_view value) {
  wrap(fmt::format("   {:<13}", name), value);
}

// Words as long as a line are left whole: they are names of files, which people copy.
void Screen::wrap(const std::string& first_indent, std::string_view words) {
  const std::size_t indent = first_indent.size();
  std::string text = first_indent;
  std::size_t width = indent;
  for (bool first = true; !words.empty(); first = false) {
    // Blanks before a word belong to it: columns of a table stay apart.
    const std::size_t begin = words.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(words.find(' ', begin), words.size());
    const std::string_view word = words.substr(begin, end - begin);
    if (!first && width + begin + width_of(word) > columns()) {
      block_.push_back(std::exchange(text, std::string(indent, ' ')));
      width = indent;
    } else {
      text.append(begin, ' ');
      width += begin;
    }
    text += word;
    width += width_of(word);
    words.remove_prefix(end);
  }
  block_.push_back(std::move(text));
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
  const std::size_t last_row = terminal_.can_wait ? terminal_.rows - 1 : 0;
  // A block that fits on a screen is not torn.
  if (last_row > 0 && rows_used_ > 0 && rows_used_ + block_.size() > last_row) wait_for_enter();
  for (const std::string& text : std::exchange(block_, {})) {
    if (terminal_.can_wait && rows_used_ == last_row) wait_for_enter();
    write(text);
    ++rows_used_;
  }
  if (std::fflush(file_) == 0 && std::ferror(file_) == 0) return;
  throw ToolError(fmt::format("the output cannot be written ({}); make room or send it elsewhere",
                              std::strerror(errno)));
}

void Screen::pause() {
  flush();
  if (terminal_.can_wait) wait_for_enter();
}

void Screen::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file_);
  std::fputc('\n', file_);
}

// At the end of the input nobody is there any more: it goes on without waiting.
void Screen::wait_for_enter() {
  std::fputs(paint(Style::dim, "-- Enter goes on, q and Enter ends --").c_str(), file_);
  ::tcflush(STDIN_FILENO, TCIFLUSH);  // what was typed before is no answer
  std::fflush(file_);
  char key = '\0';
  bool stops = false;
  ssize_t count = 0;
  while ((count = ::read(STDIN_FILENO, &key, 1)) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || key == '\n') break;
    if (key == 'q' || key == 'Q') stops = true;
  }
  if (count <= 0) {
    std::fputc('\n', file_);
    terminal_.can_wait = false;
  }
  if (color_ && count > 0) std::fputs("\x1b[A\x1b[K", file_);  // the question goes
  rows_used_ = 0;
  if (stops) throw Stopped{};
}

}  // namespace cow::tool
