#pragma once

// Ways to run a target from the same state again and again. Each has the state that it starts from,
// runs an input, and has the same state again.

#include <cow/cow.hpp>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "target.hpp"

namespace examples {

using Bytes = std::span<const std::uint8_t>;

inline std::vector<std::byte> built(std::size_t bytes) {
  std::vector<std::byte> memory(bytes);
  Target::build(memory);
  return memory;
}

/// A snapshot of the state is restored: what costs is what the input stored to.
class RestoreWay {
 public:
  RestoreWay(std::size_t bytes, cow::Mechanism mechanism)
      : region_(cow::Region::create(bytes, {.mechanism = mechanism})),
        start_((Target::build(region_.bytes()), region_.snapshot())) {}

  Outcome run(Bytes input, Coverage& coverage) {
    const Outcome outcome = Target(region_.bytes()).run(input, coverage);
    region_.restore(start_);
    return outcome;
  }
  [[nodiscard]] std::span<const std::byte> state() const { return region_.bytes(); }

 private:
  cow::Region region_;
  cow::Snapshot start_;
};

/// A child of fork() for each input. What it learns comes back through memory that they share.
class ForkWay {
 public:
  explicit ForkWay(std::size_t bytes) : memory_(built(bytes)) {
    void* const shared =
        ::mmap(nullptr, sizeof(Answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    answer_ = new (shared) Answer;
  }
  ForkWay(const ForkWay&) = delete;
  ForkWay& operator=(const ForkWay&) = delete;
  ~ForkWay() { ::munmap(answer_, sizeof(Answer)); }

  Outcome run(Bytes input, Coverage& coverage) {
    answer_->coverage = coverage;
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
      answer_->outcome = Target(memory_).run(input, answer_->coverage);
      ::_exit(0);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) throw std::runtime_error("the child of a round has died");
    coverage = answer_->coverage;
    return answer_->outcome;
  }
  [[nodiscard]] std::span<const std::byte> state() const { return memory_; }

 private:
  struct Answer {
    Coverage coverage{};
    Outcome outcome = Outcome::good;
  };
  std::vector<std::byte> memory_;
  Answer* answer_ = nullptr;
};

/// The program starts anew.
class BuildWay {
 public:
  explicit BuildWay(std::size_t bytes) : memory_(built(bytes)) {}

  Outcome run(Bytes input, Coverage& coverage) {
    const Outcome outcome = Target(memory_).run(input, coverage);
    Target::build(memory_);
    return outcome;
  }
  [[nodiscard]] std::span<const std::byte> state() const { return memory_; }

 private:
  std::vector<std::byte> memory_;
};

/// All of the state is copied back.
class CopyWay {
 public:
  explicit CopyWay(std::size_t bytes) : start_(built(bytes)), memory_(start_) {}

  Outcome run(Bytes input, Coverage& coverage) {
    const Outcome outcome = Target(memory_).run(input, coverage);
    std::memcpy(memory_.data(), start_.data(), start_.size());
    return outcome;
  }
  [[nodiscard]] std::span<const std::byte> state() const { return memory_; }

 private:
  std::vector<std::byte> start_;
  std::vector<std::byte> memory_;
};

/// Nothing is put back, to see what that does.
class NoWay {
 public:
  explicit NoWay(std::size_t bytes) : memory_(built(bytes)) {}

  Outcome run(Bytes input, Coverage& coverage) { return Target(memory_).run(input, coverage); }

 private:
  std::vector<std::byte> memory_;
};

}  // namespace examples
