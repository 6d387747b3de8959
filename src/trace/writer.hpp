#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>

#include "trace/format.hpp"

namespace cow::trace {

// One trace of this process can be on. Events go straight into a mapping of its file, which others
// share: child processes write to the same one.

extern std::atomic<std::uint64_t> g_current;

/// Which trace is on, or 0; no trace has the number of an earlier one. All that a trace costs while
/// none is on. Signal context: yes.
[[nodiscard]] inline std::uint64_t current() noexcept {
  return g_current.load(std::memory_order_relaxed);
}

/// Begins a trace: replaces `file` by one with room for `capacity` events, all of it taken now.
/// Returns its number. Throws std::system_error that names the file; std::logic_error if a trace is
/// on.
std::uint64_t begin(const std::filesystem::path& file, std::uint64_t capacity);
/// Ends trace `number` if it is on, once whoever is writing to it has finished. The file stays.
void end(std::uint64_t number) noexcept;

/// How many events trace `number` has, and how many more there were that found no room. Those of
/// child processes count. None if it is not on.
struct Counts {
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
};
[[nodiscard]] Counts counts(std::uint64_t number) noexcept;

/// After fork(), in the child: no other thread of it is writing.
void forget_other_threads() noexcept;

/// An event that is being written: claimed by one atomic addition, complete when this goes, and in
/// the file from then on. Allocates nothing, takes no lock and waits for nobody. Where no trace is
/// on, or it is full, what is written goes nowhere. Signal context: yes.
class NewEvent {
 public:
  explicit NewEvent(EventKind kind) noexcept;
  ~NewEvent();
  NewEvent(const NewEvent&) = delete;
  NewEvent& operator=(const NewEvent&) = delete;

  /// Null if there is no room. Kind, time, process and thread are filled in.
  [[nodiscard]] Event* get() const noexcept { return event_; }
  /// 0 if no trace is on.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

 private:
  Event* event_ = nullptr;
  std::uint64_t number_ = 0;
};

}  // namespace cow::trace
