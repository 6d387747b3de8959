#pragma once

#include <cstdint>

namespace cow::os {

/// Masks every signal of the calling thread while it lives. Control calls hold it with a lock, so
/// that no signal handler of the user's can run, store to a region and wait for that lock.
class [[nodiscard]] SignalsMasked {
 public:
  SignalsMasked() noexcept;
  ~SignalsMasked();
  SignalsMasked(const SignalsMasked&) = delete;
  SignalsMasked& operator=(const SignalsMasked&) = delete;

 private:
  std::uint64_t before_ = 0;  // the kernel's sigset_t: 64 signals
};

}  // namespace cow::os
