#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.hpp"
#include "base/units.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "mm/resources/metadata_heap.hpp"
#include "mm/resources/sparse_bits.hpp"
#include "mm/space/family.hpp"
#include "mm/space/homes.hpp"
#include "mm/space/mapped_range.hpp"
#include "mm/space/rollback.hpp"
#include "mm/tables/page_table.hpp"
#include "mm/tables/table_trace.hpp"
#include "os/mapping.hpp"

namespace cow {

/// What an address space has done, for RegionStats.
struct FaultCounts {
  std::uint64_t faults = 0;
  std::uint64_t pages_copied = 0;
  std::uint64_t pages_upgraded = 0;
  std::uint64_t pages_zero_filled = 0;
};

/// How often read-only pages came into being in any address space of this process, faults aside.
/// Signal context: yes.
std::uint64_t protections() noexcept;
void note_protection() noexcept;

/// A range of addresses and the page table that says what it shows. The kernel's mappings follow
/// the page table: every run of entries that join is one mapping of exactly that protection.
///
/// Invariant: at every address a load sees the bytes of the entry's frame, at all times.
/// Invariant: `mappings()` is the number of lines the range has in /proc/self/maps.
class AddressSpace {
 public:
  enum class Use { region, view };  ///< a view is read-only for good: a snapshot's bytes

  /// An address space of untouched pages, of which it shows zeros until map_all(). Takes the
  /// family's lock. Throws std::system_error.
  AddressSpace(std::shared_ptr<Family> family, Use use);
  /// Gives back the addresses and every frame nobody else references, in pieces. Takes the family's
  /// lock.
  ~AddressSpace();
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  [[nodiscard]] Family& family() const noexcept { return *family_; }
  [[nodiscard]] const std::shared_ptr<Family>& shared_family() const noexcept { return family_; }
  /// Of a region: see CopyOnWrite.
  [[nodiscard]] const CopyOnWrite& copy_on_write() const noexcept {
    return family_->copy_on_write();
  }
  [[nodiscard]] std::byte* begin() const noexcept { return range_.begin(); }
  [[nodiscard]] std::byte* end() const noexcept { return range_.end(); }
  [[nodiscard]] std::byte* address(PageIndex page) const noexcept { return range_.address(page); }
  [[nodiscard]] PageIndex page_at(std::uintptr_t address) const noexcept {
    return family_->geometry().page_at(address - reinterpret_cast<std::uintptr_t>(begin()));
  }

  /// The pages of which `run` has a part.
  [[nodiscard]] PageSpan pages_of(os::AddressRun run) const noexcept {
    return {page_at(reinterpret_cast<std::uintptr_t>(run.begin)),
            page_at(reinterpret_cast<std::uintptr_t>(run.end - 1)) + kOnePage};
  }
  [[nodiscard]] PageSpan all_pages() const noexcept {
    return {PageIndex{0}, PageIndex{family_->pages().value}};
  }

  [[nodiscard]] bool is_region() const noexcept { return use_ == Use::region; }

  /// The pages that may be stored to: those behind them are there for the region to grow, and no
  /// fault makes them writable. Signal context: yes.
  [[nodiscard]] PageSpan open_pages() const noexcept {
    return {PageIndex{0}, PageIndex{open_pages_.load(std::memory_order_relaxed)}};
  }
  void set_open_pages(PageCount pages) noexcept {
    open_pages_.store(pages.value, std::memory_order_relaxed);
  }
  /// Those of leaf `leaf_index`; empty if there is none. Signal context: yes.
  [[nodiscard]] PageSpan open_pages_of(std::uint64_t leaf_index) const noexcept {
    const PageSpan whole = table().span_of(leaf_index);
    return {whole.first, std::max(whole.first, std::min(whole.last, open_pages().last))};
  }

  // The caller holds the family's lock from here on.

  [[nodiscard]] PageTable& table() noexcept { return shown_.table; }
  [[nodiscard]] const PageTable& table() const noexcept { return shown_.table; }
  [[nodiscard]] const ShownTable& shown() const noexcept { return shown_; }
  [[nodiscard]] ShownTable& shown() noexcept { return shown_; }
  /// Of a region: where its bytes come from.
  [[nodiscard]] LineageNode& lineage() noexcept { return lineage_; }
  [[nodiscard]] Homes& homes() noexcept { return homes_; }
  [[nodiscard]] const Homes& homes() const noexcept { return homes_; }
  [[nodiscard]] FaultCounts& counts() noexcept { return counts_; }
  /// Through which the kernel is told; then the page table has to say the same.
  [[nodiscard]] const MappedRange& range() const noexcept { return range_; }
  [[nodiscard]] std::size_t mappings() const noexcept { return range_.mappings(); }
  /// Beside it, where the kernel copies what is stored to. Precondition: it does.
  [[nodiscard]] WatchedRange& watched() const noexcept {
    COW_CHECK(range_.watched() != nullptr);
    return *range_.watched();
  }
  /// How many entries are writable.
  [[nodiscard]] std::uint64_t writable_pages() const noexcept { return writable_pages_; }
  /// Calls `use(Leaf&)` for each leaf with writable entries, in ascending order.
  template <class Visit>
  void for_each_writable_leaf(const Visit& visit) const {
    for (std::uint64_t leaf_index = writable_.next(0); leaf_index < writable_.size();
         leaf_index = writable_.next(leaf_index + 1)) {
      Leaf* const leaf = table().leaf_at(leaf_index);
      if (leaf == nullptr) __builtin_unreachable();  // there is one, or it had no bit
      visit(*leaf);
    }
  }

