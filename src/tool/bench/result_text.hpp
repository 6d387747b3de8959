#pragma once

// A result, and what a check found, as text of 80 columns.

#include <span>

#include "measure/experiment.hpp"
#include "measure/figures/check.hpp"
#include "measure/result.hpp"
#include "tool/screen.hpp"

namespace cow::tool {

/// A table of each experiment, and what is to be said of all. Throws ToolError where the output
/// cannot be written.
void print_result(Screen& screen, const measure::Result& result,
                  std::span<const measure::Experiment> experiments);

/// Warnings of the whole run alone.
void print_warnings(Screen& screen, const measure::Result& result);

/// What became slower or faster than in the baseline.
void print_check(Screen& screen, const measure::Check& check, const std::string& baseline);

}  // namespace cow::tool
