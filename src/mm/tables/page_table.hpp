#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/check.hpp"
#include "base/units.hpp"
#include "mm/frames/entry.hpp"
#include "mm/frames/frame_store.hpp"
#include "mm/resources/metadata_heap.hpp"
#include "mm/resources/node_pool.hpp"

namespace cow {

inline constexpr std::size_t kBlockPages = 64;  ///< the unit in which a leaf counts its faults
inline constexpr std::size_t kLeafBlocks = kTableEntries / kBlockPages;

/// The last level of the page table: 512 entries, shared between tables by reference count and
/// copied on write itself, as in on-demand-fork (Zhao, Gong, Fonseca, EuroSys 2021).
///
/// Invariant: a leaf that several tables reach has no writable entry, once whoever shares it has
/// let go of the lock (see share_table in table_sharing.hpp).
struct Leaf {
  std::uint32_t references = 1;   ///< directories that point here
  std::uint32_t writable = 0;     ///< entries that are writable
  Boundaries boundaries;          ///< before the entries 1…
  std::uint32_t index = 0;        ///< which leaf of the table: its first page / 512
  std::uint32_t heat_round = 0;   ///< which snapshot of its region its entries' heat was of
  bool any_never_stored = false;  ///< some entry may be never_stored()
  std::array<std::uint8_t, kLeafBlocks>
      block_faults{};  ///< write faults since it was copied, protected or put back

  /// All leaves of this index that were copied from one another, a ring. `older` leads to the leaf
  /// this one was copied from, as long as that lives.
  Leaf* older = this;
  Leaf* newer = this;

  std::array<Entry, kTableEntries> entries{};

  /// The entry of a page of this leaf.
  [[nodiscard]] Entry& operator[](PageIndex page) noexcept { return entries[page.entry_index()]; }
  [[nodiscard]] const Entry& operator[](PageIndex page) const noexcept {
    return entries[page.entry_index()];
  }
  /// How many faults the block of `page` had, up to 255.
  [[nodiscard]] unsigned faults_around(PageIndex page) const noexcept {
    return block_faults[page.entry_index() / kBlockPages];
  }
  /// Looks through all entries to say whether any is never_stored().
  void find_never_stored() noexcept;
  void count_fault(PageIndex page) noexcept {
    std::uint8_t& faults = block_faults[page.entry_index() / kBlockPages];
    if (faults < 255) ++faults;
  }
};

/// The level above: 512 leaves. The pages of a null leaf are untouched: see FrameStore::untouched.
struct Directory {
  std::uint32_t references = 1;  ///< page tables that point here
  std::array<Leaf*, kTableEntries> leaves{};
};

/// How traces know a page table: see table_trace.hpp.
struct TraceMark {
  std::uint32_t number = 0;   ///< of a region or snapshot; 0: no trace tells of this table
  std::uint64_t told_in = 0;  ///< the trace that knows what it shows
  bool is_made = false;       ///< others have got it; until then its making goes on
};

/// A number for a trace, which no table or family of this process has had before. Never 0.
[[nodiscard]] std::uint32_t next_trace_number() noexcept;

/// What the page tables of one family are made of. The caller holds the family's lock.
struct TableStore {
  TableStore(PageGeometry geometry, PageCount pages_of_a_table, Backing backing,
             std::size_t alignment, os::Advice advice)
      : pages(pages_of_a_table), frames(geometry, pages_of_a_table, backing, alignment, advice) {}

  const std::uint32_t trace_number = next_trace_number();  ///< of the family

  PageCount pages;  ///< of every table
  FrameStore frames;
  NodePool<Leaf> leaves;
  NodePool<Directory> directories;

  /// The pages of leaf `leaf_index`, of which a table's last one may have fewer.
  [[nodiscard]] PageSpan span_of(std::uint64_t leaf_index) const noexcept {
    const PageIndex first{leaf_index * kTableEntries};
    return {first, std::min(first + PageCount{kTableEntries}, PageIndex{pages.value})};
  }
  /// Drops one reference, and all that goes with the last.
  void drop_leaf(Leaf* leaf) noexcept;
  void drop_directory(Directory* directory) noexcept;
  /// The same as far as `piece` allows; true when it is done. What is left until then is a leaf, or
  /// a directory, that has lost some of its entries.
  [[nodiscard]] bool drop_leaf(Leaf* leaf, Piece& piece) noexcept;
  [[nodiscard]] bool drop_directory(Directory* directory, Piece& piece) noexcept;

