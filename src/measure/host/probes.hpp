#pragma once

// The parts of an examination. Each may be the end of the process that it runs in.

#include <vector>

#include "measure/host/findings.hpp"

namespace cow::measure {

/// Runs `work`, which returns 0 or an errno value, in a child.
[[nodiscard]] Trial try_in_child(int (*work)());

/// One region of each kind, put through what regions are for.
[[nodiscard]] Regions try_regions();

/// Each system call that libcow makes, made once, by its number and not by way of libc.
[[nodiscard]] std::vector<Call> try_calls();

[[nodiscard]] UserfaultFacts userfault_facts();
/// Shared memory that asks for huge pages: whether it gets one. Absent trial: it cannot be seen.
[[nodiscard]] Trial try_huge_pages();

// What can be read. These try nothing that libcow does, and run in a child all the same.
[[nodiscard]] MemoryFacts memory_facts();
[[nodiscard]] SignalFacts signal_facts();
[[nodiscard]] RuleFacts rule_facts();

}  // namespace cow::measure
