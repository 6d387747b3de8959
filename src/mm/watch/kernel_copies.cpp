#include "mm/watch/kernel_copies.hpp"

#include <exception>

#include "base/immortal.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/address_space.hpp"
#include "mm/space/clearing.hpp"
#include "mm/space/space_trace.hpp"
#include "mm/space/table_sharing.hpp"
#include "mm/tables/table_runs.hpp"
#include "mm/watch/filling.hpp"
#include "mm/watch/putting_back.hpp"
#include "mm/watch/settling.hpp"
#include "mm/watch/showing.hpp"
#include "mm/watch/stored_pages.hpp"

namespace cow {

namespace {

constinit Costs g_costs{
    {38'600, 4'300}, {239'000, 3'300}, {66'500, 780}, {180, 1'440}, {600'000, 3'000}};

// Nobody but a snapshot holds stores off.
FaultOutcome wait_for_snapshot(AddressSpace& space, PageIndex page) noexcept {
  using Passage = StoreGate::Passage;
  const Passage passage = space.family().store_gate().let_pass(space, page);
  if (passage == Passage::opened) return {};
  if (passage == Passage::open) return {.was_writable = true, .protections = protections()};
  // The kernel has refused to let stores in again.
  const LeafLock lock(space.family().lock(), space, page.leaf_index());
  const int error = space.range().make_writable(space.all_pages());
  return {.error = error,
          .refused = FaultStep::protect,
          .was_writable = true,
          .protections = protections()};
}

// What the kernel has copied is found only by looking, and does not matter. False if there is no
// memory for page tables that say so: then the zeros are stored.
bool show_zeros_instead(AddressSpace& space, PageSpan span) noexcept {
  Showing showing(space);
  try {
    space.family().ensure_reserve({.tables = 1});
  } catch (const std::exception&) {
    static_cast<void>(showing.store(span, Entry{}));
    return false;
  }
  const auto is_leased = [&](PageIndex page) { return space.is_leased(page); };
  const auto is_free = [&](PageIndex page) { return !space.is_leased(page); };
  // A device may be writing to the very copies under a lease.
  for_each_stretch(span, is_leased,
                   [&](PageSpan leased) { static_cast<void>(showing.store(leased, Entry{})); });
  for_each_stretch(span, is_free,
                   [&](PageSpan free) { static_cast<void>(showing.show(free, Entry{})); });
  return true;
}

class KernelCopies final : public CopyOnWrite {
 public:
  [[nodiscard]] bool stores_fault() const noexcept override { return false; }
  [[nodiscard]] Costs& costs() const noexcept override { return g_costs; }
  [[nodiscard]] FaultOutcome resolve(AddressSpace& space, PageIndex page, FaultSteps*,
                                     WaitingForSave&) const noexcept override {
    return wait_for_snapshot(space, page);
  }

  void begin(AddressSpace& region) const override { begin_filling(region); }
  void keep_stores_off(AddressSpace& space) const override { collect(space, Threads::may_store); }
  [[nodiscard]] PageCount share_with_snapshot(AddressSpace& space, PageTable& empty,
                                              HotPolicy policy) const override {
    collect(space, policy == HotPolicy::copy_unprotected ? Threads::quiescent : Threads::may_store);
    return share_table(space, empty);
  }
  // They go on meanwhile, to pages that are the region's own copies, as no entry needs to say.
  [[nodiscard]] const std::byte* held_bytes(const AddressSpace&,
                                            PageIndex) const noexcept override {
    return nullptr;
  }
  void let_stores_in(AddressSpace&, const MetadataArray<std::uint64_t>&) const noexcept override {}
  [[nodiscard]] bool opens_own_pages() const noexcept override { return false; }
  [[nodiscard]] bool show_table(AddressSpace& region, std::uint64_t) const override {
    const std::uint64_t runs = count_runs(region.table());
    return runs > WatchedRange::kMostMappings ? Showing(region).show_all()
                                              : region.show_table(runs);
  }
  void bring_together(AddressSpace&) const noexcept override {}  // see kMostMappings
  void restore(AddressSpace& space, const PageTable& snapshot) const override {
    restore_watched(space, snapshot);
  }
  [[nodiscard]] bool show_zeros(AddressSpace& space, PageSpan span) const override {
    if (!space.watched().is_filling()) return show_zeros_instead(space, span);
    clear_frames(space, span);
    return false;
  }
  [[nodiscard]] UnseenStores find_unseen_stores(AddressSpace& space, PageSpan within,
                                                const FoundPages& found) const noexcept override {
    if (space.watched().is_filling()) return {};
    StoredPages stored(space, within, StoredPages::Then::leave);
    PageSpan span = stored.next();
    while (!span.empty() && found(span)) span = stored.next();
    return {space.watched().may_be_clean(), stored.error()};
  }
  [[nodiscard]] bool is_untouched(Entry entry, HoleFinder& holes) const noexcept override {
    return entry.never_stored() && (!entry.writable() || holes.is_hole(entry.frame()));
  }
  [[nodiscard]] bool spares_sole_owners() const noexcept override { return false; }
  [[nodiscard]] std::size_t bytes_beside_frames(const AddressSpace& space) const override {
    return space.watched().bytes_copied();
  }

  void hold_still(AddressSpace& space, PageSpan span) const override {
    space.family().frames().check_files();
    if (space.watched().is_filling()) end_filling(space);
    copy_for_device(space, span);  // what a device is told to write to must be no frame
  }
  // What a device wrote since the last look, the next one is to find.
  void let_go(AddressSpace& space, PageSpan span) const noexcept override {
    copy_for_device(space, span);
  }
  void become_child(AddressSpace& space) const override {
    space.watched().watch_anew();
    space.prepare_to_be_seen();
  }

 private:
  static void collect(AddressSpace& space, Threads threads) {
    const TracedCall call;
    const std::uint64_t copied_before = space.counts().pages_copied;
    settle(space, threads);
    call.tell(space, {.kind = trace::EventKind::collected,
                      .pages_copied = space.counts().pages_copied - copied_before});
  }
  static void copy_for_device(AddressSpace& space, PageSpan span) noexcept {
    space.watched().set_may_be_clean(true);
    space.watched().have_copied(span);
  }
};

}  // namespace

const CopyOnWrite& kernel_copies() noexcept { return immortal<KernelCopies>(); }

}  // namespace cow
