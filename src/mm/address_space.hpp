#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/units.hpp"
#include "mm/family.hpp"
#include "mm/heat.hpp"
#include "mm/homes.hpp"
#include "mm/mapping_budget.hpp"
#include "mm/metadata_heap.hpp"
#include "mm/page_table.hpp"
#include "mm/rollback.hpp"
#include "os/mapping.hpp"

namespace cow {

class HoleFinder;

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

  /// An address space of untouched pages, of which it shows zeros until show_table(). Takes the
  /// family's lock. Throws std::system_error.
  AddressSpace(std::shared_ptr<Family> family, Use use);
  /// Gives back the addresses and every frame nobody else references, in pieces. Takes the family's
  /// lock.
  ~AddressSpace();
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  [[nodiscard]] Family& family() const noexcept { return *family_; }
  [[nodiscard]] const std::shared_ptr<Family>& shared_family() const noexcept { return family_; }
  [[nodiscard]] std::byte* begin() const noexcept { return range_.begin(); }
  [[nodiscard]] std::byte* end() const noexcept { return range_.end(); }
  [[nodiscard]] std::byte* address(PageIndex page) const noexcept {
    return begin() + family_->geometry().offset(page);
  }
  [[nodiscard]] PageIndex page_at(std::uintptr_t address) const noexcept {
    return family_->geometry().page_at(address - reinterpret_cast<std::uintptr_t>(begin()));
  }

  [[nodiscard]] bool is_region() const noexcept { return use_ == Use::region; }

  // The caller holds the family's lock from here on.

  [[nodiscard]] PageTable& table() noexcept { return shown_.table; }
  [[nodiscard]] const PageTable& table() const noexcept { return shown_.table; }
  [[nodiscard]] const ShownTable& shown() const noexcept { return shown_; }
  [[nodiscard]] ShownTable& shown() noexcept { return shown_; }
  [[nodiscard]] FaultCounts& counts() noexcept { return counts_; }
  [[nodiscard]] std::size_t mappings() const noexcept { return mappings_; }
  /// Calls `use(Leaf&)` for each leaf with writable entries, in ascending order.
  template <class Visit>
  void for_each_writable_leaf(const Visit& visit) const {
    for (std::uint64_t word = 0; word < writable_groups_words(); ++word) {
      for (std::uint64_t bits = writable_groups_[word]; bits != 0; bits &= bits - 1) {
        const auto bit = static_cast<unsigned>(__builtin_ctzll(bits));
        Leaf* const leaf = table().leaf_at(word * 64 + bit);
        if (leaf == nullptr) __builtin_unreachable();  // there is one, or it had no bit
        visit(*leaf);
      }
    }
  }
  /// The smallest span with all pages of `leaf` whose entries pass `test(Entry)`.
  template <class Test>
  [[nodiscard]] PageSpan hull_of(const Leaf& leaf, const Test& test) const noexcept;

  // Control calls.

  /// Makes every writable page read-only, so that its frame can be shared, but for leased ones.
  /// Whoever shares the table gets copies of those: see share_table in lease.hpp.
  /// Cost: O(writable leaves). Throws std::system_error; what it did until then holds.
  void write_protect();

  /// The same for a snapshot, which gets copies of hot pages, too: their entries stay writable.
  /// To hold stores off the kernel lets nobody store to them until reopen_hot(), which must follow
  /// then, also after an error.
  void write_protect_cold(HotPages pages);
  void reopen_hot() noexcept;

  /// Maps what the page table holds, in `runs` mappings, in an address space that still shows zeros
  /// everywhere. 0 or an errno value; then it shows zeros again.
  [[nodiscard]] int map_all(std::uint64_t runs) noexcept;
  /// The same; on an error the table is empty again, too.
  [[nodiscard]] int show_table(std::uint64_t runs) noexcept;

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

  /// Opens a home whose slots are all free; returns its first frame. Throws std::system_error.
  Frame add_home() { return homes_.open(); }
  /// The same where none of its homes is empty. Throws std::system_error.
  Frame empty_home() { return homes_.empty_one(); }
  /// Precondition: a region that was just made.
  [[nodiscard]] Frame first_home() const noexcept { return homes_.first(); }

  /// Whether the family keeps packed frames in reserve for this region.
  [[nodiscard]] bool may_pack() const noexcept { return may_pack_; }

