#include "mm/fault/fault_plan.hpp"

#include "mm/fault/copy_out.hpp"
#include "mm/fault/window.hpp"

namespace cow {

namespace {

/// What a fault cares for beside its page.
enum class Aim {
  cheap,        ///< that it costs little
  no_mappings,  ///< that the region is in no more pieces afterwards, whatever it costs
};

class Decision {
 public:
  Decision(const AddressSpace& space, const Leaf& leaf, PageIndex page, Aim aim) noexcept
      : space_(space),
        frames_(space.family().frames()),
        leaf_(leaf),
        stays_(can_stay(page) && (aim == Aim::cheap || all_of_run_can_stay(page))) {
    plan_.page = page;
    if (stays_) return;
    plan_.way = FaultPlan::Way::redirect;
    // Where mappings count, those around it that have to move find their slots beside it.
    plan_.target = aim == Aim::cheap ? space.free_home_slot(page) : space.homes().free_slot(page);
  }

  /// What this fault costs beside its copies.
  [[nodiscard]] std::uint64_t price_in_copies() const noexcept {
    const FaultPrices prices = MappedRange::prices();
    if (copies_into_new_frames()) return prices.into_new_frames_in_copies;
    return stays_ ? prices.stay_in_copies : prices.redirect_in_copies;
  }

  /// With as much of `window` around the page as can come along in one piece.
  [[nodiscard]] FaultPlan within(PageSpan window) noexcept {
    PageSpan& span = plan_.window = {plan_.page, plan_.page + kOnePage};
    while (span.last < window.last && can_come_along(span.last)) ++span.last;
    while (window.first < span.first && can_come_along(span.first - kOnePage)) {
      span.first = span.first - kOnePage;
    }
    return plan_;
  }

 private:
  // A page stays where it is if nobody else can see its frame: then either nobody else references
  // it, or only snapshots do that were never mapped, and their copy can be kept elsewhere.
  [[nodiscard]] bool can_stay(PageIndex page) const noexcept {
    const Entry at = leaf_[page];
    return at.writable() || frames_.is_sole_owner(at) ||
           (space_.may_pack() && can_copy_out(space_, leaf_, page));
  }

  // Where a part of a mapping stays and a part is redirected it falls into pieces. So all of it is
  // redirected: it is in other frames than the target's, and the pages around it in as many pieces
  // as before.
  [[nodiscard]] bool all_of_run_can_stay(PageIndex page) const noexcept {
    const PageSpan leaf = space_.table().span_of(leaf_.index);
    while (page > leaf.first && leaf_[page - kOnePage].joins(leaf_[page])) page = page - kOnePage;
    while (can_stay(page) && page + kOnePage < leaf.last &&
           leaf_[page].joins(leaf_[page + kOnePage])) {
      ++page;
    }
    return can_stay(page);
  }

  // A neighbour can show the frame beside the target if that is free, or shows it already.
  [[nodiscard]] bool can_come_along(PageIndex page) const noexcept {
    if (stays_) return can_stay(page);
    if (plan_.target == Frame{}) return false;
    const Entry at = leaf_[page];
    if (!plan_.redirects(page, at)) return at.writable() || frames_.is_sole_owner(at);
    return !at.writable() && frames_.is_free(plan_.target_of(page));
  }

  // As the frame for the page is, so are most beside it. Reserved frames were filled beforehand.
  [[nodiscard]] bool copies_into_new_frames() const noexcept {
    if (frames_.backing() == Backing::reserved) return false;
    if (stays_ && frames_.is_sole_owner(leaf_[plan_.page]))
      return false;  // there is nothing to copy
    const bool packs = stays_ || plan_.target == Frame{};
    return packs ? !frames_.recycling().has_listed({kBlockPages})
                 : !frames_.state(plan_.target).recycled();
  }

  const AddressSpace& space_;
  const FrameStore& frames_;
  const Leaf& leaf_;
  bool stays_;
  FaultPlan plan_;
};

}  // namespace

FaultPlan decide(const AddressSpace& space, const Leaf& leaf, PageIndex page) noexcept {
  const MappingShortage shortage = mapping_budget::shortage();
  Decision decision(space, leaf, page, shortage.block_pages > 0 ? Aim::no_mappings : Aim::cheap);
  return decision.within(choose_window(space, leaf, page, decision.price_in_copies(), shortage));
}

FaultPlan decide_alone(const AddressSpace& space, const Leaf& leaf, PageIndex page) noexcept {
  return Decision(space, leaf, page, Aim::cheap).within({page, page + kOnePage});
}

FaultPlan decide_for_leaf(const AddressSpace& space, const Leaf& leaf, PageIndex page) noexcept {
  return Decision(space, leaf, page, Aim::no_mappings).within(space.open_pages_of(leaf.index));
}

}  // namespace cow
