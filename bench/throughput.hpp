#pragma once

// Work on memory that is simply there. The same functions run over a region whose pages are all
// private and over plain memory; any difference is what the mapping costs.

#include <cstddef>
#include <cstdint>

namespace cow_bench {

/// Writes every word, in order.
void write_stream(std::byte* first, std::size_t bytes, std::uint64_t value);

/// Sums every word, in order.
[[nodiscard]] std::uint64_t read_stream(const std::byte* first, std::size_t bytes);

/// `count` times: adds to one word anywhere. `bytes` is a power of two.
void update_randomly(std::byte* first, std::size_t bytes, std::size_t count, std::uint64_t seed);

}  // namespace cow_bench
