#include "mm/control/gap_filler.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

#include "base/refusal.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

// Gaps of 2^i to 2^(i+1) - 1 pages are of one length.
constexpr std::size_t kLengths = 64;
std::size_t length_of(PageSpan gap) noexcept {
  return static_cast<std::size_t>(std::bit_width(gap.count().value)) - 1;
}

}  // namespace

void GapFiller::show() {
  fill_within_leaves();
  std::uint64_t runs = count_runs(space_.table());
  const auto spendable = [&] {
    return std::max(std::min(mapping_budget::spendable(), space_.range().most_mappings()),
                    kFewMappings);
  };
  std::uint64_t most = spendable();
  for (;;) {
    if (runs > most) {
      fill_shortest(runs - most);
      runs = count_runs(space_.table());
    }
    const int error = space_.map_all(runs);
    if (error == 0) return;
    if (error != ENOMEM || runs == 1) {
      throw_refused(error, "mmap", "the frames of a region could not be mapped");
    }
    // Others have taken what we counted on.
    most = std::clamp<std::uint64_t>(runs / 4, 1, spendable());
  }
}

// A leaf that is one run has no gaps.
void GapFiller::fill_within_leaves() {
  for_each_leaf(space_.table(), [&](Leaf& leaf) {
    if (!leaf.boundaries.none()) give_home(leaf, space_.open_pages_of(leaf.index));
  });
}

// Calls `use(PageSpan, std::uint64_t saved)` for each stretch without pages of the home, with how
// many mappings less there will be when it has them. By then the walk has passed the gap.
template <class Use>
void GapFiller::for_each_gap(const Use& use) {
  PageSpan gap{};
  std::uint64_t runs = 0;
  bool after_home = false;
  const auto end_gap = [&](bool before_home) {
    const std::uint64_t joined = runs + (after_home ? 1 : 0) + (before_home ? 1 : 0);
    if (joined > 1) use(gap, joined - 1);
  };
  for_each_mapping(space_.table(), [&](PageSpan run, Entry first) {
    if (is_home(first)) {
      if (runs > 0) end_gap(true);
      runs = 0;
      after_home = true;
      return;
    }
    if (runs++ == 0) gap.first = run.first;
    gap.last = run.last;
  });
  if (runs > 0) end_gap(false);
}

void GapFiller::fill_shortest(std::uint64_t surplus) {
  std::array<std::uint64_t, kLengths> saved_by_length{};
  for_each_gap(
      [&](PageSpan gap, std::uint64_t saved) { saved_by_length[length_of(gap)] += saved; });
  // All shorter ones, and as many of the longest as it takes.
  std::size_t longest = 0;
  for (; longest < kLengths - 1 && saved_by_length[longest] < surplus; ++longest) {
    surplus -= saved_by_length[longest];
  }
  for_each_gap([&](PageSpan gap, std::uint64_t saved) {
    const std::size_t length = length_of(gap);
    if (length > longest || (length == longest && surplus == 0)) return;
    if (length == longest) surplus -= std::min(surplus, saved);
    fill(gap);
  });
}

void GapFiller::fill(PageSpan gap) {
  PageTable& table = space_.table();
  gap.last = std::max(gap.first, std::min(gap.last, space_.open_pages().last));
  for_each_leaf_part(gap, [&](PageSpan part) {
    Leaf& leaf = table.own_leaf(part.first);
    if (frames_.shows_file()) copy_of_file(leaf, part);
    give_home(leaf, part);
  });
}

// The zero pages of `span` get home slots that nobody touches.
void GapFiller::give_home(Leaf& leaf, PageSpan span) {
  const auto is_zero = [&](PageIndex page) { return leaf[page].is_zero_page(); };
  for_each_stretch(span, is_zero, [&](PageSpan zeros) {
    space_.edit(leaf, zeros, [&](PageIndex page, Entry& entry) {
      entry = Entry(home_.after({page.value}));
      entry.set_writable(writable_);
      entry.set_never_stored(true);
      frames_.take(entry.frame());
    });
    if (!frames_.show_zeros({home_.after({zeros.first.value}), zeros.count()})) {
      throw_refused(EIO, "fallocate", "the frames of a region could not be cleared");
    }
  });
}

// Pages of the user's file become zero pages where it has a hole, and copies elsewhere.
void GapFiller::copy_of_file(Leaf& leaf, PageSpan span) {
  const auto is_of_file = [&](PageIndex page) {
    return frames_.is_of_users_file(leaf[page].frame());
  };
  const auto is_hole = [&](PageIndex page) { return holes_.is_hole(leaf[page].frame()); };
  const auto is_alike = [&](PageIndex first, PageIndex page) {
    return is_hole(page) == is_hole(first);
  };
  for_each_stretch(span, is_of_file, is_alike, [&](PageSpan part) {
    const bool hole = is_hole(part.first);
    const FrameRun from{leaf[part.first].frame(), part.count()};
    space_.edit(leaf, part, [&](PageIndex page, Entry& entry) {
      frames_.drop_reference(entry);
      entry = hole ? Entry{} : Entry(home_.after({page.value}));
      if (hole) return;
      entry.set_writable(writable_);
      entry.set_maybe_clean(true);  // a frame of its own, and nobody stored to it
      frames_.take(entry.frame());
    });
    if (!carrier_) carrier_.emplace(space_.family().geometry());
    const int error = hole ? 0 : carrier_->carry(frames_, from, home_.after({part.first.value}));
    if (error != 0) {
      throw_refused(error, "pwrite", "the copy of a region's file could not be made");
    }
  });
}

}  // namespace cow
