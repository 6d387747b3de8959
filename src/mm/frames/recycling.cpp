#include "mm/frames/recycling.hpp"

#include <algorithm>
#include <atomic>
#include <functional>

#include "os/frame_file.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

// What none of so many control calls needed goes back. Long enough for a program that keeps some
// snapshots and drops the oldest; short enough that memory is not held for what was done once.
constexpr std::uint64_t kControlCallsToKeep = 64;

// Frames side by side are filled by one call, which spares a third of the price of each. That is
// worth a look at so many others.
constexpr std::uint64_t kWorthALook = 256;

// How much of the machine's memory all families together may keep: beyond, others would feel it.
constexpr std::uint64_t kShareOfMemory = 16;

std::atomic<std::uint64_t> g_recycled_bytes{0};

}  // namespace

Recycling::Recycling(PageGeometry geometry, Backing backing, Extents& extents) noexcept
    : geometry_(geometry),
      backing_(backing),
      extents_(extents),
      bytes_limit_(os::memory_bytes() / kShareOfMemory) {}

bool Recycling::keep(Extent& extent, PageIndex slot) noexcept {
  if (!may_keep(extent, slot)) return false;
  extent.slots[slot.value].recycle();
  extent.note_kept(slot);
  count(extent, 1);
  return true;
}

// A clone that was overwritten and dropped leaves as many frames as its region has: that many are
// worth keeping for the next one. So a family may keep as many as it has in use.
bool Recycling::may_keep(const Extent& extent, PageIndex slot) const noexcept {
  // Room for the list of a packed extent; a home's slots are found by their place.
  if (extent.packed && slot.value >= SlotState::kEndOfList) return false;
  // A closed home is taken again only when nobody shows a frame of it.
  const bool may_be_taken = extent.packed || extent.closing || extent.owner != nullptr;
  return keeps_ && may_be_taken && !extent.foreign && backing_ == Backing::on_store &&
         !extent.slots[slot.value].may_be_hole() && frames_ < extents_.used &&
         g_recycled_bytes.load(std::memory_order_relaxed) + geometry_.page_bytes() <= bytes_limit_;
}

void Recycling::count(Extent& extent, std::int64_t change) noexcept {
  extent.recycled += static_cast<std::uint64_t>(change);
  frames_ += static_cast<std::uint64_t>(change);
  fewest_ = std::min(fewest_, frames_);
  g_recycled_bytes.fetch_add(static_cast<std::uint64_t>(change) * geometry_.page_bytes(),
                             std::memory_order_relaxed);
}

void Recycling::forget() noexcept {
  for (Extent& extent : extents_.all) count(extent, -static_cast<std::int64_t>(extent.recycled));
  unneeded_ = 0;
}

bool Recycling::has_listed(PageCount count) const noexcept {
  if (frames_ < count.value) return false;
  std::uint64_t listed = 0;
  for (const ExtentId id : extents_.packed) {
    listed += extents_[id].recycled;
    if (listed >= count.value) return true;
  }
  return false;
}

FrameRun Recycling::unlist(PageCount most) noexcept {
  if (frames_ == 0) return {};
  for (const ExtentId id : extents_.packed) {
    Extent& packed = extents_[id];
    if (packed.recycled == 0) continue;
    const PageIndex first{packed.next_recycled};
    PageIndex at = first;
    while (at - first < most && at.value == packed.next_recycled) {
      packed.next_recycled = packed.slots[at.value].next_recycled();
      ++at;
    }
    return {{id, first}, at - first};
  }
  return {};
}

// From the last to the first, so that they are taken in ascending order again.
void Recycling::list(Extent& packed, PageSpan slots) noexcept {
  for (PageIndex next = slots.last; next > slots.first; next = next - kOnePage) {
    const PageIndex at = next - kOnePage;
    if (!packed.slots[at.value].recycled()) continue;
    packed.slots[at.value].recycle(packed.next_recycled);
    packed.next_recycled = static_cast<std::uint32_t>(at.value);
  }
}

