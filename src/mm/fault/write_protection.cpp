#include "mm/fault/write_protection.hpp"

#include <algorithm>
#include <system_error>

#include "base/refusal.hpp"
#include "mm/fault/heat.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/space/table_sharing.hpp"
#include "mm/tables/table_runs.hpp"
#include "os/thread.hpp"

namespace cow {

namespace {

/// Which writable pages are not to be protected.
enum class Spare { leased, leased_and_hot };

bool is_writable(Entry entry) noexcept { return entry.writable(); }

bool is_spared(Entry entry, Spare spare) noexcept {
  return entry.leased() || (spare == Spare::leased_and_hot && entry.hot());
}

class WriteProtection {
 public:
  WriteProtection(AddressSpace& space, Spare spare) noexcept : space_(space), spare_(spare) {}

  /// Protects leaves that lie close together in one call, but for those of which `prepare(Leaf&)`
  /// says that it has done it.
  enum class Together { yes, no };
  template <class Prepare>
  void run(const Prepare& prepare);

  /// Has the kernel protect what is not to be spared in `hull`.
  void protect(PageSpan hull, Spare spare);
  /// The entries say so.
  void close_leaf(Leaf& leaf, HoleFinder& holes) noexcept;

 private:
  void close(PageSpan hull);
  void reopen(PageSpan span) noexcept;
  [[nodiscard]] bool close_in_one(Leaf& leaf, HoleFinder& holes) noexcept;

