#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mm/resources/metadata_heap.hpp"
#include "mm/space/address_space.hpp"
#include "os/lock.hpp"

namespace cow {

/// Which address space an address belongs to. Looking up takes no lock; changing the registry
/// waits until no lookup can still see what was removed (read-copy-update with two counters, after
/// the user-space RCU of Desnoyers et al., 2012).
class Registry {
 public:
  static Registry& instance() noexcept;

  /// Throws std::bad_alloc. Waits for lookups that go on: the caller holds no family's lock.
  void add(AddressSpace& space) COW_EXCLUDES(lock_);
  /// On return no handler uses `space` any more. Waits as add() does.
  void remove(AddressSpace& space) noexcept COW_EXCLUDES(lock_);

  /// A lookup and whatever is done with its result. Signal context: yes.
  class [[nodiscard]] Reader {
   public:
    explicit Reader(Registry& registry) noexcept;
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// Null if the address is in none of our regions.
    [[nodiscard]] AddressSpace* find(std::uintptr_t address) const noexcept;

   private:
    Registry& registry_;
    unsigned phase_;
  };

  /// Returns when every Reader that exists now is gone. The caller is none, and holds no lock that
  /// a reader may wait for, as a family's. Signals need not be masked: a handler of the caller's
  /// own thread that is a reader has left when this goes on.
  void wait_for_readers() noexcept COW_EXCLUDES(grace_lock_);

  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /// Calls `use(AddressSpace&)` for each, with the registry locked against changes.
  template <class Use>
  void for_each(const Use& use) COW_REQUIRES(lock_) {
    const Table* const table = table_.load();
    if (table == nullptr) return;
    for (std::size_t i = 0; i < table->count; ++i) {
      AddressSpace* const space = table->ranges[i].space.load();
      if (space != nullptr) use(*space);
    }
  }

  [[nodiscard]] os::Lock& lock() noexcept COW_RETURN_CAPABILITY(lock_) { return lock_; }
  /// After fork(), in the child: the readers of other threads do not exist here.
  void forget_readers() noexcept;

 private:
  struct Range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::atomic<AddressSpace*> space{
        nullptr};  // null: removed; the next add() leaves the range out
  };
  struct Table {
    std::size_t count = 0;
    FixedArray<Range> ranges;  // sorted, disjoint
  };

  os::Lock grace_lock_{os::LockRank::readers};  // for one wait_for_readers() at a time
  os::Lock lock_{os::LockRank::registry};       // for add() and remove(), and over fork()
  std::atomic<Table*> table_{nullptr};          // null: there never was a region
  std::atomic<std::size_t> size_{0};
  std::atomic<unsigned> phase_{0};
  os::Occupancy readers_[2];
};

}  // namespace cow
