#pragma once

// Where a lazy copy is worth it, in the experiment `share`: in words, of one pattern of stores or
// of all of them.

#include <string>
#include <string_view>
#include <vector>

#include "tool/report/curves.hpp"

namespace cow::tool {

/// At how many shares one mechanism was seen to be cheaper than another, and dearer.
struct SharesSeen {
  std::size_t less = 0;
  std::size_t more = 0;
  std::size_t all = 0;  ///< that were measured of both, often enough to tell
  double first = 0;     ///< of these shares
  double last = 0;

  void add(const Curve& lazy, const Curve& eager);
};

/// "is cheaper than eager copy at every share measured, 1 % to 100 %"; nothing where there is no
/// share.
[[nodiscard]] std::string everywhere_words(const LinePlan& plan, const SharesSeen& seen);

/// One sentence over all patterns: of the first mechanism (kernel, handler, fork) that can be told
/// from an eager copy at all, and why it is not of those before it. Nothing if there is none.
[[nodiscard]] std::string shares_sentence(const std::vector<CurveGroup>& groups);

}  // namespace cow::tool
