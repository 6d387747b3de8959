#include "tool/doctor/advice.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "measure/host/names.hpp"
#include "tool/doctor/subjects.hpp"

namespace cow::tool {

using measure::Call;
using measure::Findings;
using measure::NeededBy;
using measure::Trial;

namespace {

/// "memfd_create was refused (EPERM), ftruncate …": of those calls that `who` needs.
std::string refused_calls(const Findings& findings, std::initializer_list<NeededBy> who) {
  std::vector<std::string> names;
  for (const Call& call : findings.calls) {
    const bool is_needed = std::find(who.begin(), who.end(), call.needed_by) != who.end();
    if (!call.trial.was_tried || call.trial.worked || !is_needed) continue;
    names.push_back(fmt::format("{} {}", call.name, how_it_ended(call.trial)));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// The calls that are to blame, or else what was said.
std::string blame(const Findings& findings, const Trial& trial,
                  std::initializer_list<NeededBy> who) {
  const std::string calls = refused_calls(findings, who);
  return calls.empty() ? reason_of(trial) : calls;
}

std::string why_none(const Findings& findings) {
  const Trial& trial = findings.regions.handler.trial;
  std::string calls = refused_calls(findings, {NeededBy::regions, NeededBy::handler});
  if (calls.empty()) calls = refused_calls(findings, {NeededBy::some_uses});
  if (calls.empty()) return reason_of(trial) + ".";
  return trial.said.empty() ? calls + "."
                            : fmt::format("{}. libcow says: {}.", calls, reason_of(trial));
}

}  // namespace

std::string_view word_of(Level level) {
  switch (level) {
    case Level::refuses: return "refuses";
    case Level::limits: return "limits";
    case Level::note: return "note";
    case Level::ok: return "ok";
  }
  return "";
}

std::string how_it_ended(const Trial& trial) {
  if (trial.signal != 0) {
    return fmt::format("ended the process that made it ({})", measure::signal_name(trial.signal));
  }
  if (trial.error != 0) return fmt::format("was refused ({})", measure::error_name(trial.error));
  return trial.worked ? "worked" : "ended without a word";
}

std::string reason_of(const Trial& trial) {
  std::string text = trial.said;
  while (!text.empty() && (text.back() == '\n' || text.back() == '.')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (trial.signal != 0) {
    const std::string end =
        fmt::format("the process that tried ended with {}", measure::signal_name(trial.signal));
    return text.empty() ? end : fmt::format("{}, having said: {}", end, text);
  }
  return text.empty() ? "what was tried " + how_it_ended(trial) : text;
}

Verdict verdict(const Findings& findings) {
  const measure::Regions& regions = findings.regions;
  const measure::RegionTrial& automatic = regions.automatic;
  Verdict found;
  found.can_make_regions = automatic.trial.worked || regions.handler.trial.worked;
  found.mechanism = automatic.mechanism;
  if (automatic.mechanism == "kernel") {
    found.why =
        "Mechanism::automatic takes the kernel's way of copying: this kernel has what it needs, "
        "and this process may use it.";
  } else if (automatic.trial.worked) {
    found.why = fmt::format(
        "Mechanism::automatic takes libcow's handler, as the kernel's way of copying cannot be "
        "had: {}.",
        blame(findings, regions.kernel.trial, {NeededBy::kernel}));
  } else if (found.can_make_regions) {
    found.why = fmt::format("Take Mechanism::handler: Mechanism::automatic does not do, as {}.",
                            blame(findings, automatic.trial, {NeededBy::kernel}));
  } else {
    found.why = why_none(findings);
  }
  return found;
}

std::vector<Line> advise(const Findings& findings) {
  Lines lines;
  add_mechanism_lines(findings, lines);
  add_call_lines(findings, lines);
  add_userfault_lines(findings, lines);
  add_memory_lines(findings, lines);
  add_limit_lines(findings, lines);
  add_signal_lines(findings, lines);
  add_rule_lines(findings, lines);
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.level < b.level; });
  return lines;
}

}  // namespace cow::tool
