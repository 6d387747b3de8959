// fork(), the way to clone memory that every Unix has.

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <stdexcept>
#include <utility>

#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/table.hpp"

namespace cow::measure {

namespace {

constexpr int exit_ok = 0;
constexpr int exit_failed = 3;

void reap(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) refused("waitpid");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_ok) {
    throw std::runtime_error("the child of fork() did not end well");
  }
}

pid_t fork_or_throw() {
  const pid_t child = ::fork();
  if (child < 0) refused("fork");
  return child;
}

/// A child that has all bytes as they were and sleeps until the end of its scope.
class SleepingChild {
 public:
  SleepingChild() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) refused("pipe2");
    const Descriptor sleep(ends[0]);
    Descriptor wake(ends[1]);
    child_ = fork_or_throw();
    if (child_ == 0) {
      ::close(ends[1]);
      char byte = 0;  // read returns when the parent closes its end, or is gone
      ::_exit(::read(ends[0], &byte, 1) >= 0 ? exit_ok : exit_failed);
    }
    wake_.emplace(std::move(wake));
  }
  SleepingChild(const SleepingChild&) = delete;
  SleepingChild& operator=(const SleepingChild&) = delete;
  ~SleepingChild() {
    if (child_ != 0) {
      wake_.reset();
      while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }

  /// Ends it, and throws if it did not end well.
  void end() {
    wake_.reset();
    reap(std::exchange(child_, 0));
  }

 private:
  std::optional<Descriptor> wake_;
  pid_t child_ = 0;
};

class ForkMemory : public Memory {
 public:
  explicit ForkMemory(const MemoryOptions& options) : memory_(plain_memory(options)) {}

  std::span<std::byte> bytes() override { return memory_.bytes(); }

  void begin() override { image_.emplace(); }

  void end() override {
    if (image_) image_->end();
    image_.reset();
  }

  void try_out(const std::function<void(std::span<std::byte>)>& stores) override {
    const pid_t child = fork_or_throw();
    if (child == 0) {
      try {
        stores(bytes());
      } catch (...) {
        ::_exit(exit_failed);
      }
      ::_exit(exit_ok);
    }
    reap(child);
  }

 private:
  Mapping memory_;
  std::optional<SleepingChild> image_;
};

}  // namespace

const Mechanism table::fork = {
    .name = "fork",
    .title = "fork()",
    .what = "A child process sleeps with the bytes as they were, and the parent stores; to go "
            "back, the child stores and ends.",
    .keeps_stores = true,
    .rolls_back = true,
    .has_granules = false,
    .has_files = true,
    .why_not = always,
    .make = [](const MemoryOptions& options) -> std::unique_ptr<Memory> {
      return std::make_unique<ForkMemory>(options);
    }};

}  // namespace cow::measure
