#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "demo/record/step.hpp"

namespace cow::demo {

/// What is wrong with the counts of a miniature.
enum class CountBug {
  none,
  clone_does_not_count,  ///< a count is too low
  drop_does_not_count,   ///< a count is too high
};

/// What a miniature came to.
struct MiniatureReport {
  std::vector<RegionView> regions;
  unsigned a = 0;  ///< the first byte of A, as a load finds it
  unsigned b = 0;  ///< of B, while it was there
  unsigned c = 0;  ///< of C, while it was there
  std::size_t frames_in_use = 0;
  std::size_t pages_copied = 0;
};

/// What happens in it, after A was filled with 'a' and B made of it.
enum class MiniatureStory {
  b_stores,        ///< 'B' to the first page of B
  b_goes_c_comes,  ///< B is dropped, C is made and filled with 'C'
  b_goes_a_stores  ///< B is dropped, 'A' is stored to the first page of A
};

/// Copy-on-write in a hundred lines: a file of frames, counts, and a handler of SIGSEGV. Takes the
/// process's SIGSEGV: for a child process that ends afterwards. Throws std::system_error.
[[nodiscard]] MiniatureReport run_miniature(CountBug bug, MiniatureStory story);

}  // namespace cow::demo
