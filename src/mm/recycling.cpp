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
  return keeps_ && may_be_taken && !extent.foreign && backing_ == Backing::on_store &&
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
  std::uint32_t last = SlotState::kEndOfList;
  packed.next_recycled = SlotState::kEndOfList;
  const std::uint64_t groups = packed.kept.size();
  for (std::uint64_t g = packed.kept.next(0); g < groups; g = packed.kept.next(g + 1)) {
    const PageSpan slots = slots_of_group(g);
    slots_looked_at_ += slots.count().value;
    for (PageIndex at = slots.first; at < slots.last; ++at) {
      if (!packed.slots[at.value].recycled()) continue;
      const auto now = static_cast<std::uint32_t>(at.value);
      packed.slots[now].recycle(SlotState::kEndOfList);
      if (last == SlotState::kEndOfList) {
        packed.next_recycled = now;
      } else {
        packed.slots[last].recycle(now);
      }
      last = now;
    }
  }
}

void FrameStore::order_recycled(PageCount wanted) noexcept {
  if (recycled_ == 0 || wanted.value < slots_.value / kWorthALook * packed_.size()) return;
  for (const ExtentId id : packed_) link_all_recycled(mutable_extent(id));
}

PageSpan FrameStore::slots_of_group(std::uint64_t group) const noexcept {
  const std::uint64_t first = group * Extent::kGroupSlots;
  return {{first}, {std::min(first + Extent::kGroupSlots, slots_.value)}};
}

// From `from` on, until the piece is used up. Returns where it ended.
PageIndex FrameStore::punch_free(ExtentId id, PageIndex from, SlotTest test,
                                 Piece& piece) noexcept {
  Extent& of = mutable_extent(id);
  const PageIndex end{slots_.value};
  PageIndex at = from;
  while (at < end && !piece.is_used_up()) {
    const std::uint64_t here = at.value / Extent::kGroupSlots;
    // Reserved memory lies behind every slot, whether it was taken or not.
    const std::uint64_t group = backing_ == Backing::reserved ? here : of.kept.next(here);
    if (group == of.kept.size()) return end;
    const PageSpan slots = slots_of_group(group);
    at = punch_in_group(id, {std::max(at, slots.first), slots.last}, test, piece);
    const bool is_cleared = std::none_of(of.slots + slots.first.value, of.slots + slots.last.value,
                                         &SlotState::keeps_frame);
    if (is_cleared) of.kept.clear(group);
  }
  return at;
}

// One call for each stretch: holes in between go along.
PageIndex FrameStore::punch_in_group(ExtentId id, PageSpan slots, SlotTest test,
                                     Piece& piece) noexcept {
  const Extent& of = extent(id);
  PageIndex at = slots.first;
  while (at < slots.last && !piece.is_used_up()) {
    if (!test(of.slots[at.value])) {
      ++at;
      continue;
    }
    PageSpan span{at, at};
    std::uint64_t frames = 0;
    for (; at < slots.last && frames < piece.frames(); ++at) {
      const SlotState slot = of.slots[at.value];
      if (!test(slot) && !slot.is_hole()) break;
      if (!test(slot)) continue;
      span.last = at + kOnePage;
      ++frames;
    }
    punch_span(id, span);
    piece.use_frames(frames);
  }
  const std::uint64_t looks = (at - slots.first).value;
  piece.use_looks(looks);
  slots_looked_at_ += looks;
  return at;
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

std::uint64_t FrameStore::give_back_recycled(std::uint64_t most, Piece& piece) noexcept {
  const std::uint64_t before = recycled_;
  const auto given = [&] { return before - recycled_; };
  const auto give_back_of = [&](bool idle_ones) {
    for (std::uint32_t i = 0; i < extents_.size() && given() < most && !piece.is_used_up(); ++i) {
      const Extent& from = extents_[i];
      const bool is_idle = from.used == 0 && from.owner == nullptr && !from.packed;
      if (from.recycled == 0 || is_idle != idle_ones) continue;
      if (from.packed) {
        give_back_listed({i}, most - given(), piece);
      } else {
        Piece rest = piece.at_most(most - given());
        punch_free({i}, PageIndex{0}, &SlotState::is_recycled, rest);
        piece.use_frames(piece.frames() - rest.frames());
      }
    }
  };
  give_back_of(true);  // nobody can be just about to take these
  give_back_of(false);
  unneeded_ -= std::min(unneeded_, given());
  return given();
}

// In the order of the list, which leads from neighbour to neighbour where it can.
std::uint64_t FrameStore::give_back_listed(ExtentId id, std::uint64_t most, Piece& piece) noexcept {
  Extent& packed = mutable_extent(id);
  std::uint64_t given = 0;
  while (packed.recycled > 0 && given < most && !piece.is_used_up()) {
    const PageIndex first{packed.next_recycled};
    const std::uint64_t limit = std::min(most - given, piece.frames());
    PageSpan span{first, first};
    std::uint32_t next = packed.next_recycled;
    while (span.last.value == next && span.count().value < limit) {
      next = packed.slots[next].next_recycled();
      ++span.last;
    }
    const std::uint64_t frames = span.count().value;
    slots_looked_at_ += frames;
    piece.use_frames(frames);
    if (!punch_span(id, span)) break;
    packed.next_recycled = next;
    given += frames;
  }
  return given;
}

std::uint64_t FrameStore::surplus() const noexcept {
  const std::uint64_t beyond_use = recycled_ > used_ ? recycled_ - used_ : 0;
  return std::max(beyond_use, std::min(unneeded_, recycled_));
}

void FrameStore::age_recycled() noexcept {
  if (recycled_ == 0 || ++age_ < kControlCallsToKeep) return;
  age_ = 0;
  unneeded_ = os::is_memory_short() ? recycled_ : fewest_recycled_;
  fewest_recycled_ = recycled_;
}

}  // namespace cow
