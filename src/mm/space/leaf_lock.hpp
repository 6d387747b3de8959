#pragma once

#include <cstdint>

#include "base/intrusive_list.hpp"
#include "os/lock.hpp"

namespace cow {

class AddressSpace;

/// A leaf of page-table entries that a fault is at work on.
struct LeafInWork : ListLink<LeafInWork> {
  const AddressSpace* space = nullptr;
  std::uint64_t index = 0;
  /// Where else the fault may read the bytes it copies: nobody may change what that space shows at
  /// this index. Null if it reads them at its own addresses.
  const AddressSpace* source = nullptr;
};

/// The lock of a family. A control call has the family to itself. A fault has its leaf to itself
/// and lets the lock go while the kernel copies or maps for it (see LeafLock), so that faults in
/// other leaves go on beside it.
///
/// Invariant: whoever changes page tables, frames or counts holds the lock at that moment.
/// Invariant: no two leaves in work are the same, and none is the source of another.
class COW_CAPABILITY("family lock") FamilyLock {
 public:
  /// Those who wait for the lock already have it first: whoever makes one control call after the
  /// other, or does one in pieces, keeps no store off for longer than one of them. Then waits until
  /// no fault is at work; faults that come later wait for this one.
  void lock_alone() noexcept COW_ACQUIRE();
  void unlock() noexcept COW_RELEASE() { lock_.unlock(); }
  /// The caller says that it holds the lock, alone or with a LeafLock; see COW_CHECK.
  void assert_held() const noexcept COW_ASSERT_CAPABILITY(this) { lock_.assert_held(); }

  /// After fork(), in the child, with the lock held: other threads do not exist here.
  void forget_others() noexcept COW_REQUIRES(this);

 private:
  friend class LeafLock;

  void lock_leaf(LeafInWork& mine) noexcept COW_ACQUIRE();
  void unlock_leaf(LeafInWork& mine) noexcept COW_RELEASE();
  void finish(LeafInWork& mine) noexcept COW_REQUIRES(lock_);
  void wait_until_alone() noexcept COW_REQUIRES(lock_);
  [[nodiscard]] bool must_wait(const LeafInWork& mine) const noexcept COW_REQUIRES(lock_);
  [[nodiscard]] bool may_read(const AddressSpace& source, const LeafInWork& mine) const noexcept
      COW_REQUIRES(lock_);

  os::Lock lock_{os::LockRank::family};
  os::Condition changed_ COW_GUARDED_BY(lock_);
  IntrusiveList<LeafInWork> in_work_ COW_GUARDED_BY(lock_);   ///< each on the stack of its fault
  unsigned control_calls_waiting_ COW_GUARDED_BY(lock_) = 0;  ///< for faults to end
};

/// The lock of the leaf that a fault is at work on, from its beginning to its end: nobody else
/// changes the leaf, and no control call runs. Who has it holds the family's lock, too, but in
/// aside(). Signal context: yes.
class [[nodiscard]] COW_SCOPED_CAPABILITY LeafLock {
 public:
  /// A fault in leaf `leaf_index` of `space`. Takes both locks.
  LeafLock(FamilyLock& family, const AddressSpace& space, std::uint64_t leaf_index) noexcept
      COW_ACQUIRE(family)
      : family_(&family) {
    leaf_.space = &space;
    leaf_.index = leaf_index;
    family_->lock_leaf(leaf_);
  }
  /// Part of a control call, which holds the family's lock and keeps it.
  explicit LeafLock(FamilyLock& held) noexcept COW_REQUIRES(held) : is_alone_(true) {
    held.assert_held();
  }
  ~LeafLock() COW_RELEASE() {
    if (family_ != nullptr) is_alone_ ? family_->unlock() : family_->unlock_leaf(leaf_);
  }
  LeafLock(const LeafLock&) = delete;
  LeafLock& operator=(const LeafLock&) = delete;

  /// Does `work`, which only asks the kernel for something, without the family's lock.
  template <class Work>
  int aside(const Work& work) noexcept {
    if (is_alone_) return work();
    family_->lock_.assert_held();
    return without(family_->lock_, work);
  }

  /// Whether the fault may read what `source` shows at its index, and from then on: of one space
  /// only, and only if no fault is about to change it.
  [[nodiscard]] bool may_read(const AddressSpace& source) noexcept;

  [[nodiscard]] bool is_alone() const noexcept { return is_alone_; }
  /// From now on no other fault is at work, in any leaf. Control calls may have run by then: what
  /// was found before may have changed, and changes to come have to be noted anew
  /// (Family::note_change).
  void become_alone() noexcept;

 private:
  template <class Work>
  static int without(os::Lock& lock, const Work& work) noexcept COW_REQUIRES(lock) {
    lock.unlock();
    const int error = work();
    lock.lock();
    return error;
  }

  FamilyLock* family_ = nullptr;  ///< null: the caller's
  LeafInWork leaf_;
  bool is_alone_ = false;
};

}  // namespace cow