  // Control calls.

  /// Maps what the page table holds, in `runs` mappings, in an address space that still shows zeros
  /// everywhere. 0 or an errno value; then it shows zeros again.
  [[nodiscard]] int map_all(std::uint64_t runs) noexcept;
  /// The same. False where it takes more mappings than the process can spare, or than the kernel
  /// has. Throws std::system_error for whatever else it is refused.
  [[nodiscard]] bool show_table(std::uint64_t runs);

  /// Frames of this region are about to be shown elsewhere: sees to it that every page finds a slot
  /// when it is stored to. Throws std::system_error.
  void prepare_to_be_seen();
  /// A snapshot is about to hold frames of this region, or of a snapshot the region is going to
  /// show: sees to it that every page, or the snapshot's copy of it, finds a frame when the page is
  /// stored to. Throws std::system_error.
  void prepare_to_be_kept();
  /// Frames that were kept are about to be shown. Throws std::system_error.
  void prepare_if_kept() {
    if (is_region() && kept_) prepare_to_be_seen();
  }

  /// Whether the family keeps packed frames in reserve for this region.
  [[nodiscard]] bool may_pack() const noexcept { return may_pack_; }

  /// Makes leaf `leaf_index` the one `other` has, after the kernel was told.
  void adopt_leaf(std::uint64_t leaf_index, const PageTable& other) noexcept;
  /// Leaf `leaf_index` goes to `other`, which has none there, and the pages show zeros, as the
  /// kernel was told. Precondition: untouched pages are zero pages in this family.
  void hand_leaf_to(std::uint64_t leaf_index, PageTable& other) noexcept;

  // For faults. Signal context: yes.

  /// After make_writable() failed, which may have opened a part: pages that are read-only are
  /// protected again, or, if that is impossible, become writable. Precondition: all of them are
  /// sole owners.
  void protect_again(Leaf& leaf, PageSpan span) noexcept;
  /// Has the kernel show the frames from `first`'s on, as it says, in `span`. 0 or an errno value;
  /// then show_again() must follow.
  [[nodiscard]] int show(PageSpan span, Entry first) const noexcept;
  /// After a mapping failed: some kernels have removed the old one by then. Shows what the page
  /// table says. False, and the process cannot go on, if that fails.
  [[nodiscard]] bool show_again(PageSpan span) const noexcept;
  /// The same for a control call that can neither go on nor go back then: the process ends.
  void must_show_again(PageSpan span, int error) const noexcept;
  /// The pages of `span`, which are writable, get the bytes of the frames from `from` on. 0 or an
  /// errno value.
  [[nodiscard]] int overwrite(PageSpan span, Frame from) const noexcept;

  /// Changes entries of one leaf that this table owns, keeping all counts: `change(page, entry)`.
  template <class Change>
  void edit(Leaf& leaf, PageSpan span, const Change& change) noexcept;
  /// The same for any span, in leaves that become this table's own. Control calls only.
  template <class Change>
  void edit(PageSpan span, const Change& change) noexcept {
    for_each_leaf_part(span,
                       [&](PageSpan part) { edit(table().own_leaf(part.first), part, change); });
  }
  /// The same for all of a leaf that is one run, and stays one, in the same frames:
  /// `change(entry)`.
  template <class Change>
  void edit_as_one(Leaf& leaf, const Change& change) noexcept;

  /// The home slot to which `page` can move, such that it joins its neighbours if that is possible.
  /// An empty frame if no home has the slot free.
  [[nodiscard]] Frame free_home_slot(PageIndex page) const noexcept;

  /// Where bytes of `frame`, shown at `page`, are mapped and most likely in the processor's page
  /// table already: in the space whose home the frame is, if `lock` lets us read there, or else
  /// here.
  [[nodiscard]] const std::byte* source_of(PageIndex page, Frame frame,
                                           LeafLock& lock) const noexcept;

