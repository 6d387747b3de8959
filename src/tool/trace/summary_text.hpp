#pragma once

#include <string>
#include <vector>

#include "tool/screen.hpp"
#include "tool/trace/trace_summary.hpp"

namespace cow::tool {

/// What a trace comes to, in a few lines.
void print_summary(Screen& screen, const TraceFile& trace, const TraceSummary& summary);

/// What is behind that: regions and snapshots, the dearest faults, what was copied when.
void print_details(Screen& screen, const TraceSummary& summary);

/// What was copied by whom; and how that compares with copying whenever something is cloned.
[[nodiscard]] std::string copied_text(const TraceSummary& summary);
[[nodiscard]] std::string eagerly_text(const TraceSummary& summary);

/// One character for each of `columns` equal parts of `duration_ns`: a blank where nothing was
/// copied, darker ones for more, '@' for the part in which most was.
[[nodiscard]] std::string heat_line(const std::vector<CopyMoment>& copies,
                                    std::uint64_t duration_ns, std::size_t columns);

}  // namespace cow::tool
