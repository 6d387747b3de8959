#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "trace/format.hpp"

namespace cow::measure {

/// It is no trace, or none that can be used: a sentence with its name, and what to do.
class TraceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// More events are not read: they and what is made of them would not fit into a usual memory.
inline constexpr std::uint64_t most_trace_events = std::uint64_t{1} << 22;

/// Pages, slots and nanoseconds beyond this are nonsense; below it they can be added without care.
inline constexpr std::uint64_t most_trace_number = std::uint64_t{1} << 52;

/// What a trace file says. It may have been cut off, damaged, or be written to at this moment: the
/// events here are those that are whole and make sense by themselves.
struct TraceFile {
  std::string path;
  std::string program;  ///< the header's text
  std::string kernel;
  std::string library;
  trace::Header header{};
  std::vector<trace::Event> events;  ///< in the order of their numbers
  std::uint64_t lost = 0;            ///< there was no room for them
  std::uint64_t cut_off = 0;         ///< there was room, but the file ends before it
  std::uint64_t unfinished = 0;      ///< begun and not written to the end
  std::uint64_t unreadable = 0;      ///< written, and no event

  /// Nanoseconds from the beginning of the trace to the end of `event`.
  [[nodiscard]] std::uint64_t since_start(const trace::Event& event) const {
    return event.time_ns - header.started_ns;
  }
};

/// Reads the file at `path`. Throws TraceError if it is none, or none that this program can read.
[[nodiscard]] TraceFile read_trace(const std::string& path);

/// Whether a file is there that begins as a trace does; never throws.
[[nodiscard]] bool is_trace(const std::string& path);

}  // namespace cow::measure
