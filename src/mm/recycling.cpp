// Frames that nobody references any more and that are kept, with the bytes they held, for whoever
// takes one next. Copying into a frame that exists costs the kernel half of copying into a hole of
// the file, and keeping one spares the call that would punch it.
//
// Nobody ever sees what such a frame held: it is taken only to be filled from end to end, or is
// punched before it can be mapped as zeros (FrameStore::fill, fill_from and show_zeros).

#include <algorithm>
#include <atomic>

#include "mm/frame_store.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

// What none of so many control calls needed goes back. Long enough for a program that keeps some
// snapshots and drops the oldest; short enough that memory is not held for what was done once.
constexpr std::uint64_t kControlCallsToKeep = 64;

// Frames side by side are filled by one call, which spares a third of the price of each. That is
// worth a look at so many others.
constexpr std::uint64_t kWorthALook = 256;

std::atomic<std::uint64_t> g_recycled_bytes{0};

}  // namespace

// A clone that was overwritten and dropped leaves as many frames as its region has: that many are
// worth keeping for the next one. So a family may keep as many as it has in use.
bool FrameStore::may_recycle(const Extent& extent, PageIndex slot) const noexcept {
  // Room for the list of a packed extent; a home's slots are found by their place.
  if (extent.packed && slot.value >= SlotState::kEndOfList) return false;
  // A closed home is taken again only when nobody shows a frame of it.
  const bool may_be_taken = extent.packed || extent.closing || extent.owner != nullptr;
  return may_be_taken && !extent.foreign && backing_ == Backing::on_store &&
         !extent.slots[slot.value].unpunched() && recycled_ < used_ &&
         g_recycled_bytes.load(std::memory_order_relaxed) + geometry_.page_bytes() <=
             recycled_bytes_limit_;
}

void FrameStore::count_recycled(Extent& extent, std::int64_t change) noexcept {
  extent.recycled += static_cast<std::uint64_t>(change);
  recycled_ += static_cast<std::uint64_t>(change);
  fewest_recycled_ = std::min(fewest_recycled_, recycled_);
  g_recycled_bytes.fetch_add(static_cast<std::uint64_t>(change) * geometry_.page_bytes(),
                             std::memory_order_relaxed);
}

FrameRun FrameStore::take_recycled(ExtentId id, PageCount most) noexcept {
  Extent& packed = mutable_extent(id);
  const Frame first(id, {packed.next_recycled});
  PageCount count{0};
  while (count < most && first.after(count).slot().value == packed.next_recycled) {
    packed.next_recycled = state(first.after(count)).next_recycled();
    take(first.after(count));
    count = count + kOnePage;
  }
  packed_free_ -= count.value;
  return {first, count};
}

// From the last to the first, so that they are taken in ascending order again.
void FrameStore::link_recycled(Extent& packed, PageSpan slots) noexcept {
  for (PageIndex next = slots.last; next > slots.first; next = next - kOnePage) {
    const PageIndex at = next - kOnePage;
    if (!packed.slots[at.value].recycled()) continue;
    packed.slots[at.value].recycle(packed.next_recycled);
    packed.next_recycled = static_cast<std::uint32_t>(at.value);
  }
}

void FrameStore::link_all_recycled(Extent& packed) noexcept {
  packed.next_recycled = SlotState::kEndOfList;
  for (std::uint64_t part = 64; packed.recycled > 0 && part-- > 0;) {
    const PageSpan slots{first_of_part(part), first_of_part(part + 1)};
    if (!slots.empty() && (packed.touched & touched_bit(slots.first)) != 0) {
      link_recycled(packed, slots);
    }
  }
}

void FrameStore::order_recycled(PageCount wanted) noexcept {
  if (recycled_ == 0 || wanted.value < slots_.value / kWorthALook * packed_.size()) return;
  for (const ExtentId id : packed_) link_all_recycled(mutable_extent(id));
}

// One call for each stretch: holes in between go along. Returns how many were recycled frames.
std::uint64_t FrameStore::punch_free(ExtentId id, std::uint64_t most, SlotTest test) noexcept {
  Extent& of = mutable_extent(id);
  const std::uint64_t touched = backing_ == Backing::reserved ? ~std::uint64_t{0} : of.touched;
  const PageIndex end{slots_.value};
  std::uint64_t given = 0;
  for (PageIndex at{0}; at < end && given < most;) {
    if ((touched & touched_bit(at)) == 0) {
      at = next_part(at);
      continue;
    }
    if (!test(of.slots[at.value])) {
      ++at;
      continue;
    }
    PageSpan span{at, at};
    std::uint64_t recycled = 0;
    for (; at < end && given + recycled < most && (touched & touched_bit(at)) != 0; ++at) {
      const SlotState slot = of.slots[at.value];
      if (test(slot)) span.last = at + kOnePage;
      if (!test(slot) && !slot.is_hole()) break;
      if (slot.recycled()) ++recycled;
    }
    if (punch_span(id, span)) given += recycled;
  }
  return given;
}

// What cannot be given back stays what it was.
bool FrameStore::punch_span(ExtentId id, PageSpan span) noexcept {
  Extent& of = mutable_extent(id);
  const bool punched = clear({{id, span.first}, span.count()});
  for (PageIndex at = span.first; punched && at < span.last; ++at) {
    SlotState& slot = of.slots[at.value];
    if (slot.recycled()) count_recycled(of, -1);
    if (slot.unpunched()) --of.unpunched;
    slot.make_hole();
  }
  return punched;
}

std::uint64_t FrameStore::give_back_recycled(std::uint64_t most) noexcept {
  std::uint64_t given = 0;
  const auto give_back_of = [&](bool idle_ones) {
    for (std::uint32_t i = 0; i < extents_.size() && given < most; ++i) {
      Extent& from = extents_[i];
      const bool is_idle = from.used == 0 && from.owner == nullptr && !from.packed;
      if (from.recycled == 0 || is_idle != idle_ones) continue;
      given += punch_free({i}, most - given, &SlotState::is_recycled);
      if (from.packed) link_all_recycled(from);
    }
  };
  give_back_of(true);  // nobody can be just about to take these
  give_back_of(false);
  return given;
}

void FrameStore::bound_recycled() noexcept {
  if (recycled_ > used_) give_back_recycled(recycled_ - used_);
}

void FrameStore::age_recycled() noexcept {
  if (recycled_ == 0) return;
  bound_recycled();
  if (++age_ < kControlCallsToKeep) return;
  age_ = 0;
  give_back_recycled(os::is_memory_short() ? recycled_ : fewest_recycled_);
  fewest_recycled_ = recycled_;
}

}  // namespace cow
