// Makes trace files for tests, without a program that is recorded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "support.hpp"
#include "trace/format.hpp"

namespace support {

class TraceMaker {
 public:
  static constexpr std::uint32_t main_pid = 100;
  static constexpr std::uint32_t family = 1;

  cow::trace::Header header = usual_header();

  /// The next event, to be changed until there is another: of this kind, a microsecond later.
  cow::trace::Event& add(cow::trace::EventKind kind, std::uint32_t space = 0,
                         std::uint32_t other = 0);
  cow::trace::Event& made(std::uint32_t space, std::uint64_t pages, std::uint32_t other = 0);
  cow::trace::Event& snapshot(std::uint32_t space, std::uint64_t pages, std::uint32_t other);
  void entries(std::uint32_t space, std::uint64_t first, std::uint64_t count, std::uint64_t slot,
               cow::trace::EntryLook look);
  /// Of one page, which gets `slot` and is writable.
  cow::trace::Event& fault(std::uint32_t space, std::uint64_t page, std::uint64_t slot,
                           std::uint64_t copied, std::uint64_t writable_after);

  /// Who writes the next events.
  void run_as(std::uint32_t pid, std::uint32_t tid) {
    pid_ = pid;
    tid_ = tid;
  }

  [[nodiscard]] const std::vector<cow::trace::Event>& events() const { return events_; }
  /// The file's bytes; `claimed` is the number of events unless it is set.
  [[nodiscard]] std::vector<std::byte> bytes() const;
  /// Writes them to `path`, and returns it.
  std::string save(const std::filesystem::path& path) const;

 private:
  static cow::trace::Header usual_header();

  std::vector<cow::trace::Event> events_;
  std::uint32_t pid_ = main_pid;
  std::uint32_t tid_ = main_pid;
};

/// A region of 64 pages, a clone, faults of every kind, a snapshot and a way back to it.
TraceMaker usual_trace();

/// Two children, one after the other, that have the same pid; the first has what the second has
/// not.
TraceMaker trace_with_a_pid_twice();

/// What a program might do with some regions and snapshots and a child, drawn at random.
TraceMaker random_trace(Random& random, std::size_t steps);

}  // namespace support
