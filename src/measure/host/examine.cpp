#include "measure/host/examine.hpp"

#include <string>

#include "measure/host/findings_json.hpp"
#include "measure/host/in_child.hpp"
#include "measure/host/probes.hpp"

namespace cow::measure {

namespace {

/// Facts that a child reads: even to read them is a system call that a filter may answer by
/// killing who makes it.
template <typename Facts>
Facts read_in_child(Facts (*read)(), const char* name, std::vector<std::string>& unknown) {
  const ChildEnd end = in_child([read] { return nlohmann::json(read()).dump(); });
  if (!end.has_said) {
    unknown.emplace_back(name);
    return {};
  }
  return nlohmann::json::parse(end.said).get<Facts>();
}

}  // namespace

Findings examine() {
  Findings findings;
  const ChildEnd end = in_child([] { return std::string("{}"); });
  findings.has_children = end.was_child;
  findings.fork = {true, end.was_child, end.fork_error, 0, ""};
  // The handlers first: without children, a region would put its own in front.
  findings.signals = read_in_child(signal_facts, "signals", findings.unknown);
  findings.memory = read_in_child(memory_facts, "memory", findings.unknown);
  findings.rules = read_in_child(rule_facts, "rules", findings.unknown);
  findings.userfault = userfault_facts();
  findings.memory.huge_pages = try_huge_pages();
  findings.calls = try_calls();
  findings.regions = try_regions();
  return findings;
}

}  // namespace cow::measure
