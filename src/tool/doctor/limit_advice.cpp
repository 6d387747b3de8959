// Limits of the process and of its control group.

#include <fmt/format.h>

#include "tool/doctor/subjects.hpp"
#include "tool/quantity.hpp"

namespace cow::tool {

using measure::CgroupLimit;
using measure::Findings;
using measure::MemoryFacts;

namespace {

void add_process_limits(const MemoryFacts& memory, Lines& lines) {
  if (memory.address_space_bytes) {
    lines.push_back({Level::limits, "RLIMIT_AS",
                     fmt::format("The process may have {} of addresses. A region, a clone and a "
                                 "snapshot that is read take their size of them each, stored to or "
                                 "not.",
                                 bytes_text(*memory.address_space_bytes)),
                     "ulimit -v unlimited; limit memory by the control group instead."});
  }
  if (memory.data_bytes) {
    lines.push_back({Level::limits, "RLIMIT_DATA",
                     fmt::format("Private memory is limited to {}: regions with Mechanism::kernel "
                                 "count, those with the handler do not.",
                                 bytes_text(*memory.data_bytes)),
                     "ulimit -d unlimited, or take the handler."});
  }
  if (memory.file_bytes) {
    lines.push_back(
        {Level::limits, "RLIMIT_FSIZE",
         fmt::format("No file may pass {}, and the bytes of regions lie in one: that is "
                     "all that a family can hold.",
                     bytes_text(*memory.file_bytes)),
         "ulimit -f unlimited."});
  }
}

void add_descriptors(const MemoryFacts& memory, Lines& lines) {
  constexpr std::uint64_t kFew = 256;
  if (!memory.descriptors) return;
  const std::string counts = fmt::format(
      "The process may open {}{}; a family of regions takes one or two.",
      counted(*memory.descriptors, "descriptor"),
      memory.descriptors_used ? fmt::format(" and has {}", with_commas(*memory.descriptors_used))
                              : "");
  const bool has_few = *memory.descriptors < memory.descriptors_used.value_or(0) + kFew;
  lines.push_back({has_few ? Level::limits : Level::ok, "RLIMIT_NOFILE", counts,
                   has_few ? "ulimit -n 10000, if there are to be many families." : ""});
}

void add_locked_memory(const MemoryFacts& memory, Lines& lines) {
  if (!memory.locked_bytes) return;
  lines.push_back({Level::ok, "RLIMIT_MEMLOCK",
                   fmt::format("{} may be locked: of matter to programs alone that call mlockall, "
                               "or register leased memory with io_uring.",
                               bytes_text(*memory.locked_bytes)),
                   ""});
}

Line line_of(const CgroupLimit& limit) {
  if (limit.name == "pids") {
    return {Level::note, "control group",
            fmt::format("Its processes and threads are limited to {} ({}).",
                        with_commas(limit.value), limit.file),
            "Raise it where programs with regions fork often."};
  }
  if (limit.name == "cpu_percent") {
    return {Level::note, "control group",
            fmt::format("It may use {} % of one processor ({}): figures of cow bench come out "
                        "uneven.",
                        limit.value, limit.file),
            "Measure without that limit."};
  }
  if (limit.name == "swap_bytes") {
    return {Level::note, "control group",
            limit.value == 0
                ? fmt::format("Its memory is never swapped ({}).", limit.file)
                : fmt::format("It may swap {} ({}).", bytes_text(limit.value), limit.file),
            "Nothing, if memory is enough without."};
  }
  constexpr std::uint64_t kLittle = std::uint64_t{512} << 20;
  return {limit.value < kLittle ? Level::limits : Level::note, "control group",
          fmt::format("Its memory is limited to {} ({}), and what regions hold counts, also what "
                      "snapshots alone do. Beyond that the kernel kills.",
                      bytes_text(limit.value), limit.file),
          "Keep ProcessStats::bytes_in_use below, drop old snapshots, call cow::trim(); or raise "
          "the limit."};
}

}  // namespace

void add_limit_lines(const Findings& findings, Lines& lines) {
  const MemoryFacts& memory = findings.memory;
  add_process_limits(memory, lines);
  add_descriptors(memory, lines);
  add_locked_memory(memory, lines);
  for (const CgroupLimit& limit : memory.cgroup) lines.push_back(line_of(limit));
}

}  // namespace cow::tool
