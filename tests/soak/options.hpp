// What the command line of cow_soak can choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace soak {

struct Options {
  double minutes = 1;
  std::uint64_t faults = 0;  ///< it goes on until there were so many
  std::size_t threads = 8;
  std::uint64_t seed = 0;
  std::vector<std::string> without;  ///< words in the names of operations that are left out
  std::string json;                  ///< file for the figures; none if empty
};

inline constexpr std::size_t most_threads = 64;  // their counters must fit into one page

}  // namespace soak
