#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/intrusive_list.hpp"
#include "base/units.hpp"
#include "mm/space/leaf_lock.hpp"
#include "mm/space/lineage.hpp"
#include "mm/space/past_limit.hpp"
#include "mm/space/store_gate.hpp"
#include "mm/tables/page_table.hpp"
#include "os/host.hpp"
#include "os/lock.hpp"
#include "os/signal_mask.hpp"
#include "os/write_watch.hpp"

namespace cow {

class AddressSpace;
class CopyOnWrite;
class Family;

/// A page table that its region or snapshot is leaving, piece by piece: shown nowhere and kept for
/// nobody, but it references what it has not given up yet.
struct LeavingTable : ListLink<LeavingTable> {
  PageTable* table = nullptr;
  AddressSpace* space = nullptr;  ///< whose addresses are not given back yet
};

/// A page table whose frames somebody can see through the processor: a region's, or that of the
/// view of a snapshot. Frames that it shows must stay where they are.
struct ShownTable : ListLink<ShownTable> {
  explicit ShownTable(TableStore& store) : table(store) {}

  PageTable table;
  const PageTable* for_child = nullptr;  ///< during fork(), what the child will see instead
  AddressSpace* space = nullptr;
  LeavingTable leaving;
};

/// A page table that is kept but shown nowhere: a snapshot's.
struct KeptTable : ListLink<KeptTable> {
  explicit KeptTable(TableStore& store) : table(store) {}

  PageTable table;
  LeavingTable leaving;
};

/// Every region and snapshot that descends from one `create`: they share frames, a lock, and the
/// memory of their page tables.
///
/// A thread that holds a family's lock outside the fault handler has all signals masked (see
/// Section) and touches no region. The order of locks: os/lock_order.hpp.
class Family : public ListLink<Family> {
 public:
  /// Throws std::system_error.
  Family(PageGeometry geometry, PageCount pages, std::uint64_t max_window_pages, Backing backing,
         os::HugePages huge_pages, bool keep_out_of_cores, const CopyOnWrite& copy_on_write,
         std::optional<os::WriteWatch> watch);
  ~Family();
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  [[nodiscard]] PageGeometry geometry() const noexcept { return geometry_; }
  /// Pages of every address space of this family.
  [[nodiscard]] PageCount pages() const noexcept { return store_.pages; }
  /// The most that a region of it may grow to. Set once, before anybody else has the family.
  [[nodiscard]] std::size_t most_bytes() const noexcept { return most_bytes_; }
  void set_most_bytes(std::size_t most_bytes) noexcept { most_bytes_ = most_bytes; }
  [[nodiscard]] std::uint64_t max_window_pages() const noexcept { return max_window_pages_; }
  [[nodiscard]] os::HugePages huge_pages() const noexcept { return huge_pages_; }
  /// For every mapping of its frames: the same, so that neighbours merge.
  [[nodiscard]] os::Advice advice() const noexcept {
    return {.huge_pages = huge_pages_.by_advice,
            .keep_out_of_cores = store_.frames.advice().keep_out_of_cores};
  }
  /// How stores to what is shared are kept apart.
  [[nodiscard]] const CopyOnWrite& copy_on_write() const noexcept { return copy_on_write_; }
  /// What tells of stores where the kernel copies; null where the fault handler does.
  [[nodiscard]] const os::WriteWatch* watch() const noexcept { return watch_ ? &*watch_ : nullptr; }
  /// After fork(), in the child: the watch is the parent's. Throws std::system_error.
  void watch_anew() {
    store_gate_.reset();
    if (watch_) watch_ = os::WriteWatch::open();
  }
  /// Where stores wait while a snapshot holds them off, in a family whose stores the kernel copies.
  [[nodiscard]] StoreGate& store_gate() noexcept { return store_gate_; }
  /// What a backup has not saved yet, and how much of it there may be.
  [[nodiscard]] PastLimit& past_limit() noexcept { return past_limit_; }
  [[nodiscard]] TableStore& store() noexcept { return store_; }
  [[nodiscard]] FrameStore& frames() noexcept { return store_.frames; }
  [[nodiscard]] FamilyLock& lock() noexcept COW_RETURN_CAPABILITY(lock_) { return lock_; }

  /// How often the family may have changed. Whoever finds the same number before and after reading
  /// page tables and frames without the lock has read what belongs together. Who holds the lock and
  /// is going to change anything calls note_change() first. Signal context: yes.
  [[nodiscard]] std::uint64_t generation() const noexcept {
    return generation_.fetch_add(0, std::memory_order_acq_rel);  // no earlier load moves behind it
  }
  void note_change() noexcept { generation_.fetch_add(1, std::memory_order_acq_rel); }

