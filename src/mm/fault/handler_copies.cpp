#include "mm/fault/handler_copies.hpp"

#include <algorithm>

#include "base/immortal.hpp"
#include "mm/fault/discarding.hpp"
#include "mm/fault/gathering.hpp"
#include "mm/fault/holding_still.hpp"
#include "mm/fault/restoring.hpp"
#include "mm/fault/write_fault.hpp"
#include "mm/fault/write_protection.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/address_space.hpp"
#include "mm/space/rollback.hpp"

namespace cow {

namespace {

constinit Costs g_costs{
    {5'300, 52'500}, {27'800, 6'300}, {2'600, 2'700}, {190, 5'200}, {600'000, 3'000}};

class HandlerCopies final : public CopyOnWrite {
 public:
  [[nodiscard]] bool stores_fault() const noexcept override { return true; }
  [[nodiscard]] Costs& costs() const noexcept override { return g_costs; }
  [[nodiscard]] FaultOutcome resolve(AddressSpace& space, PageIndex page, FaultSteps* steps,
                                     WaitingForSave& waiting) const noexcept override {
    return resolve_write_fault(space, page, steps, waiting);
  }

  void begin(AddressSpace&) const override {}
  void keep_stores_off(AddressSpace& space) const override { write_protect(space); }
  [[nodiscard]] PageCount share_with_snapshot(AddressSpace& space, PageTable& empty,
                                              HotPolicy policy) const override {
    return share_but_hot_pages(space, empty, policy);
  }
  // Stores wait for the lock.
  [[nodiscard]] const std::byte* held_bytes(const AddressSpace& space,
                                            PageIndex page) const noexcept override {
    return space.address(page);
  }
  void let_stores_in(AddressSpace& space,
                     const MetadataArray<std::uint64_t>& leaves) const noexcept override {
    for (const std::uint64_t leaf : leaves) reopen_own(space, *space.table().leaf_at(leaf));
  }
  [[nodiscard]] bool opens_own_pages() const noexcept override { return true; }
  [[nodiscard]] bool show_table(AddressSpace& region, std::uint64_t runs) const override {
    return region.show_table(runs);
  }
  void bring_together(AddressSpace& space) const noexcept override { cow::bring_together(space); }
  void restore(AddressSpace& space, const PageTable& snapshot) const override {
    if (!restore_round(space, snapshot)) restore_what_differs(space, snapshot);
  }
  [[nodiscard]] bool show_zeros(AddressSpace& space, PageSpan span) const override {
    return cow::show_zeros(space, span);
  }
  [[nodiscard]] UnseenStores find_unseen_stores(AddressSpace&, PageSpan,
                                                const FoundPages&) const noexcept override {
    return {};
  }
  // What a window has opened is writable, and as good as stored to.
  [[nodiscard]] bool is_untouched(Entry, HoleFinder&) const noexcept override { return false; }
  [[nodiscard]] bool spares_sole_owners() const noexcept override { return true; }
  [[nodiscard]] std::size_t bytes_beside_frames(const AddressSpace&) const override { return 0; }

  void hold_still(AddressSpace& space, PageSpan span) const override {
    own_pages(space, span);
    mark_leased(space, span, true);
  }
  void let_go(AddressSpace& space, PageSpan span) const noexcept override {
    mark_leased(space, span, false);
    for (const PageSpan other : space.leases()) {
      const PageSpan both{std::max(span.first, other.first), std::min(span.last, other.last)};
      if (!both.empty()) mark_leased(space, both, true);
    }
  }
  void become_child(AddressSpace& space) const override {
    show_leased_pages(space);
    space.prepare_to_be_seen();
    for (const PageSpan lease : space.leases()) hold_still(space, lease);
  }
};

}  // namespace

const CopyOnWrite& handler_copies() noexcept { return immortal<HandlerCopies>(); }

}  // namespace cow
