// What a child writes to its standard error before it ends.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace support {

class ChildWords {
 public:
  ChildWords() {
    if (::pipe(ends_.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ChildWords(const ChildWords&) = delete;
  ChildWords& operator=(const ChildWords&) = delete;
  ~ChildWords() {
    ::close(ends_[0]);
    if (ends_[1] >= 0) ::close(ends_[1]);
  }

  /// Puts `text` in front of them, so that the pipe has its page.
  void begin_with(const std::string& text) const { write(ends_[1], text); }
  /// In the child: its standard error is heard from now on.
  void listen() const { ::dup2(ends_[1], STDERR_FILENO); }
  static void say(const std::string& text) { write(STDERR_FILENO, text); }
  /// In the parent, once, when the child has ended: the first thousand characters.
  [[nodiscard]] std::string heard() {
    ::close(ends_[1]);
    ends_[1] = -1;
    std::string said(1000, '\0');
    const ssize_t length = ::read(ends_[0], said.data(), said.size());
    said.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    return said;
  }

 private:
  static void write(int file, const std::string& text) {
    [[maybe_unused]] const ssize_t written = ::write(file, text.data(), text.size());
  }
  std::array<int, 2> ends_{};
};

}  // namespace support
