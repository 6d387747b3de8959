#pragma once

#include "mm/fault/fault_plan.hpp"
#include "mm/fault/fault_trace.hpp"
#include "mm/space/fault_outcome.hpp"

namespace cow {

/// A plan and what has become of it. After carry_out() one of commit() and back_out() must follow.
/// The caller holds the family's lock and has the leaf to itself: see LeafLock. Signal context:
/// yes.
class FaultWork {
 public:
  FaultWork(AddressSpace& space, Leaf& leaf, const FaultPlan& plan, LeafLock& lock,
            FaultTrace& trace) noexcept
      : space_(space),
        frames_(space.family().frames()),
        leaf_(leaf),
        plan_(plan),
        lock_(lock),
        trace_(trace) {}

  /// Allocates, copies, and has the kernel show the pages writable, letting the lock go meanwhile.
  [[nodiscard]] FaultOutcome carry_out() noexcept;
  /// The entries say what the kernel shows now.
  void commit() noexcept;
  /// What was taken is given back, and the kernel shows what the entries say.
  void back_out(const FaultOutcome& outcome) noexcept;

 private:
  [[nodiscard]] FaultOutcome write_in_place() noexcept;
  [[nodiscard]] FaultOutcome write_to_copies() noexcept;
  [[nodiscard]] bool take_targets() noexcept;
  [[nodiscard]] bool clear_targets_of_zeros() noexcept;
  [[nodiscard]] int copy_to_targets() noexcept;
  void drop_targets() noexcept;
  void commit_in_place() noexcept;
  void commit_copies() noexcept;
  [[nodiscard]] os::Populate populate() const noexcept;
  [[nodiscard]] bool redirects(PageIndex page) const noexcept {
    return plan_.redirects(page, leaf_[page]);
  }
  [[nodiscard]] bool copies(PageIndex page) const noexcept {
    return plan_.copies(page, leaf_[page]);
  }

  AddressSpace& space_;
  FrameStore& frames_;
  Leaf& leaf_;
  FaultPlan plan_;
  LeafLock& lock_;
  FaultTrace& trace_;
  std::uint64_t copied_out_ = 0;   ///< pages of which snapshots got copies
  os::Look look_ = os::Look::now;  ///< whether the copy has made sure of the descriptor
};

}  // namespace cow