  /// Makes leaf `group` the one `other` has, after the kernel was told.
  void adopt_leaf(std::uint64_t group, const PageTable& other) noexcept;
  /// Leaf `group` goes to `other`, which has none there, and the pages show zeros, as the kernel
  /// was told. Precondition: untouched pages are zero pages in this family.
  void hand_leaf_to(std::uint64_t group, PageTable& other) noexcept;

  // For faults. Signal context: yes.

  /// Maps the frames from `first` on over `span`. 0 or an errno value; on an error nothing has
  /// changed that a load could see.
  [[nodiscard]] int map(PageSpan span, Frame first, os::Protection protection,
                        os::Populate populate = os::Populate::no,
                        os::Look look = os::Look::now) noexcept;
  /// The same with zeros, read-only, without any frame.
  [[nodiscard]] int map_zeros(PageSpan span) noexcept;
  /// The same as map() for a view: nothing that is forced into it reaches the frames.
  [[nodiscard]] int map_for_reading(PageSpan span, Frame first) noexcept;
  /// Shows the frame of `page`'s entry again, read-only. 0 or an errno value.
  [[nodiscard]] int map_read_only(PageIndex page) noexcept;
  /// Lets `span` be written where it is. 0 or an errno value.
  [[nodiscard]] int make_writable(PageSpan span) noexcept;
  /// After make_writable() failed, which may have opened a part: pages that are read-only are
  /// protected again, or, if that is impossible, become writable. Precondition: all of them are
  /// sole owners.
  void protect_again(Leaf& leaf, PageSpan span) noexcept;
  /// After a mapping failed: some kernels have removed the old one by then. Shows what the page
  /// table says. False, and the process cannot go on, if that fails.
  [[nodiscard]] bool show_again(PageSpan span) noexcept;

  /// Changes entries of one leaf that this table owns, keeping all counts: `change(page, entry)`.
  template <class Change>
  void edit(Leaf& leaf, PageSpan span, const Change& change) noexcept;

  /// The home slot to which `page` can move, such that it joins its neighbours if that is possible.
  /// An empty frame if no home has the slot free.
  [[nodiscard]] Frame free_home_slot(PageIndex page) const noexcept;
  /// The same, such that those around it that have to move find their slots beside it.
  [[nodiscard]] Frame roomy_home_slot(PageIndex page) const noexcept {
    return homes_.free_slot(page);
  }

  /// Where bytes of `frame`, shown at `page`, are mapped and most likely in the processor's page
  /// table already: in the space whose home the frame is, if `turn` lets us read there, or else
  /// here.
  [[nodiscard]] const std::byte* source_of(PageIndex page, Frame frame, Turn& turn) const noexcept;

  // Leases: see lease.hpp.

  [[nodiscard]] MetadataArray<PageSpan>& leases() noexcept { return leases_; }
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

  /// Nobody can touch the addresses any more. 0 or an errno value.
  [[nodiscard]] int forbid() noexcept {
    return os::protect(begin(), range_.bytes(), os::Protection::none);
  }

  /// The homes belong to the parent.
  void forget_homes() noexcept;
  /// The page table is `other` from now on, which has no writable pages. The caller maps what
  /// differs.
  void replace_table(PageTable& other) noexcept;

 private:
  [[nodiscard]] std::int64_t edges(std::uint64_t group) const noexcept;
  void count_mappings(std::int64_t change) noexcept;
  /// Which writable pages are not to be protected.
  enum class Spare { leased, leased_and_hot };
  [[nodiscard]] static bool is_spared(Entry entry, Spare spare) noexcept {
    return entry.leased() || (spare == Spare::leased_and_hot && entry.hot());
  }
  /// Protects leaves that lie close together in one call, but for those of which `prepare(Leaf&)`
  /// says that it has done it.
  enum class Together { yes, no };
  template <class Prepare>
  void write_protect_together(Spare spare, const Prepare& prepare);
  void protect(PageSpan hull, Spare spare);
  void close_leaf(Leaf& leaf, Spare spare, HoleFinder& holes) noexcept;
  [[nodiscard]] bool close_in_one(Leaf& leaf, Spare spare, HoleFinder& holes) noexcept;
  void reopen(PageSpan span) noexcept;
  void note_writable(const Leaf& leaf) noexcept;
  [[nodiscard]] std::uint64_t writable_groups_words() const noexcept {
    return leaves_for(shown_.table.pages()) / 64 + 1;
  }

