#pragma once

// First stores taken apart: the mechanisms of this folder that answer a fault in user space, each
// with a reading of the clock after every step, and those of which only the whole can be timed.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "measure/mechanisms/noted_times.hpp"

namespace cow::measure {

/// Memory whose first stores are watched by one mechanism. One of them in a process, as they take
/// its signals, and one thread that calls these.
class TimedFaults {
 public:
  TimedFaults() = default;
  TimedFaults(const TimedFaults&) = delete;
  TimedFaults& operator=(const TimedFaults&) = delete;
  virtual ~TimedFaults() = default;

  /// Where the program stores; another place after begin() where a clone is stored to.
  [[nodiscard]] virtual std::span<std::byte> bytes() = 0;
  /// From here on the first store to each page is a fault.
  virtual void begin() = 0;
  /// What begin() made is given up.
  virtual void end() = 0;

  /// The word in the middle of a page.
  [[nodiscard]] std::uint64_t* word(std::size_t page);
  /// What provokes a fault: a store to that word.
  virtual void store(std::uint64_t* word, std::uint64_t value);

  /// What a fault's time goes to, in this order and at most these: delivery, lookup, allocate,
  /// copy, map. What is left up to the line after the store is the return. Empty where the kernel
  /// answers by itself, which cannot be looked into.
  [[nodiscard]] virtual std::span<const std::string_view> steps() const = 0;
  /// When each step of the last store() ended; every one since begin() is asked about. A step that
  /// was not needed ends with the one before. Nothing if the store was not one fault.
  [[nodiscard]] virtual std::optional<StepTimes> times() = 0;

  /// Faults that a handler or a thread has answered so far; nothing where the kernel answers, which
  /// counts them as minor faults, or where each store is one fault or times() says that it was not.
  [[nodiscard]] virtual std::optional<std::uint64_t> faults_answered() { return std::nullopt; }
};

/// A signal that the thread sends itself, with a handler that does nothing, instead of a store.
[[nodiscard]] std::unique_ptr<TimedFaults> timed_signal();

/// A handler that makes the page writable, and does nothing else.
[[nodiscard]] std::unique_ptr<TimedFaults> timed_protection(std::size_t bytes);

/// A handler that writes the page elsewhere in a memory file and maps that over it, as the fault of
/// a region must: with nothing else around, the least that it can cost.
[[nodiscard]] std::unique_ptr<TimedFaults> timed_remap(std::size_t bytes);

/// "uffd-signal", "uffd-thread" or "mprotect". Throws Unavailable where it cannot be had.
[[nodiscard]] std::unique_ptr<TimedFaults> timed_tracker(std::string_view mechanism,
                                                         std::size_t bytes);

/// What begin() makes of a region, and so where is stored to: to the region, of which a snapshot is
/// kept, or to a clone of it.
enum class Kept { snapshot, region };
/// libcow's own handler, windows off, watched by cow::FaultRecorder.
[[nodiscard]] std::unique_ptr<TimedFaults> timed_handler(std::size_t bytes, Kept kept);

/// One of mechanisms(), as it is, as a whole. Throws Unavailable where it cannot be had.
[[nodiscard]] std::unique_ptr<TimedFaults> whole_faults(std::string_view mechanism,
                                                        std::size_t bytes);

/// What a page of plain memory is when it is stored to: the faults of the kernel's that copy
/// nothing. (The one that copies is "fork".)
enum class PlainPage {
  writable,   ///< stored to before: no fault at all
  upgraded,   ///< read-only since a fork() whose child has ended: nobody else's any more
  untouched,  ///< never touched: a frame of zeros is made
  zero_page,  ///< read, and never stored to: the page of zeros that all share is replaced
};
[[nodiscard]] std::unique_ptr<TimedFaults> plain_faults(PlainPage page, std::size_t bytes);

/// Pages that are read-only and nobody else's, of libcow's own handler: the region's snapshot was
/// dropped before it was stored to.
[[nodiscard]] std::unique_ptr<TimedFaults> handler_upgrades(std::size_t bytes);

}  // namespace cow::measure
