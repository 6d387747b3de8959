#include "mm/rollback.hpp"

#include <array>
#include <cstring>

#include "mm/address_space.hpp"

namespace cow {

namespace {

// Compared and copied piece by piece: most of a page that was stored to is still what it was, and
// a cache line that is not written need not be written back.
constexpr std::size_t kPieceBytes = 256;
constexpr std::array<std::byte, kPieceBytes> kZeros{};

const std::byte* piece_of(const std::byte* past, std::size_t at) noexcept {
  return past == nullptr ? kZeros.data() : past + at;
}

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

}  // namespace

bool has_changed(const std::byte* live, const std::byte* past, std::size_t bytes) noexcept {
  bool changed = false;
  for (std::size_t at = 0; !changed && at < bytes; at += kPieceBytes) {
    changed = std::memcmp(live + at, piece_of(past, at), kPieceBytes) != 0;
  }
  return changed;
}

void RollbackList::begin(const PageTable& snapshot, std::uint64_t most) noexcept {
  pages_.swap(before_);
  pages_.clear();
  if (!follows(snapshot)) before_.clear();
  snapshot_ = &snapshot;
  compared_ = 0;
  complete_ = pages_.reserve(most);
}

void RollbackList::add(PageIndex page, const std::byte* past, bool stored) noexcept {
  if (!complete_) return;
  while (compared_ < before_.size() && before_[compared_].page < page) ++compared_;
  const bool known = compared_ < before_.size() && before_[compared_].page == page;
  const std::uint64_t idle = known ? before_[compared_].idle_rounds : 0;
  pages_.push({page, past, stored ? 0 : idle + 1});
}

void RollbackList::end(std::uint64_t generation) noexcept {
  generation_ = generation;
  if (!complete_) pages_.clear();
}

bool restore_again(AddressSpace& space, const PageTable& snapshot) noexcept {
  RollbackList& list = space.rollback();
  const Family& family = space.family();
  if (!list.complete_ || !list.follows(snapshot) || family.generation() != list.generation_) {
    return false;
  }
  // On a stack that would be put back itself the call is refused, which is not done here.
  const auto* const stack = static_cast<const std::byte*>(__builtin_frame_address(0));
  if (space.begin() <= stack && stack < space.end()) return false;
  const std::size_t bytes = family.geometry().page_bytes();
  bool some_are_idle = false;
  for (HotPage& hot : list.pages_) {
    const bool stored = put_back(space.address(hot.page), hot.past, bytes);
    hot.idle_rounds = stored ? 0 : hot.idle_rounds + 1;
    some_are_idle = some_are_idle || hot.idle_rounds >= RollbackList::kIdleRounds;
  }
  // The next restore goes through the page tables, and shares the idle ones again.
  if (some_are_idle) list.give_up();
  return family.generation() == list.generation_;
}

}  // namespace cow
