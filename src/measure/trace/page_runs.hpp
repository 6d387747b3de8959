#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "trace/format.hpp"

namespace cow::measure {

/// A slot of one of a family's frame files.
struct FrameId {
  std::uint64_t file = 0;
  std::uint64_t slot = 0;

  friend auto operator<=>(const FrameId&, const FrameId&) = default;
};

/// Pages side by side that show frames side by side.
struct PageRun {
  std::uint64_t first_page = 0;
  std::uint64_t page_count = 0;
  FrameId frame;  ///< of the first page; the next has the next slot
  bool writable = false;
};

/// Which frames the pages of a region or snapshot show: the runs of them, in order. A page in no
/// run has no frame and shows zeros. As many runs as there are, whatever the size of the region.
class PageRuns {
 public:
  [[nodiscard]] std::size_t size() const { return runs_.size(); }
  [[nodiscard]] bool empty() const { return runs_.empty(); }

  /// The run that `page` is in, cut to that one page.
  [[nodiscard]] std::optional<PageRun> at(std::uint64_t page) const;

  /// Takes these pages out of their runs and calls `removed` with each piece.
  template <typename Removed>
  void cut(std::uint64_t first_page, std::uint64_t page_count, Removed removed) {
    split_at(first_page);
    split_at(first_page + page_count);
    auto run = runs_.lower_bound(first_page);
    while (run != runs_.end() && run->first < first_page + page_count) {
      removed(run->second);
      run = runs_.erase(run);
    }
  }

  /// Precondition: its pages are in no run.
  void insert(const PageRun& run);

  /// Calls `visit` with each piece of a run within these pages, in order.
  template <typename Visit>
  void for_each_within(std::uint64_t first_page, std::uint64_t page_count, Visit visit) const {
    auto run = runs_.upper_bound(first_page);
    if (run != runs_.begin()) --run;
    for (; run != runs_.end() && run->first < first_page + page_count; ++run) {
      const auto piece = cut_to(run->second, first_page, page_count);
      if (piece.has_value()) visit(*piece);
    }
  }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [first_page, run] : runs_) visit(run);
  }

 private:
  static std::optional<PageRun> cut_to(const PageRun& run, std::uint64_t first_page,
                                       std::uint64_t page_count);
  using Place = std::map<std::uint64_t, PageRun>::iterator;

  void split_at(std::uint64_t page);
  void join_with_next(Place run);

  std::map<std::uint64_t, PageRun> runs_;  ///< by their first page
};

/// The beginning and the end of each piece within which runs of both go on as they began.
[[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> pieces_of(const PageRuns& left,
                                                                             const PageRuns& right);

/// Calls `visit(first_page, page_count)` for pages that `left` does not show just as a read-only
/// copy of `right` would, in order.
template <typename Visit>
void for_each_unlike(const PageRuns& left, const PageRuns& right, Visit visit) {
  for (const auto& [first_page, end] : pieces_of(left, right)) {
    const auto one = left.at(first_page);
    const auto other = right.at(first_page);
    const bool both_show = one.has_value() && other.has_value();
    const bool alike = both_show ? one->frame == other->frame && !one->writable
                                 : !one.has_value() && !other.has_value();
    if (!alike) visit(first_page, end - first_page);
  }
}

}  // namespace cow::measure
