#pragma once

#include <cstdint>

namespace cow::os {

/// The signals that the calling thread has masked, a bit for each, as the kernel's sigset_t. Sets
/// them and returns those before.
std::uint64_t set_signal_mask(std::uint64_t mask) noexcept;
inline constexpr std::uint64_t kAllSignals = ~std::uint64_t{0};
/// Across fork(): a store then ends the process in words.
extern const std::uint64_t kAllSignalsButFaults;

/// All but those that a thread raises itself by what it does (a store, a division, abort()): they
/// could not wait.
extern const std::uint64_t kAllButRaised;

/// Masks signals of the calling thread while it lives. Control calls hold it, of every signal, with
/// a lock, so that no signal handler of the user's can run, store to a region and wait for that
/// lock.
class [[nodiscard]] SignalsMasked {
 public:
  SignalsMasked() noexcept : SignalsMasked(kAllSignals) {}
  explicit SignalsMasked(std::uint64_t mask) noexcept : before_(set_signal_mask(mask)) {}
  ~SignalsMasked() { set_signal_mask(before_); }
  SignalsMasked(const SignalsMasked&) = delete;
  SignalsMasked& operator=(const SignalsMasked&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace cow::os
