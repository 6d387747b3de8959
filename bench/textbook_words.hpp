#pragma once

// Words that the readings share.

#include <fmt/format.h>

#include <optional>
#include <string>

#include "figures.hpp"
#include "textbook_values.hpp"

namespace cow_bench {

[[nodiscard]] inline Reading reading(Verdict verdict, const std::string& text) {
  switch (verdict) {
    case Verdict::holds: return {verdict, "It holds: " + text};
    case Verdict::in_part: return {verdict, "It holds in part: " + text};
    case Verdict::fails: break;
  }
  return {Verdict::fails, "It does not hold here: " + text};
}

/// "0.26 (handler) and 0.27 (kernel)", or the first alone where this kernel has no mechanism.
[[nodiscard]] inline std::string both(const std::string& handler,
                                      const std::optional<std::string>& kernel) {
  std::string text = handler + " (handler)";
  if (kernel) text += " and " + *kernel + " (kernel)";
  return text;
}

/// The same for ratios to `other`.
[[nodiscard]] inline std::string both_ratios(const Ways& ways, double other) {
  std::optional<std::string> kernel;
  if (ways.kernel) kernel = ratio_text(*ways.kernel / other);
  return both(ratio_text(ways.handler / other), kernel);
}

/// The dearer one of the two mechanisms.
[[nodiscard]] inline double worse(const Ways& ways) {
  return ways.kernel && *ways.kernel > ways.handler ? *ways.kernel : ways.handler;
}

}  // namespace cow_bench
