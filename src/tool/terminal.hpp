#pragma once

#include <cstddef>
#include <cstdio>

namespace cow::tool {

/// What is at the other end of an output.
struct Terminal {
  std::size_t columns = 80;
  std::size_t rows = 0;   ///< 0: no end, a file or a pipe
  bool can_wait = false;  ///< somebody sits there who can press a key

  /// The terminal of `file`, or what a file or a pipe gets.
  [[nodiscard]] static Terminal of(std::FILE* file);
};

}  // namespace cow::tool