  AddressSpace& space_;
  Spare spare_;
};

template <class Prepare>
void WriteProtection::run(const Prepare& prepare) {
  // Ranges that lie close together are protected in one call: passing over pages that are
  // read-only already costs the kernel less than another call.
  constexpr PageCount kCloseTogether{4 * kTableEntries};
  PageSpan hull{};
  space_.for_each_writable_leaf([&](Leaf& leaf) {
    if (prepare(leaf) == Together::no) {
      close(hull);
      hull = {};
      return;
    }
    const PageSpan next = hull_of(space_.table(), leaf, is_writable);
    if (!hull.empty() && next.first <= hull.last + kCloseTogether) {
      hull.last = next.last;
      return;
    }
    close(hull);
    hull = next;
  });
  close(hull);
}

void WriteProtection::close(PageSpan hull) {
  protect(hull, Spare::leased);
  // Not one for all: what was a hole when it looked may be touched until it is protected.
  HoleFinder holes(space_.family().frames());
  for (std::uint64_t leaf_index = hull.first.leaf_index();
       leaf_index * kTableEntries < hull.last.value; ++leaf_index) {
    Leaf* const leaf = space_.table().leaf_at(leaf_index);
    if (leaf != nullptr && leaf->writable > 0) close_leaf(*leaf, holes);
  }
}

void WriteProtection::protect(PageSpan hull, Spare spare) {
  note_protection();
  int error = 0;
  const auto protect_span = [&](PageSpan span) {
    if (error == 0) error = space_.range().protect(span, os::Protection::read_only);
  };
  if (spare == Spare::leased && space_.leases().empty() && !hull.empty()) {
    protect_span(hull);
  } else {
    for_each_stretch(
        space_.table(), hull, [&](Entry entry) { return !is_spared(entry, spare); }, protect_span);
  }
  if (error == 0) return;
  reopen(hull);
  throw_refused(error, "mprotect", "a region could not be write-protected to be shared");
}

// The kernel may have protected a part before it refused. Where even this fails, a store does it.
void WriteProtection::reopen(PageSpan span) noexcept {
  for_each_stretch(space_.table(), span, is_writable, [&](PageSpan writable) {
    static_cast<void>(space_.range().make_writable(writable));
  });
}

// A leaf that was written from end to end: without looking at its entries one by one, which for a
// large region would take longer than the kernel takes to protect huge pages.
bool WriteProtection::close_in_one(Leaf& leaf, HoleFinder& holes) noexcept {
  const PageSpan span = space_.table().span_of(leaf.index);
  const auto is_kept = [&](Entry entry) { return is_spared(entry, spare_); };
  if (!space_.leases().empty() || leaf.writable != span.count().value || !leaf.boundaries.none() ||
      std::any_of(leaf.entries.begin(), leaf.entries.end(), is_kept)) {
    return false;
  }
  // Asking what is mapped is ten times as fast as searching the file, and nearly always enough.
  if (leaf.any_never_stored && !space_.range().is_resident(span) &&
      !holes.is_all_data({leaf.entries[0].frame(), span.count()})) {
    return false;
  }
  space_.edit_as_one(leaf, [&](Entry& entry) {
    if (spare_ == Spare::leased_and_hot && entry.store_was_seen()) entry.set_heat(Entry::kWarmest);
    entry.close();
  });
  leaf.any_never_stored = false;
  return true;
}

// The leaf's pages are read-only now, but for those to spare. Where a window of zero pages was
// opened, it is time to learn which of them were touched: the others have no memory behind them.
void WriteProtection::close_leaf(Leaf& leaf, HoleFinder& holes) noexcept {
  if (close_in_one(leaf, holes)) return;
  // Where the snapshot gets copies, the leaf stays the region's own, and begins to count anew.
  leaf.block_faults = {};
  const bool look = leaf.any_never_stored;
  leaf.any_never_stored = false;
  const auto keep_zeros = [&](Entry& entry) {
    if (!look || !entry.never_stored() || holes.is_hole(entry.frame())) return;
    entry.set_never_stored(false);
    entry.set_maybe_clean(true);
  };
  // Of a leaf in which nobody has to look for holes, the pages that were stored to change alone.
  const PageSpan span =
      look ? space_.table().span_of(leaf.index) : hull_of(space_.table(), leaf, is_writable);
  space_.edit(leaf, span, [&](PageIndex, Entry& entry) {
    if (is_spared(entry, spare_)) return;
    const bool found_stored = entry.writable() && entry.store_was_seen();
    entry.set_writable(false);
    keep_zeros(entry);
    if (spare_ == Spare::leased_and_hot && found_stored) entry.set_heat(Entry::kWarmest);
  });
}

// Entries of hot pages stay writable. To hold stores off the kernel lets nobody store to them until
// reopen_hot(), which must follow then, also after an error.
void write_protect_cold(AddressSpace& space, HotPages pages) {
  using Together = WriteProtection::Together;
  space.rollback().stop_following();
  const std::uint32_t round = space.begin_heat_round();
  const std::uint64_t page_in_copies = FaultPrices::copies_of_a_page(space.family().geometry());
  WriteProtection protection(space, Spare::leased_and_hot);
  HoleFinder holes(space.family().frames());
  const auto is_cold = [](Entry entry) {
    return entry.writable() && !is_spared(entry, Spare::leased_and_hot);
  };
  protection.run([&](Leaf& leaf) {
    const PageCount hot{update_heat(leaf, round, pages, page_in_copies, MappedRange::prices())};
    pages.most = pages.most - hot;
    if (pages.stores == HotPages::Stores::held_off || hot == PageCount{0}) return Together::yes;
    // Nobody stores meanwhile: hot pages need no protection.
    if (hot.value == leaf.writable) return Together::no;
    protection.protect(hull_of(space.table(), leaf, is_cold), Spare::leased_and_hot);
    protection.close_leaf(leaf, holes);
    return Together::no;
  });
}

// What the kernel refuses to open becomes read-only: its next store faults, as others do.
void reopen_hot(AddressSpace& space) noexcept {
  const auto is_hot = [](Entry entry) { return entry.hot() && !entry.leased(); };
  space.for_each_writable_leaf([&](Leaf& leaf) {
    for_each_stretch(
        space.table(), hull_of(space.table(), leaf, is_hot), is_hot, [&](PageSpan run) {
          if (space.range().make_writable(run) == 0) return;
          space.edit(leaf, run, [](PageIndex, Entry& entry) { entry.set_writable(false); });
          space.protect_again(leaf, run);
        });
  });
}

// What a snapshot copies while stores may wait for it: about as long as protecting a tenth of a
// large region takes.
constexpr std::size_t kMostHotBytes = std::size_t{16} << 20;

HotPages hot_pages_for(HotPolicy policy, Family& family) noexcept {
  using Stores = HotPages::Stores;
  if (policy == HotPolicy::copy_unprotected) return {family.pages(), Stores::none_promised};
  // Reserved frames are there for the stores to come.
  const bool may_copy = policy == HotPolicy::copy && !family.reads_snapshots() &&
                        family.frames().backing() != Backing::reserved;
  return {may_copy ? family.geometry().pages_for(kMostHotBytes) : PageCount{0},
          os::is_only_thread() ? Stores::none : Stores::held_off};
}

}  // namespace

void write_protect(AddressSpace& space) {
  using Together = WriteProtection::Together;
  space.rollback().stop_following();
  WriteProtection(space, Spare::leased).run([](Leaf&) { return Together::yes; });
}

// Stores to hot pages wait in the fault handler until all of them are copied: a consistent cut.
PageCount share_but_hot_pages(AddressSpace& space, PageTable& empty, HotPolicy policy) {
  if (const HotPages hot = hot_pages_for(policy, space.family()); hot.most > PageCount{0}) {
    const auto let_stores_in = [&] {
      if (hot.stores == HotPages::Stores::held_off) reopen_hot(space);
    };
    try {
      write_protect_cold(space, hot);
      const PageCount copied = share_table(space, empty);
      let_stores_in();
      return copied;
    } catch (const std::system_error&) {
      let_stores_in();  // there is no memory for the copies, perhaps: sharing takes none
    } catch (...) {
      let_stores_in();
      throw;
    }
  }
  write_protect(space);
  return share_table(space, empty);
}

void reopen_own(AddressSpace& space, Leaf& leaf) noexcept {
  const FrameStore& frames = space.family().frames();
  const PageSpan span = space.table().span_of(leaf.index);
  const auto sole = [&](PageIndex page) { return frames.is_sole_owner(leaf[page]); };
  for_each_stretch(span, sole, [&](PageSpan run) {
    if (space.range().make_writable(run) != 0) {
      space.protect_again(leaf, run);
      return;
    }
    space.edit(leaf, run, [](PageIndex, Entry& entry) { entry.set_writable(true); });
    leaf.find_never_stored();
  });
}

}  // namespace cow