 private:
  void free_leaf(Leaf* leaf) noexcept;
};

/// Leaves, and directories, that a table of `pages` pages can have.
constexpr std::uint64_t leaves_for(PageCount pages) {
  return (pages.value + kTableEntries - 1) / kTableEntries;
}
constexpr std::uint64_t directories_for(PageCount pages) {
  return (leaves_for(pages) + kTableEntries - 1) / kTableEntries;
}

/// Which frame each page shows. Two levels below an array of directories; sharing a table copies
/// only that array.
class PageTable {
 public:
  /// An empty table: every page is untouched. Throws std::bad_alloc.
  explicit PageTable(TableStore& store);
  /// Precondition: release() was called.
  ~PageTable() { COW_CHECK(is_empty()); }
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;

  [[nodiscard]] PageCount pages() const noexcept { return store_.pages; }
  [[nodiscard]] TraceMark& trace_mark() noexcept { return trace_mark_; }
  [[nodiscard]] const TraceMark& trace_mark() const noexcept { return trace_mark_; }
  /// No other table of this process has had or will have the same; never 0.
  [[nodiscard]] std::uint64_t identity() const noexcept { return identity_; }
  [[nodiscard]] TableStore& store() const noexcept { return store_; }

  // Signal context: yes.

  [[nodiscard]] Entry entry(PageIndex page) const noexcept {
    const Leaf* const leaf = leaf_of(page);
    return leaf == nullptr ? store_.frames.untouched(page) : (*leaf)[page];
  }
  [[nodiscard]] Leaf* leaf_of(PageIndex page) const noexcept { return leaf_at(page.leaf_index()); }
  [[nodiscard]] Leaf* leaf_at(std::uint64_t leaf_index) const noexcept {
    const Directory* const directory = directories_[leaf_index / kTableEntries];
    return directory == nullptr ? nullptr : directory->leaves[leaf_index % kTableEntries];
  }
  /// For `page`, which has no leaf: behind it, the first page of the next leaf, or directory where
  /// that is missing, too.
  [[nodiscard]] PageIndex end_of_missing(PageIndex page) const noexcept {
    const bool has_directory = directories_[page.leaf_index() / kTableEntries] != nullptr;
    const std::uint64_t step = has_directory ? kTableEntries : kTableEntries * kTableEntries;
    return std::min(PageIndex{(page.value / step + 1) * step}, PageIndex{pages().value});
  }
  [[nodiscard]] PageSpan span_of(std::uint64_t leaf_index) const noexcept {
    return store_.span_of(leaf_index);
  }

  /// The leaf of `page`, referenced by this table alone: shared page-table pages on the way are
  /// copied first, missing ones made. Precondition: the pools have enough nodes.
  Leaf& own_leaf(PageIndex page) noexcept;

  /// Whether this table alone reaches `page`'s leaf.
  [[nodiscard]] bool owns_leaf(PageIndex page) const noexcept;

  // Control calls.

  /// Whether no page has a leaf. Cost: O(directories).
  [[nodiscard]] bool is_empty() const noexcept;

  /// Shows what `other` shows, by sharing its directories. Precondition: this table is empty, and
  /// nothing in `other` is writable but what share_table() is about to copy.
  void share(const PageTable& other) noexcept;
  /// Drops everything; the table is empty afterwards.
  void release() noexcept;
  /// The same as far as `piece` allows; true when it is done.
  [[nodiscard]] bool release(Piece& piece) noexcept;
  /// Makes leaf `leaf_index` the one that `other` has there, dropping our own.
  void adopt_leaf(std::uint64_t leaf_index, const PageTable& other) noexcept;
  /// Drops leaf `leaf_index`, if there is one: its pages are untouched then.
  void drop_leaf(std::uint64_t leaf_index) noexcept;
  /// Leaf `leaf_index` becomes that of `other`, which has none there. Here its pages are untouched
  /// then.
  void hand_leaf_to(std::uint64_t leaf_index, PageTable& other) noexcept;