  /// A child process that was refused its regions at fork() has no use of them. Set once, before
  /// any other thread exists.
  [[nodiscard]] bool is_abandoned() const noexcept { return abandoned_for_ != 0; }
  /// The errno value of what was refused then; 0: it is not abandoned.
  [[nodiscard]] int abandoned_for() const noexcept { return abandoned_for_; }
  void abandon(int error) noexcept COW_REQUIRES(lock_);

  // The caller holds the lock.

  void add(ShownTable& shown) noexcept COW_REQUIRES(lock_) { shown_.push_front(shown); }
  void add(KeptTable& kept) noexcept COW_REQUIRES(lock_) { kept_.push_front(kept); }
  /// The table is to be given up: see leaving.hpp. A child process that is made meanwhile does not
  /// see it.
  void begin_leaving(ShownTable& shown) noexcept COW_REQUIRES(lock_);
  void begin_leaving(KeptTable& kept) noexcept COW_REQUIRES(lock_);
  /// Gives up what the table references, as far as `piece` allows; true when it has left.
  [[nodiscard]] bool leave(LeavingTable& leaving, Piece& piece) noexcept COW_REQUIRES(lock_);
  /// Calls `use(ShownTable&)` for each table that is shown in this process.
  template <class Use>
  void for_each_shown(const Use& use) {
    lock_.assert_held();
    for (ShownTable& shown : shown_) use(shown);
  }
  /// Calls `use(KeptTable&)` for each table that is kept but shown nowhere. Signal context: yes.
  template <class Use>
  void for_each_kept(const Use& use) {
    lock_.assert_held();
    for (KeptTable& kept : kept_) use(kept);
  }
  /// Calls `use(std::uint64_t index, const Directory&)` for each directory that any table, snapshot
  /// or child process references, once for each reference.
  template <class Use>
  void for_each_directory(const Use& use) const {
    lock_.assert_held();
    const auto all_of = [&](const PageTable& table) {
      for (std::uint64_t i = 0; i < table.directory_count(); ++i) {
        if (table.directory_at(i) != nullptr) use(i, *table.directory_at(i));
      }
    };
    for (const ShownTable& shown : shown_) all_of(shown.table);
    for (const KeptTable& kept : kept_) all_of(kept.table);
    for (const LeavingTable& leaving : leaving_) all_of(*leaving.table);
    for (const HeldDirectory& held : held_) use(held.index, *held.directory);
  }

  // For fork(): a child process sees every frame there is at that moment.

  /// Keeps all page tables there are as they are, for child `child`. False without memory.
  [[nodiscard]] bool hold_for(std::uint64_t child) noexcept COW_REQUIRES(lock_);
  /// Drops what was kept for `child`, as far as `piece` allows; true when it is done.
  [[nodiscard]] bool release_held(std::uint64_t child, Piece& piece) noexcept COW_REQUIRES(lock_);
  /// In the child: nothing here is ours but the page tables. `file` is for frames to come.
  void become_child(os::FrameFile file) noexcept COW_REQUIRES(lock_);

  /// Which snapshots there are, and which came from which.
  [[nodiscard]] Lineage& lineage() noexcept {
    lock_.assert_held();
    return lineage_;
  }

  // What there is.

  /// Whether more than one table shows frames of this family, in this process or a child.
  [[nodiscard]] bool shows_more_than_one() const noexcept {
    lock_.assert_held();
    return shown_.size() > 1 || !held_.empty();
  }
  // A snapshot that is read shows its frames in as many mappings as there are runs of them, and
  // copies of hot pages lie apart. So a family whose snapshots are read copies none for a while.

  void note_snapshot() noexcept { ++snapshots_unread_; }
  void note_read() noexcept { snapshots_unread_ = 0; }
  [[nodiscard]] bool reads_snapshots() const noexcept { return snapshots_unread_ < kFewUnread; }

  /// Whether there are so many tables that faults do not look at all of them: frames that nobody
  /// sees may be taken for seen then.
  [[nodiscard]] bool has_many_tables() const noexcept {
    lock_.assert_held();
    return shown_.size() > kMostTablesSearched || held_.size() > kMostTablesSearched ||
           shown_.size() + kept_.size() + leaving_.size() + held_.size() > kMostVersionsSearched;
  }
  /// A fault looks at no more tables, or versions of a leaf, than this before it takes "shown
  /// elsewhere" for granted.
  static constexpr std::size_t kMostTablesSearched = 128;
  static constexpr std::size_t kMostVersionsSearched = 256;

  /// Whether `leaf` can be seen in a table other than `mine`. May say yes where there are too many
  /// tables to look at. Signal context: yes.
  [[nodiscard]] bool shown_elsewhere(const Leaf& leaf, const ShownTable& mine) const noexcept;