  /// Another snapshot begins, by which entries cool: see update_heat().
  [[nodiscard]] std::uint32_t begin_heat_round() noexcept { return ++snapshots_; }

  // Leases: see lease.hpp.

  [[nodiscard]] MetadataArray<PageSpan>& leases() noexcept { return leases_; }
  /// Whether a lease covers `page`. Where the kernel copies, entries do not say.
  [[nodiscard]] bool is_leased(PageIndex page) const noexcept {
    return std::any_of(leases_.begin(), leases_.end(),
                       [&](PageSpan lease) { return lease.contains(page); });
  }
  /// What a child process will see, while fork() runs; otherwise empty. Null if there never was a
  /// lease.
  [[nodiscard]] MetadataPointer<PageTable>& child_table() noexcept { return child_table_; }

  // Restoring, again and again: see rollback.hpp.

  [[nodiscard]] RollbackList& rollback() noexcept { return rollback_; }
  [[nodiscard]] const RollbackList& rollback() const noexcept { return rollback_; }

  // While it leaves: see leaving.hpp.

  /// Gives back all addresses behind the first `bytes`; with 0, the mappings are counted no more.
  void give_up_addresses(std::size_t bytes) noexcept;

  // After fork(), in the child.

  /// The homes belong to the parent.
  void forget_homes() noexcept;
  /// The page table is `other` from now on, which has no writable pages. The caller maps what
  /// differs.
  void replace_table(PageTable& other) noexcept;

 private:
  /// What an entry of a leaf of this table may be: see Entry.
  [[nodiscard]] bool may_have(const Leaf& leaf, Entry entry) const noexcept {
    const auto is_ours_alone = [&] {
      return leaf.references == 1 && family_->frames().is_sole_owner(entry);
    };
    return entry.is_sound() && (!entry.writable() || is_ours_alone());
  }
  [[nodiscard]] Boundaries edges(std::uint64_t leaf_index) const noexcept;
  void note_writable(const Leaf& leaf) noexcept;

  std::shared_ptr<Family> family_;
  Use use_;
  std::atomic<std::uint64_t> open_pages_;
  MappedRange range_;
  ShownTable shown_;
  Homes homes_;
  FixedArray<std::byte> writable_memory_;
  SparseBits writable_;  ///< leaves with writable entries
  std::uint64_t writable_pages_ = 0;
  std::uint32_t snapshots_ = 0;  ///< rounds for Entry::heat
  bool may_pack_ = false;
  bool kept_ = false;  ///< a snapshot may hold frames that were not seen when there was room last
  MetadataArray<PageSpan> leases_;
  MetadataPointer<PageTable> child_table_;
  RollbackList rollback_;
  FaultCounts counts_;
  LineageNode lineage_{LineageNode::Kind::region};
};

template <class Change>
void AddressSpace::edit(Leaf& leaf, PageSpan span, const Change& change) noexcept {
  family_->lock().assert_held();
  const PageSpan whole = table().span_of(leaf.index);
  COW_CHECK(table().owns_leaf(whole.first));
  const Boundaries edges_before = edges(leaf.index);
  writable_pages_ -= leaf.writable;
  EntryChanges changes(table());
  const Boundaries inside = edit_leaf(leaf, span, whole, [&](PageIndex page, Entry& entry) {
    const Entry before = entry;
    change(page, entry);
    COW_CHECK(may_have(leaf, entry));
    if (entry.frame() != before.frame()) {
      family_->frames().note_shown(*this, before.frame(), entry.frame());
    }
    changes.note(page, before, entry);
  });
  writable_pages_ += leaf.writable;
  range_.count(inside + edges(leaf.index) - edges_before);
  note_writable(leaf);
}

template <class Change>
void AddressSpace::edit_as_one(Leaf& leaf, const Change& change) noexcept {
  family_->lock().assert_held();
  const PageSpan whole = table().span_of(leaf.index);
  COW_CHECK(table().owns_leaf(whole.first) && leaf.boundaries.none());
  const Boundaries edges_before = edges(leaf.index);
  const Entry first_before = leaf[whole.first];
  for (PageIndex page = whole.first; page < whole.last; ++page) {
    change(leaf[page]);
    COW_CHECK(may_have(leaf, leaf[page]));
  }
  const Entry first = leaf[whole.first];
  if (first.writable() != first_before.writable()) EntryChanges(table()).add(whole, first);
  writable_pages_ -= leaf.writable;
  leaf.writable = first.writable() ? static_cast<std::uint32_t>(whole.count().value) : 0;
  writable_pages_ += leaf.writable;
  range_.count(edges(leaf.index) - edges_before);
  note_writable(leaf);
}

}  // namespace cow
