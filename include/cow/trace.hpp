#pragma once

/// @file
/// A bounded record, in a file, of everything copy-on-write that a program does. The format is in
/// docs/trace-format.md; `cow report` reads it.
///
/// Any program that uses libcow writes one, without a change, where the environment says so when
/// its first region is made: COW_TRACE=FILE, in which %p stands for the process's number, and
/// COW_TRACE_EVENTS=N for room for so many events. While the file cannot be made, no region can:
/// Region::create and the like throw std::system_error that names COW_TRACE and the file, or
/// std::invalid_argument that names COW_TRACE_EVENTS. A process
/// with more rights than its caller does not look at these variables.

#include <cow/export.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace cow {

/// What a trace is to be like.
struct TraceOptions {
  /// Events there is room for, at 136 bytes each; what comes later is counted and lost.
  std::size_t capacity_events = 65'536;
};

/// While one is alive, what happens to all regions and snapshots of this process is written to a
/// file: what is made and goes, every fault, and which page shows which frame. It begins with what
/// there is. Child processes that are forked meanwhile write to the same file until they call exec.
///
/// What was written is in the file at once, whatever becomes of the process, and also after the
/// program has closed all descriptors. Nobody may shorten the file meanwhile: that would be SIGBUS.
///
/// Cost while none is alive: loads of one word where pages change, and no system call. While one
/// is: some 0.3 µs for each event, of which a fault has two or three, and one for each snapshot
/// that is given a copy; see docs/trace-format.md.
class COW_API Trace {
 public:
  /// Replaces `file` by one that has room for all events, taken now; whoever reads or writes the
  /// one before goes on with that. Throws std::system_error that names the file where it cannot be
  /// made, or its disk is full; std::invalid_argument for no events; std::logic_error if a trace is
  /// on already, one that COW_TRACE has begun included: there can be one at a time. Thread safe; a
  /// child that another thread forks before this returns tells nothing of regions it inherits.
  /// Cost: O(capacity + runs of pages in all regions and snapshots), and once a disk's fsync.
  explicit Trace(const std::filesystem::path& file, const TraceOptions& options = {});
  /// Ends it. Waits for who is writing an event. In a child process it ends in that alone.
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// Events in the file so far, also those of child processes. Thread safe.
  [[nodiscard]] std::uint64_t events() const noexcept;
  /// Events that found no room. Thread safe.
  [[nodiscard]] std::uint64_t lost() const noexcept;

 private:
  std::uint64_t number_;
};

}  // namespace cow
