#include "mm/space/store_gate.hpp"

#include <algorithm>

#include "mm/resources/mapping_budget.hpp"
#include "mm/space/address_space.hpp"

namespace cow {

StoreGate::Passage StoreGate::let_pass(AddressSpace& space, PageIndex page) noexcept {
  const os::LockGuard guard(lock_);
  if (space_ != &space) return Passage::not_held_off;
  if (is_open_.test(index_of(page))) return Passage::open;
  if (is_closing_ && reopen(page)) return Passage::opened;
  while (space_ == &space && !is_open_.test(index_of(page))) {
    wanted_ = index_of(page);
    opened_.wait(lock_);
  }
  return Passage::opened;
}

bool StoreGate::reopen(PageIndex page) noexcept {
  if (reopened_count_ == most_reopened_) return false;
  if (space_->range().make_writable({page, page + kOnePage}) != 0) return false;
  reopened_[reopened_count_++] = page;
  return true;
}

PageSpan StoreGate::chunk(std::size_t index) const noexcept {
  const PageIndex first{index * chunk_pages_};
  const PageIndex end = space_->all_pages().last;
  return {first, std::min(end, first + PageCount{chunk_pages_})};
}

int StoreGate::close(AddressSpace& space) noexcept {
  const std::uint64_t pages = space.table().pages().value;
  const std::uint64_t spendable = mapping_budget::spendable();
  {
    const os::LockGuard guard(lock_);
    chunk_pages_ = std::max(kFewestPages, (pages + kMostChunks - 1) / kMostChunks);
    chunks_ = static_cast<std::size_t>((pages + chunk_pages_ - 1) / chunk_pages_);
    was_opened_.reset();
    is_open_.reset();
    next_ = wanted_ = reopened_count_ = 0;
    // Each page that is opened, and each chunk, may be a mapping apart, and split one.
    most_reopened_ =
        static_cast<std::size_t>(std::min<std::uint64_t>(kMostReopened, spendable / 8));
    may_hurry_ = spendable / 8 >= chunks_;
    is_closing_ = true;
    space_ = &space;
  }
  int error = protect_chunks();
  if (error == 0) error = protect_reopened();
  if (error != 0) open_all();
  return error;
}

int StoreGate::protect(PageSpan span) noexcept {
  note_protection();
  int error = 0;
  const auto protect_part = [&](PageSpan part) {
    if (error == 0) error = space_->range().protect(part, os::Protection::read_only);
  };
  if (space_->leases().empty()) {
    protect_part(span);
  } else {
    for_each_stretch(
        span, [&](PageIndex page) { return !space_->is_leased(page); }, protect_part);
  }
  return error;
}

// A chunk may be a mapping more than there can be, where all of them are not.
int StoreGate::protect_chunks() noexcept {
  int error = 0;
  for (std::size_t i = 0; i < chunks_ && error == 0; ++i) error = protect(chunk(i));
  return error == 0 ? 0 : protect(space_->all_pages());
}

// Fewer each time, as less is stored to in less time.
int StoreGate::protect_reopened() noexcept {
  for (;;) {
    std::array<PageIndex, kMostReopened> reopened;
    std::size_t count = 0;
    int error = 0;
    const auto protect_all = [&] {
      for (std::size_t i = 0; i < count && error == 0; ++i) {
        error = protect({reopened[i], reopened[i] + kOnePage});
      }
    };
    {
      const os::LockGuard guard(lock_);
      count = reopened_count_;
      std::copy_n(reopened_.begin(), count, reopened.begin());
      reopened_count_ = 0;
      most_reopened_ = std::max(count / 2, kFewReopened);
      if (count <= kFewReopened) {
        protect_all();
        is_closing_ = error != 0;
        return error;
      }
    }
    protect_all();
    if (error != 0) return error;
  }
}

PageSpan StoreGate::next_to_open() noexcept {
  const os::LockGuard guard(lock_);
  if (may_hurry_ && !was_opened_.test(wanted_)) return chunk(wanted_);
  while (next_ < chunks_ && was_opened_.test(next_)) ++next_;
  return next_ < chunks_ ? chunk(next_) : PageSpan{};
}

void StoreGate::open(PageSpan chunk) noexcept {
  const int error = space_->range().make_writable(chunk);
  const os::LockGuard guard(lock_);
  was_opened_.set(index_of(chunk.first));
  is_open_.set(index_of(chunk.first), error == 0);
  opened_.wake_all();
}

void StoreGate::open_all() noexcept {
  static_cast<void>(space_->range().make_writable(space_->all_pages()));
  const os::LockGuard guard(lock_);
  space_ = nullptr;
  opened_.wake_all();
}

void StoreGate::reset() noexcept {
  lock_.reset();
  opened_.forget_sleepers();
  space_ = nullptr;
}

}  // namespace cow
