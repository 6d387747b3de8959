#include "mm/space/rollback.hpp"

#include <array>
#include <cstring>

#include "mm/space/address_space.hpp"
#include "mm/space/space_trace.hpp"

namespace cow {

namespace {

// Compared and copied piece by piece: most of a page that was stored to is still what it was, and
// a cache line that is not written need not be written back.
constexpr std::size_t kPieceBytes = 256;
constexpr std::array<std::byte, kPieceBytes> kZeros{};

const std::byte* piece_of(const std::byte* past, std::size_t at) noexcept {
  return past == nullptr ? kZeros.data() : past + at;
}

// Of a restore that held no lock. Entries are as they were.
void tell_restored(const TracedCall& call, AddressSpace& space, const PageTable& snapshot,
                   std::uint64_t changed) noexcept {
  if (trace::current() == 0) return;
  const Section section(space.family(), Section::Intent::look);
  call.tell(space,
            {.kind = trace::EventKind::restored, .other = &snapshot, .pages_copied = changed});
}

}  // namespace

bool put_back(std::byte* live, const std::byte* past, std::size_t bytes) noexcept {
  bool changed = false;
  for (std::size_t at = 0; at < bytes; at += kPieceBytes) {
    const std::byte* const then = piece_of(past, at);
    if (std::memcmp(live + at, then, kPieceBytes) == 0) continue;
    std::memcpy(live + at, then, kPieceBytes);
    changed = true;
  }
  return changed;
}

bool RollbackList::follows(const PageTable& snapshot) const noexcept {
  return follows_ && snapshot_ == snapshot.identity();
}

bool RollbackList::reserve_for(const AddressSpace& space) noexcept {
  std::uint64_t writable = 0;
  space.for_each_writable_leaf([&](const Leaf& leaf) { writable += leaf.writable; });
  return pages_before_.reserve(writable) && returning_.reserve(writable) &&
         recent_before_.reserve(recent_.size() + writable) &&
         buffer_.reserve(space.family().geometry().page_bytes());
}

void RollbackList::begin_round() noexcept {
  pages_.swap(pages_before_);
  pages_.clear();
  looked_up_ = 0;
  recent_.swap(recent_before_);
  recent_.clear();
  carried_ = 0;
  returning_.clear();
  needs_tables_ = false;
  ++round_;
}

HotPage* RollbackList::was_hot(PageIndex page) noexcept {
  while (looked_up_ < pages_before_.size() && pages_before_[looked_up_].page < page) ++looked_up_;
  const bool known = looked_up_ < pages_before_.size() && pages_before_[looked_up_].page == page;
  return known ? &pages_before_[looked_up_] : nullptr;
}

bool RollbackList::note_store(PageIndex page) noexcept {
  while (carried_ < recent_before_.size() && recent_before_[carried_].page < page) {
    carry_recent(recent_before_[carried_++]);
  }
  RecentStore now{page, round_, RecentStore::kLongestGap};
  if (carried_ < recent_before_.size() && recent_before_[carried_].page == page) {
    const RecentStore& last = recent_before_[carried_++];
    const std::uint32_t gap = round_ - last.round;
    if (gap <= RecentStore::kLongestGap) now.score += last.score + 1 - gap;
  }
  if (now.score >= RecentStore::kHotScore) return true;
  recent_.push(now);
  return false;
}

void RollbackList::carry_recent(const RecentStore& recent) noexcept {
  if (round_ - recent.round < RecentStore::kLongestGap) recent_.push(recent);
}

void RollbackList::end_round(const PageTable& snapshot, std::uint64_t generation) noexcept {
  while (carried_ < recent_before_.size()) carry_recent(recent_before_[carried_++]);
  is_in_rounds_ = follows(snapshot);
  snapshot_ = snapshot.identity();
  follows_ = true;
  generation_ = generation;
}

bool restore_again(AddressSpace& space, const PageTable& snapshot) noexcept {
  RollbackList& list = space.rollback();
  const Family& family = space.family();
  if (list.needs_tables_ || list.snapshot_ != snapshot.identity() ||
      family.generation() != list.generation_) {
    return false;
  }
  // On a stack that would be put back itself the call is refused, which is not done here.
  const auto* const stack = static_cast<const std::byte*>(__builtin_frame_address(0));
  if (space.begin() <= stack && stack < space.end()) return false;
  const TracedCall call;
  const std::size_t bytes = family.geometry().page_bytes();
  std::uint64_t changed = 0;
  bool some_are_idle = false;
  for (HotPage& hot : list.pages_) {
    const bool stored = put_back(space.address(hot.page), hot.past, bytes);
    hot.note_round(stored);
    changed += stored ? 1 : 0;
    some_are_idle = some_are_idle || hot.is_idle();
  }
  RollbackCounts::add(list.counts_.pages_compared, list.pages_.size());
  RollbackCounts::add(list.counts_.pages_restored, changed);
  ++list.round_;
  if (some_are_idle) list.need_tables();  // the next restore shares them again
  if (family.generation() != list.generation_) return false;
  tell_restored(call, space, snapshot, changed);
  return true;
}

void follow_from_now_on(AddressSpace& space, const PageTable& snapshot) noexcept {
  RollbackList& list = space.rollback();
  list.stop_following();
  if (!list.reserve_for(space)) return;
  list.begin_round();
  space.for_each_writable_leaf([&](Leaf& leaf) {
    leaf.block_faults.fill(0);
    const PageSpan span = space.table().span_of(leaf.index);
    for (PageIndex page = span.first; page < span.last; ++page) {
      if (!leaf[page].writable()) continue;
      const HotPage* const known = list.was_hot(page);
      list.keep(known != nullptr ? *known : HotPage{page});
    }
  });
  list.need_tables();
  list.end_round(snapshot, space.family().generation());
}

}  // namespace cow
