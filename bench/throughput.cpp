#include "throughput.hpp"

#include <algorithm>
#include <numeric>

namespace cow_bench {

void write_stream(std::byte* first, std::size_t bytes, std::uint64_t value) {
  std::fill_n(reinterpret_cast<std::uint64_t*>(first), bytes / sizeof value, value);
}

std::uint64_t read_stream(const std::byte* first, std::size_t bytes) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(first);
  return std::accumulate(words, words + bytes / sizeof *words, std::uint64_t{0});
}

void update_randomly(std::byte* first, std::size_t bytes, std::size_t count, std::uint64_t seed) {
  auto* words = reinterpret_cast<std::uint64_t*>(first);
  const std::uint64_t mask = bytes / sizeof *words - 1;
  std::uint64_t state = seed | 1U;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;  // Knuth's MMIX
    words[(state >> 29U) & mask] += state;
  }
}

}  // namespace cow_bench
