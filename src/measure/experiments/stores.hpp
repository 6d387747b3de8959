#pragma once

// Which pages a workload stores to, in what order, and the store itself. docs/bench-workloads.md
// says the same in words: whoever changes one changes both.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace cow::measure {

inline constexpr std::size_t kib = std::size_t{1} << 10;
inline constexpr std::size_t mib = std::size_t{1} << 20;
inline constexpr std::size_t gib = std::size_t{1} << 30;

/// Indices of pages, in the order in which they are stored to.
using PageOrder = std::vector<std::size_t>;

/// Orders in which all pages are stored to, each once; a share of the pages is a beginning of it.
enum class Pattern { sequential, random, strided, zipf, clustered };

inline constexpr Pattern every_pattern[] = {Pattern::sequential, Pattern::random, Pattern::strided,
                                            Pattern::zipf, Pattern::clustered};

/// "sequential": the value of the parameter `pattern`.
[[nodiscard]] std::string_view name_of(Pattern pattern);

/// The first `count` of `pages` in the order of `pattern`: distinct pages, the same for the same
/// seed, which sequential and strided stores have no use for.
[[nodiscard]] PageOrder pages_of(Pattern pattern, std::size_t pages, std::size_t count,
                                 std::uint64_t seed);

/// `share` of `pages`, rounded down, at least one.
[[nodiscard]] std::size_t share_of(std::size_t pages, double share);

/// `count` distinct pages of `pages` anywhere, in any order; the same for the same seed. Cost:
/// O(count), not O(pages), unless they are most of the pages.
[[nodiscard]] PageOrder distinct_pages(std::size_t pages, std::size_t count, std::uint64_t seed);

/// One word, `value`, in the middle of a page of the host: an ordinary store of the program.
inline void store_to(std::span<std::byte> bytes, std::size_t page, std::size_t page_bytes,
                     std::uint64_t value) {
  auto* word = reinterpret_cast<std::uint64_t*>(bytes.data() + page * page_bytes + page_bytes / 2);
  *static_cast<volatile std::uint64_t*>(word) = value;
}

/// The same to each of `pages`, one after the other.
inline void store_to_each(std::span<std::byte> bytes, std::span<const std::size_t> pages,
                          std::size_t page_bytes, std::uint64_t value) {
  for (const std::size_t page : pages) {
    store_to(bytes, page, page_bytes, value);
  }
}

}  // namespace cow::measure
