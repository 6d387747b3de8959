#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.hpp"

namespace cow::os {

/// Every lock of the library in the order in which one thread may take them: while it holds one,
/// only those further down. (Not the mutex of api/limit.cpp, which no fault and no fork() takes,
/// and under which a family's may be taken.) fork() takes all but `readers`, `store_gate` and
/// `spare_mappings`, so the order is its: first what control calls hold while they take a family's
/// lock, then the families, then what is taken under a family's lock. There are many families, and
/// no order among them: whoever takes a second one holds the list.
enum class LockRank : std::uint8_t {
  fault_action,    ///< the process's action for SIGSEGV
  registry,        ///< changes to the table of address ranges
  readers,         ///< waiting for those who read it, who may wait for a family
  family_list,     ///< which families there are
  children,        ///< which child processes there are
  family,          ///< page tables, frames and counts of one family
  store_gate,      ///< who waits for a snapshot of a region that the kernel copies
  spare_mappings,  ///< giving them back, also in a fault
  metadata_heap,   ///< nothing is taken while it is held
};

#if defined(COW_CHECKS)

/// What a lock knows of its place and its holder. Each of the functions that change something is
/// called by the thread that takes the lock or has it. Signal context: yes.
class LockOrder {
 public:
  constexpr explicit LockOrder(LockRank rank) noexcept : rank_(rank) {}

  void check_may_take() const noexcept;
  void note_taken() noexcept;
  void note_given_back() noexcept;
  /// Whether it is the calling thread that has the lock.
  [[nodiscard]] bool is_mine() const noexcept;
  /// After fork(), in the child: whoever had the lock does not exist here.
  void forget_holder() noexcept { holder_.store(0, std::memory_order_relaxed); }

 private:
  LockRank rank_;
  std::atomic<std::uint64_t> holder_{0};
};

/// After fork(), in the child: what other threads held is held by nobody.
void forget_other_holders() noexcept;

#else

class LockOrder {
 public:
  constexpr explicit LockOrder(LockRank /*rank*/) noexcept {}

  void check_may_take() const noexcept {}
  void note_taken() noexcept {}
  void note_given_back() noexcept {}
  [[nodiscard]] bool is_mine() const noexcept { return true; }
  void forget_holder() noexcept {}
};

inline void forget_other_holders() noexcept {}

#endif

}  // namespace cow::os
