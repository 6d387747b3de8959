// Rules of the system: filters, debuggers, core dumps, counters; and who plays the kernel.

#include <fmt/format.h>

#include "tool/doctor/subjects.hpp"
#include "tool/quantity.hpp"

namespace cow::tool {

using measure::Findings;
using measure::RuleFacts;

namespace {

void add_seccomp(const RuleFacts& rules, Lines& lines) {
  if (!rules.seccomp_mode) return;
  if (*rules.seccomp_mode == 0) {
    lines.push_back({Level::ok, "seccomp", "No filter of system calls is in force.", ""});
    return;
  }
  const std::string count =
      rules.seccomp_filters ? fmt::format(" ({})", counted(*rules.seccomp_filters, "filter")) : "";
  lines.push_back({Level::note, "seccomp",
                   fmt::format("Filters of system calls are in force{}. Each call that libcow "
                               "makes was tried; what is refused has a line of its own.",
                               count),
                   "Nothing, where none has."});
}

void add_cores(const RuleFacts& rules, Lines& lines) {
  if (rules.core_bytes && *rules.core_bytes == 0 &&
      !(rules.core_pattern && rules.core_pattern->starts_with("|"))) {
    lines.push_back({Level::ok, "core dumps",
                     "None are written (RLIMIT_CORE is 0), so regions end up in none.", ""});
    return;
  }
  // Bit 2: private mappings of files, which the bytes of snapshots are to the kernel.
  const bool has_snapshots = (rules.core_filter.value_or(0) & 4U) != 0;
  const std::string where =
      rules.core_pattern ? fmt::format(", as '{}'", printable(*rules.core_pattern)) : "";
  lines.push_back({Level::note, "core dumps",
                   fmt::format("They are written{}, and hold the bytes of regions, and {} of "
                               "snapshots.",
                               where, has_snapshots ? "those" : "none"),
                   "RegionOptions::keep_out_of_cores for what is secret or too large."});
}

void add_debuggers(const RuleFacts& rules, Lines& lines) {
  if (rules.ptrace_scope && *rules.ptrace_scope > 0) {
    lines.push_back({Level::note, "debuggers",
                     fmt::format("kernel.yama.ptrace_scope is {}: gdb may {}.", *rules.ptrace_scope,
                                 *rules.ptrace_scope == 1   ? "start programs, not attach to others"
                                 : *rules.ptrace_scope == 2 ? "debug as root alone"
                                                            : "debug nothing"),
                     "Start the program in gdb, or set kernel.yama.ptrace_scope=0 as root."});
  }
  if (!rules.is_dumpable) {
    lines.push_back(
        {Level::limits, "not dumpable",
         "This process may not be looked into, itself included: /proc/self/pagemap is "
         "closed, and Mechanism::kernel cannot be had.",
         "Call prctl(PR_SET_DUMPABLE, 1) after changing the user, or take the handler."});
  }
}

void add_counters(const RuleFacts& rules, Lines& lines) {
  if (!rules.perf_events.was_tried) return;
  if (rules.perf_events.worked) {
    lines.push_back({Level::ok, "perf events", "Page faults can be counted.", ""});
    return;
  }
  const std::string paranoid =
      rules.perf_event_paranoid
          ? fmt::format(" (kernel.perf_event_paranoid is {})", *rules.perf_event_paranoid)
          : "";
  lines.push_back({Level::note, "perf events",
                   fmt::format("perf_event_open {}{}: cow bench counts no page faults and TLB "
                               "flushes. libcow does not need it.",
                               how_it_ended(rules.perf_events), paranoid),
                   "sysctl kernel.perf_event_paranoid=1, and allow perf_event_open in the "
                   "container."});
}

void add_surroundings(const RuleFacts& rules, Lines& lines) {
  if (rules.emulated) {
    lines.push_back({Level::note, "emulation",
                     fmt::format("{} plays the kernel here: what it lacks is missing above, and "
                                 "times mean nothing.",
                                 *rules.emulated),
                     "Measure on the machine itself."});
  }
  if (rules.container) {
    lines.push_back({Level::note, "container",
                     fmt::format("This looks like one ({}): its filter and its limits are those "
                                 "that count.",
                                 printable(*rules.container)),
                     "Change them where it is started; settings of vm.* are the host's."});
  }
}

}  // namespace

void add_rule_lines(const Findings& findings, Lines& lines) {
  for (const std::string& name : findings.unknown) {
    lines.push_back(
        {Level::note, "not known",
         fmt::format("What is known of {} could not be read: who tried was ended.", name),
         "A filter kills for a call that is no concern of libcow's; see the kernel's "
         "log for which (dmesg | grep SECCOMP)."});
  }
  const RuleFacts& rules = findings.rules;
  add_seccomp(rules, lines);
  add_cores(rules, lines);
  add_debuggers(rules, lines);
  add_counters(rules, lines);
  add_surroundings(rules, lines);
}

}  // namespace cow::tool
