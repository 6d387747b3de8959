#include "mm/fault/copy_out.hpp"

#include <cerrno>

#include "base/check.hpp"
#include "mm/space/space_trace.hpp"

namespace cow {

namespace {

// A fault looks through so many versions of a leaf before it decides. Pages that more snapshots
// share are moved like pages that a clone shares. Once it has decided there may be a few more,
// which other faults made while the kernel copied.
constexpr std::uint32_t kMostVersions = Family::kMostVersionsSearched;
constexpr std::uint32_t kAllVersions = ~std::uint32_t{0};

/// Calls `use(Leaf&)` for each other leaf whose entry of `page` has `frame`, those first that
/// `leaf` was copied from, back to the oldest, and then the others from the newest on, until it
/// returns false or has looked at `most` leaves. Returns whether all of them were found and used.
template <class Use>
bool for_each_sharer(const FrameStore& frames, const Leaf& leaf, PageIndex page, Frame frame,
                     std::uint32_t most, const Use& use) noexcept {
  const bool is_own = leaf[page].frame() == frame;
  std::uint32_t missing = frames.references(frame) - (is_own ? 1 : 0);
  std::uint32_t versions = 0;
  for (Leaf* other = leaf.older; missing > 0 && other != &leaf; other = other->older) {
    if (++versions > most) return false;
    if ((*other)[page].frame() != frame) continue;
    if (!use(*other)) return false;
    --missing;
  }
  return missing == 0;
}

// All other leaves whose entry of `page` has `frame` show `to` from now on. Returns how many.
std::uint32_t redirect(AddressSpace& space, Leaf& leaf, PageIndex page, Frame frame,
                       Entry to) noexcept {
  FrameStore& frames = space.family().frames();
  const PageSpan whole = space.table().span_of(leaf.index);
  std::uint32_t redirected = 0;
  for_each_sharer(frames, leaf, page, frame, kAllVersions, [&](Leaf& sharer) {
    edit_leaf(sharer, {page, page + kOnePage}, whole, [&](PageIndex, Entry& entry) {
      // A hole that was looked at since is copied like other pages: still nobody stored to it.
      const bool maybe_clean = entry.maybe_clean() || entry.never_stored();
      entry = to;
      if (!to.is_zero_page()) entry.set_maybe_clean(maybe_clean);
    });
    ++redirected;
    return true;
  });
  return redirected;
}

void copy_out_page(AddressSpace& space, Leaf& leaf, PageIndex page, Entry to) noexcept {
  FrameStore& frames = space.family().frames();
  const Frame frame = leaf[page].frame();
  const std::uint32_t redirected = redirect(space, leaf, page, frame, to);
  if (redirected > 1 && !to.is_zero_page())
    frames.add_references({to.frame(), kOnePage}, redirected - 1);
  frames.drop_references({frame, kOnePage}, redirected);
  COW_CHECK(frames.references(frame) == 1);  // else somebody saw it: see can_copy_out()
}

}  // namespace

bool can_copy_out(const AddressSpace& space, const Leaf& leaf, PageIndex page) noexcept {
  return !leaf[page].is_zero_page() && can_merge_back(space, leaf, page, leaf[page].frame());
}

bool can_merge_back(const AddressSpace& space, const Leaf& leaf, PageIndex page,
                    Frame frame) noexcept {
  const Family& family = space.family();
  const FrameStore& frames = space.family().frames();
  if (frames.is_foreign(frame)) return false;
  return for_each_sharer(frames, leaf, page, frame, kMostVersions, [&](const Leaf& sharer) {
    return !family.shown_elsewhere(sharer, space.shown());
  });
}

void merge_back(AddressSpace& space, Leaf& leaf, PageIndex page, Frame frame) noexcept {
  FrameStore& frames = space.family().frames();
  COW_CHECK(can_merge_back(space, leaf, page, frame));
  const Entry entry = leaf[page];
  const std::uint32_t redirected = redirect(space, leaf, page, frame, Entry(entry.frame()));
  frames.add_references({entry.frame(), kOnePage}, redirected);
  frames.drop_references({frame, kOnePage}, redirected);
}

CopiedOut copy_out(AddressSpace& space, Leaf& leaf, PageSpan window, PageIndex stored_to,
                   LeafLock& lock) noexcept {
  FrameStore& frames = space.family().frames();
  const auto is_shared = [&](PageIndex page) {
    return !leaf[page].writable() && frames.references(leaf[page].frame()) > 1;
  };
  CopiedOut result;
  for (PageIndex page = window.first; page < window.last;) {
    if (!is_shared(page)) {
      ++page;
      continue;
    }
    if (leaf[page].never_stored()) {  // a hole: the snapshots get a zero page
      tell_snapshots_lose(space.family(), page, leaf[page].frame());
      copy_out_page(space, leaf, page, Entry{});
      ++page;
      continue;
    }
    PageIndex end = page;
    while (end < window.last && is_shared(end) && !leaf[end].never_stored()) ++end;
    const FrameRun copies = frames.take_packed(end - page);
    if (copies.count == PageCount{0}) return {ENOSPC, result.pages};
    const std::byte* const source = space.address(page);
    const int refusal = lock.aside([&] { return frames.write(copies, source); });
    result.error = frames.finish_fill(copies, source, refusal);
    if (result.error != 0) {
      frames.drop_references(copies, 1);
      return result;
    }
    const PageSpan copied{page, page + copies.count};
    for (PageCount i{0}; i < copies.count; i = i + kOnePage, ++page) {
      copy_out_page(space, leaf, page, Entry(copies.first.after(i)));
      leaf[page].set_maybe_clean(true);
    }
    tell_snapshots_show(space.family(), copied, copies.first);
    result.pages += copies.count.value;
  }
  if (window.contains(stored_to)) {
    leaf[stored_to].set_maybe_clean(false);
    leaf[stored_to].set_never_stored(false);
  }
  return result;
}

}  // namespace cow
