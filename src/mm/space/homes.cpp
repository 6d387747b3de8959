#include "mm/space/homes.hpp"

#include <algorithm>
#include <cerrno>

#include "base/refusal.hpp"
#include "mm/resources/mapping_budget.hpp"

namespace cow {

Frame Homes::open() {
  if (!list_.reserve(list_.size() + 1)) {
    throw_refused(errno, "mmap", "where frames of a region are could not be written down");
  }
  list_.push(frames_.open_home(owner_));
  const ExtentId home = list_[list_.size() - 1];
  if (roomy_[0] == ExtentId{}) roomy_[0] = home;
  return {home, PageIndex{0}};
}

Frame Homes::empty_one() {
  const ExtentId* const empty = std::find_if(
      list_.begin(), list_.end(), [&](ExtentId home) { return frames_.extent(home).used == 0; });
  return empty == list_.end() ? open() : Frame{*empty, PageIndex{0}};
}

void Homes::make_room_to_move() {
  if (roomy_[0] != ExtentId{} && frames_.extent(roomy_[0]).used == 0) return;
  std::array<ExtentId, 2> emptiest{};
  std::size_t ours_alone = 0;
  const auto used = [&](ExtentId home) { return frames_.extent(home).used; };
  for (const ExtentId home : list_) {
    if (frames_.extent(home).held_by_others() > 0) continue;
    ++ours_alone;
    if (emptiest[0] == ExtentId{} || used(home) < used(emptiest[0])) {
      emptiest = {home, emptiest[0]};
    } else if (emptiest[1] == ExtentId{} || used(home) < used(emptiest[1])) {
      emptiest[1] = home;
    }
  }
  const bool is_one_empty = emptiest[0] != ExtentId{} && used(emptiest[0]) == 0;
  if (!is_one_empty && ours_alone < worth_having()) {
    emptiest = {open().extent(), emptiest[0]};
  }
  roomy_ = emptiest;
}

std::size_t Homes::worth_having() const noexcept {
  if (frames_.backing() == Backing::reserved) return kFewest;
  return mapping_budget::shortage().any() ? kWhenShort : kUsual;
}

void Homes::begin_close() noexcept {
  for (const ExtentId home : list_) frames_.begin_close_home(home);
}

void Homes::forget() noexcept {
  list_.clear();
  roomy_ = {};
}

Frame Homes::free_slot(PageIndex page) const noexcept {
  for (const ExtentId home : roomy_) {
    if (is_free(home, page)) return {home, page};
  }
  for (const ExtentId home : list_) {
    if (is_free(home, page)) return {home, page};
  }
  return {};
}

}  // namespace cow
