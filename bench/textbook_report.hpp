#pragma once

// The textbook's claims with their evidence, for people and as JSON.

#include <string>
#include <vector>

#include "textbook.hpp"

namespace cow_bench {

/// What came of one claim.
struct Outcome {
  const TextbookClaim* claim = nullptr;
  Evidence evidence{};
  std::string failed{};  ///< why nothing could be measured; empty if it was
  double seconds = 0;
};

/// The machine, and what a reader has to know of this run.
[[nodiscard]] std::string textbook_heading();

/// `number` in front. No line is longer than 80 columns.
[[nodiscard]] std::string as_text(const Outcome& outcome, std::size_t number);

[[nodiscard]] std::string as_json(const std::vector<Outcome>& outcomes);

/// The words of `text` in lines of at most 80 columns. The first begins with `indent`, the others
/// with as many spaces.
[[nodiscard]] std::string wrapped(const std::string& text, const std::string& indent);

}  // namespace cow_bench
