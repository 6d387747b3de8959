#pragma once

// The parts of advice.hpp, by subject.

#include <string>
#include <vector>

#include "measure/host/findings.hpp"
#include "tool/doctor/advice.hpp"

namespace cow::tool {

using Lines = std::vector<Line>;

/// "was refused (EPERM)", "ended who made it (SIGSYS)".
[[nodiscard]] std::string how_it_ended(const measure::Trial& trial);
/// The sentence that was said, without a full stop, or how it ended.
[[nodiscard]] std::string reason_of(const measure::Trial& trial);

void add_mechanism_lines(const measure::Findings& findings, Lines& lines);
void add_call_lines(const measure::Findings& findings, Lines& lines);
void add_userfault_lines(const measure::Findings& findings, Lines& lines);
void add_memory_lines(const measure::Findings& findings, Lines& lines);
void add_limit_lines(const measure::Findings& findings, Lines& lines);
void add_signal_lines(const measure::Findings& findings, Lines& lines);
void add_rule_lines(const measure::Findings& findings, Lines& lines);

}  // namespace cow::tool
