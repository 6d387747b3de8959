// The mechanisms, and the system calls that they are made of.

#include <cerrno>

#include <fmt/format.h>

#include "tool/doctor/subjects.hpp"

namespace cow::tool {

using measure::Call;
using measure::Findings;
using measure::NeededBy;
using measure::RegionTrial;

namespace {

std::string remedy_for(const Findings& findings, const Call& call) {
  const std::string name = call.name.substr(0, call.name.find('('));
  if (findings.rules.seccomp_mode == 2 || call.trial.signal != 0) {
    return fmt::format(
        "A filter of system calls (seccomp) {}: allow {} in the container's profile (docker run "
        "--security-opt seccomp=FILE), or in SystemCallFilter= of the unit.",
        call.trial.signal != 0 ? "does that" : "is in force, and probably does that", name);
  }
  if (call.trial.error == ENOSYS || call.trial.error == ENOTTY || call.trial.error == EINVAL) {
    return fmt::format("This kernel does not have it, or its emulator does not: take a newer one "
                       "if you need {}.",
                       call.needed_by == NeededBy::kernel ? "Mechanism::kernel" : name);
  }
  if (call.name.find("/proc") != std::string::npos) {
    return findings.memory.has_proc ? "A process that has changed its user may not: call "
                                      "prctl(PR_SET_DUMPABLE, 1) after "
                                      "that, or start it as the user that it is to be."
                                    : "Mount it there: mount -t proc proc /proc.";
  }
  return fmt::format("Look for {} in the audit log (ausearch -m avc,seccomp): a security module, "
                     "or a limit of this process, refuses it.",
                     name);
}

Level level_of(const Findings& findings, const Call& call) {
  const bool makes_regions = verdict(findings).can_make_regions;
  if (call.needed_by == NeededBy::kernel && makes_regions) return Level::limits;
  if (call.needed_by == NeededBy::handler && makes_regions) {
    return findings.regions.handler.trial.worked ? Level::limits : Level::refuses;
  }
  return makes_regions ? Level::limits : Level::refuses;
}

std::string_view consequence(const Findings& findings, const Call& call) {
  if (!verdict(findings).can_make_regions) {
    return call.needed_by == NeededBy::kernel ? "Mechanism::kernel cannot be had without it."
                                              : "No region could be made here.";
  }
  switch (call.needed_by) {
    case NeededBy::regions: return "Regions work with what was tried, and may fail later.";
    case NeededBy::handler:
      return findings.regions.handler.trial.worked ? "Mechanism::handler may fail at a store."
                                                   : "Mechanism::handler cannot be had without it.";
    case NeededBy::kernel: return "Mechanism::kernel cannot be had without it.";
    case NeededBy::some_uses: return "Regions work without; what needs it fails.";
  }
  return "";
}

/// The other mechanism than the one that is taken, where it cannot be had.
void add_missing(const RegionTrial& tried, std::string_view name, std::string_view remedy,
                 Lines& lines) {
  if (tried.trial.worked) return;
  lines.push_back({Level::limits, std::string(name),
                   fmt::format("It cannot be had here: {}.", reason_of(tried.trial)),
                   std::string(remedy)});
}

}  // namespace

void add_mechanism_lines(const Findings& findings, Lines& lines) {
  const measure::Regions& regions = findings.regions;
  const Verdict found = verdict(findings);
  if (!found.can_make_regions) {
    lines.push_back({Level::refuses, "regions", "None can be made, with either mechanism.",
                     "Allow what is refused below, and run cow doctor again."});
    return;
  }
  const bool has_both = regions.handler.trial.worked && regions.kernel.trial.worked;
  lines.push_back(
      {Level::ok, "regions",
       fmt::format("One was made, stored to, snapshotted, cloned and restored, with {}.",
                   has_both ? "either mechanism" : "one mechanism"),
       ""});
  add_missing(regions.automatic, "automatic mechanism",
              "Set RegionOptions::mechanism to the handler, which is what regions get that do not "
              "ask; or allow what is refused below.",
              lines);
  add_missing(regions.handler, "handler",
              "It is what regions have that do not ask: set RegionOptions::mechanism, or "
              "COW_MECHANISM=automatic in the environment; or allow what is refused below.",
              lines);
  add_missing(regions.kernel, "kernel mechanism",
              "Nothing, if the handler does: it offers the same and more. Otherwise allow "
              "userfaultfd and /proc/self/pagemap, on Linux 6.7 or later.",
              lines);
  if (regions.asked) {
    const bool is_known =
        *regions.asked == "handler" || *regions.asked == "kernel" || *regions.asked == "automatic";
    lines.push_back({is_known ? Level::note : Level::limits, "COW_MECHANISM",
                     is_known
                         ? fmt::format("Regions that do not ask get '{}'.", *regions.asked)
                         : fmt::format("'{}' is no mechanism: regions that do not ask are refused.",
                                       *regions.asked),
                     is_known ? "Unset it for what a program has by itself, the handler."
                              : "Set it to handler, kernel or automatic, or unset it."});
  }
}

void add_call_lines(const Findings& findings, Lines& lines) {
  std::size_t worked = 0;
  std::size_t tried = 0;
  for (const Call& call : findings.calls) {
    if (!call.trial.was_tried) continue;
    ++tried;
    if (call.trial.worked) {
      ++worked;
      continue;
    }
    lines.push_back({level_of(findings, call), call.name,
                     fmt::format("The call {}. It is for: {}. {}", how_it_ended(call.trial),
                                 call.purpose, consequence(findings, call)),
                     remedy_for(findings, call)});
  }
  if (tried > 0 && worked == tried) {
    lines.push_back({Level::ok, "system calls",
                     fmt::format("All {} that libcow makes were tried, and are allowed.", tried),
                     ""});
  }
  if (!findings.has_children) {
    lines.push_back({Level::limits, "fork",
                     fmt::format("It {}: this examination was made without children, and programs "
                                 "here have none.",
                                 how_it_ended(findings.fork)),
                     "Allow clone and fork, or raise the number of processes (pids.max, ulimit "
                     "-u), if programs here are to have children."});
  }
}

}  // namespace cow::tool
