#include "os/last_words.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>

#include "base/check.hpp"
#include "os/process.hpp"
#include "os/signal_mask.hpp"
#include "os/syscall.hpp"

namespace cow::os {

namespace {

/// One line of text on the stack.
class Line {
 public:
  Line& text(const char* words) noexcept {
    while (*words != '\0') put(*words++);
    return *this;
  }
  Line& hex(std::uintptr_t value) noexcept {
    text("0x");
    return digits(value, 16);
  }
  Line& decimal(int value) noexcept { return digits(static_cast<std::uintptr_t>(value), 10); }
  void write() noexcept {
    put('\n');
    raw_syscall(SYS_write, STDERR_FILENO, argument(line_.data()), size_);
  }

 private:
  void put(char c) noexcept {
    if (size_ < line_.size()) line_[size_++] = c;
  }
  Line& digits(std::uintptr_t value, unsigned base) noexcept {
    std::uintptr_t unit = 1;
    while (value / unit >= base) unit *= base;
    for (; unit > 0; unit /= base) put("0123456789abcdef"[value / unit % base]);
    return *this;
  }

  std::array<char, 400> line_{};
  std::size_t size_ = 0;
};

[[noreturn]] void die_of_sigbus() noexcept {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(SIGBUS, &standard, nullptr);
  raw_syscall(SYS_tgkill, process_id(), thread_id(), SIGBUS);
  set_signal_mask(0);
  for (;;) raw_syscall(SYS_exit_group, 128 + SIGBUS);
}

}  // namespace

void die_of_store(const LastWords& words) noexcept {
  Line line;
  line.text("libcow: the store to ").hex(words.address).text(" in the region ");
  line.hex(words.region_begin).text("-").hex(words.region_end);
  line.text(" could not be given a frame: ").text(words.call).text(" failed with errno ");
  line.decimal(words.error).text("; the process ends with SIGBUS").write();
  die_of_sigbus();
}

void die_of(const char* what, int error) noexcept {
  Line line;
  line.text("libcow: ").text(what).text(": errno ").decimal(error);
  line.text("; the process ends with SIGBUS").write();
  die_of_sigbus();
}

}  // namespace cow::os

namespace cow {

void check_failed(const char* condition, const char* file, int line) noexcept {
  os::Line words;
  words.text("libcow: ").text(file).text(":").decimal(line).text(": not true: ").text(condition);
  words.text("; this is a bug in libcow").write();
  std::abort();
}

}  // namespace cow
