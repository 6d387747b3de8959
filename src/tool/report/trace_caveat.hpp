#pragma once

#include <string>

#include "tool/report/result_file.hpp"

namespace cow::tool {

/// What was copied for the recorded program and is not in its replay, as the end of a sentence:
/// "; but 3 of 4 copied pages had no fault of their own, and are not replayed". Nothing where all
/// is.
[[nodiscard]] std::string trace_caveat(const ResultFile& file);

}  // namespace cow::tool