  std::shared_ptr<Family> family_;
  Use use_;
  os::AddressRange range_;
  ShownTable shown_;
  Homes homes_;
  FixedArray<std::uint64_t> writable_groups_;  ///< a bit for each leaf with writable entries
  std::size_t mappings_ = 0;
  std::uint32_t snapshots_ = 0;  ///< rounds for Entry::heat
  bool may_pack_ = false;
  bool kept_ = false;  ///< a snapshot may hold frames that were not seen when there was room last
  MetadataArray<PageSpan> leases_;
  MetadataPointer<PageTable> child_table_;
  RollbackList rollback_;
  FaultCounts counts_;
};

/// Calls `use(PageSpan)` for the stretches of `span` whose entries pass `test(Entry)`.
template <class Test, class Use>
void for_each_stretch(const PageTable& table, PageSpan span, const Test& test, const Use& use) {
  for_each_stretch(
      span, [&](PageIndex page) { return test(table.entry(page)); }, use);
}

template <class Test>
PageSpan AddressSpace::hull_of(const Leaf& leaf, const Test& test) const noexcept {
  const auto& entries = leaf.entries;
  const auto first = std::find_if(entries.begin(), entries.end(), test);
  const auto last = std::find_if(entries.rbegin(), entries.rend(), test).base();
  const PageIndex begin = table().span_of(leaf.group).first;
  if (first == entries.end()) return {begin, begin};
  return {begin + PageCount{static_cast<std::uint64_t>(first - entries.begin())},
          begin + PageCount{static_cast<std::uint64_t>(last - entries.begin())}};
}

template <class Change>
void AddressSpace::edit(Leaf& leaf, PageSpan span, const Change& change) noexcept {
  const PageSpan whole = table().span_of(leaf.group);
  const std::int64_t edges_before = edges(leaf.group);
  const std::int64_t inside =
      edit_leaf(leaf, (span.first - whole.first).value, (span.last - whole.first).value,
                whole.count().value, [&](std::size_t index, Entry& entry) {
                  const Frame before = entry.frame();
                  change(whole.first + PageCount{index}, entry);
                  if (entry.frame() != before)
                    family_->frames().note_shown(*this, before, entry.frame());
                });
  count_mappings(inside + edges(leaf.group) - edges_before);
  note_writable(leaf);
}

/// Calls `use(PageSpan, Entry first)` for each run of entries that join, in order, without looking
/// at every entry of a leaf that is one run, or at every leaf of a directory that is missing.
template <class Use>
void for_each_mapping(const PageTable& table, const Use& use) {
  PageSpan run{};
  Entry run_first;
  Entry last;
  const auto piece = [&](PageIndex end, Entry piece_first, Entry piece_last) {
    if (run.empty() || !last.joins(piece_first)) {
      if (!run.empty()) use(run, run_first);
      run.first = run.last;
      run_first = piece_first;
    }
    run.last = end;
    last = piece_last;
  };
  const std::uint64_t groups = leaves_for(table.pages());
  for (std::uint64_t group = 0; group < groups; ++group) {
    PageSpan span = table.span_of(group);
    const Leaf* const leaf = table.leaf_at(group);
    if (table.directory_at(group / kTableEntries) == nullptr) {
      group = std::min(groups, (group / kTableEntries + 1) * kTableEntries) - 1;
      span.last = table.span_of(group).last;
    }
    if (leaf == nullptr) {
      const FrameStore& frames = table.store().frames;
      const Entry first = frames.untouched(span.first);
      const Entry end = frames.untouched(span.last - kOnePage);
      // Where the file ends, at the last page of a table, there is a leaf.
      piece(span.last, first, end);
    } else if (leaf->breaks == 0) {
      piece(span.last, leaf->entries[0], leaf->entries[span.count().value - 1]);
    } else {
      for (std::size_t i = 0; i < span.count().value; ++i) {
        const PageIndex next = span.first + PageCount{i + 1};
        piece(next, leaf->entries[i], leaf->entries[i]);
      }
    }
  }
  if (!run.empty()) use(run, run_first);
}

inline std::uint64_t count_runs(const PageTable& table) noexcept {
  std::uint64_t runs = 0;
  for_each_mapping(table, [&](PageSpan, Entry) { ++runs; });
  return runs;
}

}  // namespace cow