void Recycling::list_all(Extent& packed) noexcept {
  std::uint32_t last = SlotState::kEndOfList;
  packed.next_recycled = SlotState::kEndOfList;
  const std::uint64_t groups = packed.kept.size();
  for (std::uint64_t g = packed.kept.next(0); g < groups; g = packed.kept.next(g + 1)) {
    const PageSpan slots = slots_of_group(g);
    extents_.slots_looked_at += slots.count().value;
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

void Recycling::order(PageCount wanted) noexcept {
  const std::uint64_t fewest = extents_.slots.value / kWorthALook * extents_.packed.size();
  if (frames_ == 0 || wanted.value < fewest) return;
  for (const ExtentId id : extents_.packed) list_all(extents_[id]);
}

PageSpan Recycling::slots_of_group(std::uint64_t group) const noexcept {
  const std::uint64_t first = group * Extent::kGroupSlots;
  return {{first}, {std::min(first + Extent::kGroupSlots, extents_.slots.value)}};
}

PageIndex Recycling::punch(ExtentId id, PageIndex from, SlotTest test, Piece& piece) noexcept {
  Extent& of = extents_[id];
  const PageIndex end{extents_.slots.value};
  PageIndex at = from;
  while (at < end && !piece.is_used_up()) {
    const std::uint64_t here = at.value / Extent::kGroupSlots;
    // Reserved memory lies behind every slot, whether it was taken or not.
    const std::uint64_t group = backing_ == Backing::reserved ? here : of.kept.next(here);
    if (group == of.kept.size()) return end;
    const PageSpan slots = slots_of_group(group);
    at = punch_in_group(of, {std::max(at, slots.first), slots.last}, test, piece);
    const bool is_cleared = std::none_of(of.slots + slots.first.value, of.slots + slots.last.value,
                                         std::mem_fn(&SlotState::keeps_frame));
    if (is_cleared) of.kept.clear(group);
  }
  return at;
}

// One call for each stretch: holes in between go along.
PageIndex Recycling::punch_in_group(Extent& of, PageSpan slots, SlotTest test,
                                    Piece& piece) noexcept {
  PageIndex at = slots.first;
  while (at < slots.last && !piece.is_used_up()) {
    if (!(of.slots[at.value].*test)()) {
      ++at;
      continue;
    }
    PageSpan span{at, at};
    std::uint64_t frames = 0;
    for (; at < slots.last && frames < piece.frames(); ++at) {
      const SlotState slot = of.slots[at.value];
      const bool passes = (slot.*test)();
      if (!passes && !slot.is_hole()) break;
      if (!passes) continue;
      span.last = at + kOnePage;
      ++frames;
    }
    punch_span(of, span);
    piece.use_frames(frames);
  }
  const std::uint64_t looks = (at - slots.first).value;
  piece.use_looks(looks);
  extents_.slots_looked_at += looks;
  return at;
}

bool Recycling::punch_span(Extent& of, PageSpan span) noexcept {
  const os::FileOffset start{of.start.bytes + geometry_.offset(span.first)};
  if (!os::punch_frames(of.file, start, geometry_.bytes(span.count()))) return false;
  for (PageIndex at = span.first; at < span.last; ++at) {
    SlotState& slot = of.slots[at.value];
    if (slot.recycled()) count(of, -1);
    if (slot.unpunched()) --of.unpunched;
    slot.make_hole();
  }
  return true;
}

std::uint64_t Recycling::give_back(std::uint64_t most, Piece& piece) noexcept {
  const std::uint64_t before = frames_;
  const auto given = [&] { return before - frames_; };
  const auto give_back_of = [&](bool idle_ones) {
    for (std::uint32_t i = 0; i < extents_.all.size() && given() < most && !piece.is_used_up();
         ++i) {
      Extent& from = extents_[{i}];
      const bool is_idle = from.used == 0 && from.owner == nullptr && !from.packed;
      if (from.recycled == 0 || is_idle != idle_ones) continue;
      if (from.packed) {
        give_back_listed(from, most - given(), piece);
      } else {
        Piece rest = piece.at_most(most - given());
        punch({i}, PageIndex{0}, &SlotState::recycled, rest);
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
std::uint64_t Recycling::give_back_listed(Extent& packed, std::uint64_t most,
                                          Piece& piece) noexcept {
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
    extents_.slots_looked_at += frames;
    piece.use_frames(frames);
    if (!punch_span(packed, span)) break;
    packed.next_recycled = next;
    given += frames;
  }
  return given;
}

std::uint64_t Recycling::surplus() const noexcept {
  const std::uint64_t beyond_use = frames_ > extents_.used ? frames_ - extents_.used : 0;
  return std::max(beyond_use, std::min(unneeded_, frames_));
}

void Recycling::age() noexcept {
  if (frames_ == 0 || ++age_ < kControlCallsToKeep) return;
  age_ = 0;
  unneeded_ = os::is_memory_short() ? frames_ : fewest_;
  fewest_ = frames_;
}

}  // namespace cow