  /// For questions about identity: equal pointers are equal content.
  [[nodiscard]] const Directory* directory_at(std::uint64_t index) const noexcept {
    return directories_[index];
  }
  /// The same directory with one more reference, or null.
  [[nodiscard]] Directory* share_directory(std::uint64_t index) const noexcept {
    Directory* const directory = directories_[index];
    if (directory != nullptr) ++directory->references;
    return directory;
  }
  [[nodiscard]] std::uint64_t directory_count() const noexcept { return directories_for(pages()); }

 private:
  Directory& own_directory(std::uint64_t index) noexcept;
  Leaf& copy_leaf(Leaf& from) noexcept;
  void fill_untouched(Leaf& leaf, std::uint64_t leaf_index) const noexcept;
  void count_frames(const Leaf& leaf) noexcept;

  TableStore& store_;
  std::uint64_t identity_;
  TraceMark trace_mark_;
  FixedArray<Directory*> directories_;
  std::uint64_t released_ = 0;  ///< directories that release() has dropped so far
};

/// Calls `use(Leaf&)` for each leaf there is, in ascending order, without a look at what is missing
/// with its directory.
template <class Use>
void for_each_leaf(const PageTable& table, const Use& use) {
  for (std::uint64_t i = 0; i < table.directory_count(); ++i) {
    const Directory* const directory = table.directory_at(i);
    if (directory == nullptr) continue;
    for (Leaf* const leaf : directory->leaves) {
      if (leaf != nullptr) use(*leaf);
    }
  }
}

/// Changes the entries of `span` in `leaf`, which has those of `whole`, keeping its own counts:
/// `change(page, entry)`. Returns by how many the boundaries inside the leaf changed. Signal
/// context: yes.
template <class Change>
Boundaries edit_leaf(Leaf& leaf, PageSpan span, PageSpan whole, const Change& change) noexcept {
  const auto boundaries = [&] {
    Boundaries count;
    const PageIndex end = std::min(span.last + kOnePage, whole.last);
    for (PageIndex page = std::max(span.first, whole.first + kOnePage); page < end; ++page) {
      count += Boundaries::between(leaf[page - kOnePage], leaf[page]);
    }
    return count;
  };
  const Boundaries before = boundaries();
  std::uint32_t were_writable = 0;
  std::uint32_t are_writable = 0;
  bool any_never_stored = false;
  for (PageIndex page = span.first; page < span.last; ++page) {
    Entry& entry = leaf[page];
    were_writable += entry.writable() ? 1 : 0;
    change(page, entry);
    COW_CHECK(entry.is_sound());
    are_writable += entry.writable() ? 1 : 0;
    any_never_stored = any_never_stored || entry.never_stored();
  }
  leaf.writable += are_writable - were_writable;
  leaf.any_never_stored = leaf.any_never_stored || any_never_stored;
  const Boundaries change_of_boundaries = boundaries() - before;
  leaf.boundaries += change_of_boundaries;
  COW_CHECK(leaf.writable <= whole.count().value);
  COW_CHECK(leaf.boundaries.frames >= 0 && leaf.boundaries.permissions >= 0);
  return change_of_boundaries;
}

/// `entry` becomes `then`, of another table of the family, and both frames are counted.
/// To be called in the change of edit_leaf(). Signal context: yes.
void replace_entry(FrameStore& frames, Entry& entry, Entry then) noexcept;

/// Calls `use(FrameRun)` for each stretch of `leaf` whose frames are neighbours.
template <class Use>
void for_each_frame_run(const Leaf& leaf, const Use& use) {
  for (std::size_t begin = 0; begin < kTableEntries;) {
    if (leaf.entries[begin].is_zero_page()) {
      ++begin;
      continue;
    }
    const Frame first = leaf.entries[begin].frame();
    PageCount count = kOnePage;
    while (begin + count.value < kTableEntries &&
           leaf.entries[begin + count.value].frame() == first.after(count)) {
      count = count + kOnePage;
    }
    use(FrameRun{first, count});
    begin += count.value;
  }
}

}  // namespace cow