  /// What faults will need from now on, so that the handler never has to ask for memory.
  struct Reserve {
    std::uint64_t tables = 0;        ///< address spaces that may have to copy all their page tables
    std::uint64_t packed_pages = 0;  ///< pages that may have to move to a packed frame
  };
  /// Sees to it that `reserve` plus `more` is there. Throws std::system_error.
  void ensure_reserve(Reserve more);
  [[nodiscard]] Reserve& reserve() noexcept { return reserve_; }

  [[nodiscard]] std::size_t metadata_bytes() const noexcept;

  /// The most slots that were looked at, to drop references or to give frames back, in one hold of
  /// the lock by a control call: what a store may have to wait for. For tests; 0 sets it to begin.
  [[nodiscard]] std::uint64_t most_slots_in_a_hold() const noexcept { return most_in_a_hold_; }
  void set_most_slots_in_a_hold(std::uint64_t slots) noexcept { most_in_a_hold_ = slots; }

 private:
  /// A directory that a child process may still read through. Invariant: it counts as referenced,
  /// so nothing below it changes.
  struct HeldDirectory {
    std::uint64_t child;
    std::uint64_t index;
    Directory* directory;
  };
  void hold(const PageTable& table, std::uint64_t child) noexcept COW_REQUIRES(lock_);
  void begin_leaving(LeavingTable& leaving, PageTable& table, AddressSpace* space) noexcept
      COW_REQUIRES(lock_);
  void forget_leaving() noexcept COW_REQUIRES(lock_);

  PageGeometry geometry_;
  std::size_t most_bytes_ = 0;
  std::uint64_t max_window_pages_;
  os::HugePages huge_pages_;
  const CopyOnWrite& copy_on_write_;
  std::optional<os::WriteWatch> watch_;
  StoreGate store_gate_;
  FamilyLock lock_;
  mutable std::atomic<std::uint64_t> generation_{0};
  TableStore store_;
  PastLimit past_limit_;
  IntrusiveList<ShownTable> shown_ COW_GUARDED_BY(lock_);
  IntrusiveList<KeptTable> kept_ COW_GUARDED_BY(lock_);
  IntrusiveList<LeavingTable> leaving_ COW_GUARDED_BY(lock_);
  static constexpr std::uint64_t kFewUnread = 16;
  std::uint64_t snapshots_unread_ = kFewUnread;  ///< since one was read or cloned
  std::uint64_t most_in_a_hold_ = 0;
  MetadataArray<HeldDirectory> held_ COW_GUARDED_BY(lock_);
  Lineage lineage_ COW_GUARDED_BY(lock_);
  Reserve reserve_;
  int abandoned_for_ = 0;
};

/// Holds a family's lock for a part of a control call, alone. The caller has signals masked.
class [[nodiscard]] COW_SCOPED_CAPABILITY Hold {
 public:
  enum class Intent { change, look };

  explicit Hold(Family& family, Intent intent = Intent::change) noexcept COW_ACQUIRE(family.lock())
      : family_(family) {
    family_.lock().lock_alone();
    if (intent == Intent::change) family_.note_change();
    slots_before_ = family_.frames().slots_looked_at();
  }
  ~Hold() COW_RELEASE() {
    const std::uint64_t slots = family_.frames().slots_looked_at() - slots_before_;
    if (slots > family_.most_slots_in_a_hold()) family_.set_most_slots_in_a_hold(slots);
    family_.lock().unlock();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  Family& family_;
  std::uint64_t slots_before_ = 0;
};

/// The same for a control call as others see it: masks signals, too.
class [[nodiscard]] COW_SCOPED_CAPABILITY Section {
 public:
  using Intent = Hold::Intent;

  explicit Section(Family& family, Intent intent = Intent::change) noexcept
      COW_ACQUIRE(family.lock())
      : hold_(family, intent) {}
  ~Section() COW_RELEASE() = default;
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

 private:
  os::SignalsMasked signals_;
  Hold hold_;
};

/// The families of this process.
class FamilyList {
 public:
  static FamilyList& instance() noexcept;

  void add(Family& family) noexcept;
  void remove(Family& family) noexcept;
  /// Calls `use(Family&)` for each, with the list locked.
  template <class Use>
  void for_each(const Use& use) {
    const os::SignalsMasked signals;
    const os::LockGuard guard(lock_);
    for (Family& family : all_) use(family);
  }

  [[nodiscard]] os::Lock& lock() noexcept COW_RETURN_CAPABILITY(lock_) { return lock_; }
  [[nodiscard]] const IntrusiveList<Family>& all() const noexcept COW_REQUIRES(lock_) {
    return all_;
  }

 private:
  os::Lock lock_{os::LockRank::family_list};
  IntrusiveList<Family> all_ COW_GUARDED_BY(lock_);
};

}  // namespace cow
