#include "mm/watch/showing.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "base/refusal.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

bool lies_in(Entry first, PageSpan run, Frame base) noexcept {
  return !first.is_zero_page() && first.frame() == base.after({run.first.value});
}

}  // namespace

int Showing::show(PageSpan span, Entry first) noexcept {
  return map(span, first) ? 0 : store(span, first);
}

bool Showing::map(PageSpan span, Entry first) noexcept {
  if (space_.watched().is_below(span, first.frame()) && space_.watched().drop_copies(span) == 0) {
    return true;
  }
  const std::uint64_t spendable = mapping_budget::spendable();
  const bool may_map = span.count() >= kMappedPages && spendable >= 2 &&
                       space_.range().mappings() + 2 <= WatchedRange::kMostMappings;
  if (!may_map) return false;
  const int error = space_.show(span, first);
  if (error != 0) space_.must_show_again(span, error);
  return error == 0;
}

int Showing::store(PageSpan span, Entry first) noexcept {
  const int error = store_bytes(span, first);
  if (error == 0) space_.watched().note_copies(span);
  return error;
}

int Showing::store_bytes(PageSpan span, Entry first) noexcept {
  const std::size_t bytes = space_.family().geometry().bytes(span.count());
  if (first.is_zero_page()) {
    os::clear_bytes(space_.address(span.first), bytes);
    return 0;
  }
  std::byte* const to = space_.address(span.first);
  const FrameRun run{first.frame(), span.count()};
  if (const std::byte* const in_sight = frames_.in_sight(run)) {
    os::copy_bytes(to, in_sight, bytes);
    return 0;
  }
  const int error = frames_.read(run, to);
  const std::byte* const from = error == 0 || frames_.is_of_users_file(first.frame())
                                    ? nullptr
                                    : frames_.readable(first.frame());
  if (from == nullptr) return error;
  os::copy_bytes(to, from, bytes);  // whatever the kernel had against reading it
  return 0;
}

// The extent whose frames most of the pages show, each at its own slot, if there is one: by a vote
// (Boyer and Moore, 1981) of runs, which weigh as much as they have pages.
Frame Showing::find_base() const noexcept {
  ExtentId base;
  std::uint64_t lead = 0;
  for_each_mapping(space_.table(), [&](PageSpan run, Entry first) {
    const Frame frame = first.frame();
    if (first.is_zero_page() || frame.slot() != run.first) return;
    const std::uint64_t pages = run.count().value;
    if (frame.extent() == base) {
      lead += pages;
    } else if (lead >= pages) {
      lead -= pages;
    } else {
      base = frame.extent();
      lead = pages - lead;
    }
  });
  return base == ExtentId{} ? Frame{} : Frame(base, PageIndex{0});
}

// Runs of so many pages get mappings of their own, such that there are not too many of those.
PageCount Showing::shortest_mapped(Frame base) const noexcept {
  std::array<std::uint64_t, 64> runs_by_length{};
  for_each_mapping(space_.table(), [&](PageSpan run, Entry first) {
    if (lies_in(first, run, base)) return;
    ++runs_by_length[static_cast<std::size_t>(std::bit_width(run.count().value)) - 1];
  });
  const std::uint64_t most =
      std::min<std::uint64_t>(WatchedRange::kMostMappings, mapping_budget::spendable()) / 2;
  std::uint64_t mapped = 0;
  std::size_t length = runs_by_length.size();
  const auto fewest = static_cast<std::size_t>(std::bit_width(kMappedPages.value)) - 1;
  while (length > fewest && mapped + runs_by_length[length - 1] < most) {
    mapped += runs_by_length[--length];
  }
  return PageCount{length >= 63 ? ~std::uint64_t{0} : std::uint64_t{1} << length};
}

bool Showing::show_all() {
  const PageTable& table = space_.table();
  const Frame base = find_base();
  if (base == Frame{}) return false;
  const PageCount mapped = shortest_mapped(base);
  PageCount stored{0};
  PageSpan hull{PageIndex{table.pages().value}, PageIndex{0}};
  for_each_mapping(table, [&](PageSpan run, Entry first) {
    if (lies_in(first, run, base)) {
      hull = {std::min(hull.first, run.first), run.last};
    } else if (run.count() < mapped && (!first.is_zero_page() || !hull.empty())) {
      stored = stored + run.count();
    }
  });
  if (4 * stored.value > table.pages().value) return false;

  note_protection();
  int error = space_.show(hull, Entry(base.after({hull.first.value})));
  for_each_mapping(table, [&](PageSpan run, Entry first) {
    if (error != 0 || lies_in(first, run, base)) return;
    const bool shows_zeros_already =
        first.is_zero_page() && space_.watched().is_below(run, Frame{});
    if (shows_zeros_already) return;
    error = run.count() >= mapped ? space_.show(run, first) : store(run, first);
  });
  if (error == 0) {
    space_.watched().set_may_be_clean(true);
    return true;
  }
  static_cast<void>(space_.range().map_zeros(space_.all_pages()));
  throw_refused(error, "mmap", "the frames of a region could not be shown to a clone");
}

}  // namespace cow
