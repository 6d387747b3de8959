#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <cow/region.hpp>

#include "base/check.hpp"
#include "tool/byte_check.hpp"

namespace cow::tool {

/// What one clone and its edits cost.
struct CloneCost {
  std::uint64_t clone_ns = 0;
  std::uint64_t edit_ns = 0;
  std::size_t memory_bytes = 0;  ///< frames and page tables that were not in use before

  [[nodiscard]] std::uint64_t total_ns() const { return clone_ns + edit_ns; }
};

enum class Winner { lazy, eager, draw };

/// Lazy against eager for one number of edited pages. Each cost is that of the run whose total
/// was the median one, so that its parts add up.
struct ComparisonRow {
  double fraction = 0;    ///< of the pages, as asked for
  std::size_t pages = 0;  ///< edited: at least one
  CloneCost lazy;
  CloneCost eager;

  /// By total time; within 5 % of each other is a draw.
  [[nodiscard]] Winner winner() const {
    if (ratio() < 1.05) return Winner::draw;
    return lazy.total_ns() < eager.total_ns() ? Winner::lazy : Winner::eager;
  }

  /// How many times as long the slower one took.
  [[nodiscard]] double ratio() const {
    const std::uint64_t less = std::min(lazy.total_ns(), eager.total_ns());
    const std::uint64_t more = std::max(lazy.total_ns(), eager.total_ns());
    return static_cast<double>(more) / static_cast<double>(std::max<std::uint64_t>(less, 1));
  }
};

/// How often each mode is measured for one row.
inline constexpr std::size_t comparison_runs = 5;

/// The shares of the pages that are edited, a row each.
inline constexpr double comparison_fractions[] = {0.001, 0.01, 0.1, 1.0};

inline constexpr std::size_t comparison_min_bytes = std::size_t{64} << 20;

/// What is cloned and edited, and a plain copy of it.
struct ComparisonSubject {
  std::vector<std::byte> plain;
  Region region;

  [[nodiscard]] std::size_t pages() const {
    return (plain.size() + region.page_bytes() - 1) / region.page_bytes();
  }
};

/// `content`, repeated until it is `least_bytes`: clones of a few pages take no time worth
/// comparing. The region is read-only already, as a program that clones again and again finds it.
[[nodiscard]] ComparisonSubject make_comparison_subject(
    std::span<const std::byte> content, std::size_t least_bytes = comparison_min_bytes);

/// Clones `source` lazily and eagerly in turn, `comparison_runs` times, and stores one byte into
/// each of `pages` random pages of both clones: the same bytes in the same order. After each pair
/// of runs every byte of both clones and of `source` is compared with plain copies in `check`.
/// Precondition: `plain` is what `source` holds; 0 < pages <= pages of `source`.
[[nodiscard]] ComparisonRow compare_clones(const Region& source, std::span<const std::byte> plain,
                                           double fraction, std::size_t pages, ByteCheck& check);

/// Pages that `fraction` of `pages` comes to: rounded, at least one. Precondition: pages > 0.
[[nodiscard]] inline std::size_t pages_to_edit(std::size_t pages, double fraction) {
  COW_CHECK(pages > 0);
  const auto rounded = std::llround(static_cast<double>(pages) * fraction);
  return std::clamp<std::size_t>(static_cast<std::size_t>(rounded), 1, pages);
}

}  // namespace cow::tool
