#include "mm/space/leaf_lock.hpp"

namespace cow {

void FamilyLock::lock_alone() noexcept {
  lock_.let_waiters_go_first();
  lock_.lock();
  wait_until_alone();
}

void FamilyLock::wait_until_alone() noexcept {
  if (in_work_.empty()) return;
  ++control_calls_waiting_;
  while (!in_work_.empty()) changed_.wait(lock_);
  --control_calls_waiting_;
  changed_.wake_all();  // faults that let this call go first; now the lock is what they wait for
}

void FamilyLock::lock_leaf(LeafInWork& mine) noexcept {
  lock_.lock();
  while (must_wait(mine)) changed_.wait(lock_);
  in_work_.push_front(mine);
}

// Without the first condition, faults of many threads could keep a control call waiting for ever.
bool FamilyLock::must_wait(const LeafInWork& mine) const noexcept {
  if (control_calls_waiting_ > 0) return true;
  for (const LeafInWork& other : in_work_) {
    if (other.index != mine.index) continue;
    if (other.space == mine.space || other.source == mine.space) return true;
  }
  return false;
}

bool FamilyLock::may_read(const AddressSpace& source, const LeafInWork& mine) const noexcept {
  for (const LeafInWork& other : in_work_) {
    if (other.index == mine.index && other.space == &source) return false;
  }
  return true;
}

void FamilyLock::finish(LeafInWork& mine) noexcept {
  in_work_.remove(mine);
  changed_.wake_all();
}

void FamilyLock::unlock_leaf(LeafInWork& mine) noexcept {
  finish(mine);
  lock_.unlock();
}

void FamilyLock::forget_others() noexcept {
  lock_.assert_held();
  in_work_.clear();
  control_calls_waiting_ = 0;
  changed_.forget_sleepers();
  lock_.forget_waiters();
}

bool LeafLock::may_read(const AddressSpace& source) noexcept {
  if (is_alone_ || leaf_.source == &source || leaf_.space == &source) return true;
  family_->lock_.assert_held();
  if (leaf_.source != nullptr || !family_->may_read(source, leaf_)) return false;
  leaf_.source = &source;
  return true;
}

void LeafLock::become_alone() noexcept {
  if (is_alone_) return;
  is_alone_ = true;
  family_->lock_.assert_held();
  family_->finish(leaf_);
  family_->wait_until_alone();
}

}  // namespace cow
