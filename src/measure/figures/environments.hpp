#pragma once

// In what the environments of two results differ.

#include <string>
#include <vector>

#include "measure/result.hpp"

namespace cow::measure {

/// A sentence each: "kernel.release: 6.1.0 in the baseline, 6.6.8 now". Load, date and what else
/// moves by itself is no difference, nor is the commit of libcow: that is what is compared.
[[nodiscard]] std::vector<std::string> environment_differences(const Result& baseline,
                                                               const Result& now);

}  // namespace cow::measure
