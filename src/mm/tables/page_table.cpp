#include "mm/tables/page_table.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace cow {

namespace {

std::atomic<std::uint64_t> g_last_identity{0};
std::atomic<std::uint32_t> g_last_trace_number{0};

}  // namespace

std::uint32_t next_trace_number() noexcept {
  return g_last_trace_number.fetch_add(1, std::memory_order_relaxed) + 1;
}

PageTable::PageTable(TableStore& store)
    : store_(store),
      identity_(g_last_identity.fetch_add(1, std::memory_order_relaxed) + 1),
      directories_(directories_for(store.pages)) {}

bool PageTable::owns_leaf(PageIndex page) const noexcept {
  const std::uint64_t leaf_index = page.leaf_index();
  const Directory* const directory = directories_[leaf_index / kTableEntries];
  if (directory == nullptr || directory->references > 1) return false;
  const Leaf* const leaf = directory->leaves[leaf_index % kTableEntries];
  return leaf != nullptr && leaf->references == 1;
}

Leaf& PageTable::own_leaf(PageIndex page) noexcept {
  const std::uint64_t leaf_index = page.leaf_index();
  Directory& directory = own_directory(leaf_index / kTableEntries);
  Leaf*& leaf = directory.leaves[leaf_index % kTableEntries];
  if (leaf == nullptr) {
    leaf = store_.leaves.take();
    fill_untouched(*leaf, leaf_index);
    count_frames(*leaf);
  } else if (leaf->references > 1) {
    leaf = &copy_leaf(*leaf);
  }
  return *leaf;
}

Directory& PageTable::own_directory(std::uint64_t index) noexcept {
  Directory*& directory = directories_[index];
  if (directory == nullptr) {
    directory = store_.directories.take();
  } else if (directory->references > 1) {
    Directory* const copy = store_.directories.take();
    copy->leaves = directory->leaves;
    for (Leaf* const leaf : copy->leaves) {
      if (leaf != nullptr) ++leaf->references;
    }
    --directory->references;
    directory = copy;
  }
  return *directory;
}

Leaf& PageTable::copy_leaf(Leaf& from) noexcept {
  Leaf& copy = *store_.leaves.take();
  copy.writable = from.writable;
  copy.boundaries = from.boundaries;
  copy.index = from.index;
  copy.heat_round = from.heat_round;
  copy.any_never_stored = from.any_never_stored;
  copy.entries = from.entries;
  count_frames(copy);
  copy.older = &from;
  copy.newer = from.newer;
  copy.newer->older = &copy;
  from.newer = &copy;
  --from.references;
  return copy;
}

void PageTable::fill_untouched(Leaf& leaf, std::uint64_t leaf_index) const noexcept {
  leaf.index = static_cast<std::uint32_t>(leaf_index);
  if (!store_.frames.shows_file()) return;
  const PageSpan span = span_of(leaf_index);
  for (std::size_t i = 0; i < span.count().value; ++i) {
    leaf.entries[i] = store_.frames.untouched(span.first + PageCount{i});
    if (i > 0) leaf.boundaries += Boundaries::between(leaf.entries[i - 1], leaf.entries[i]);
  }
}

void PageTable::count_frames(const Leaf& leaf) noexcept {
  for_each_frame_run(leaf, [&](FrameRun run) { store_.frames.add_references(run, 1); });
}

void TableStore::drop_leaf(Leaf* leaf) noexcept {
  if (leaf == nullptr || --leaf->references > 0) return;
  for_each_frame_run(*leaf, [&](FrameRun run) { frames.drop_references(run, 1); });
  free_leaf(leaf);
}

void TableStore::free_leaf(Leaf* leaf) noexcept {
  leaf->older->newer = leaf->newer;
  leaf->newer->older = leaf->older;
  leaves.give_back(leaf);
}

// Entry by entry, as a frame may be a gigabyte's five-hundredth part.
bool TableStore::drop_leaf(Leaf* leaf, Piece& piece) noexcept {
  if (leaf->references > 1) {
    --leaf->references;
    piece.use_looks(1);
    return true;
  }
  const PageSpan whole = span_of(leaf->index);
  for (PageSpan run{whole.first, whole.first}; run.first < whole.last; run.first = run.last) {
    const Frame first = (*leaf)[run.first].frame();
    run.last = run.first + kOnePage;
    if (first == Frame{}) continue;
    if (piece.is_used_up()) {
      const PageSpan dropped{whole.first, run.first};
      edit_leaf(*leaf, dropped, whole, [](PageIndex, Entry& entry) { entry = Entry{}; });
      return false;
    }
    while (run.last < whole.last && run.count().value < piece.frames() &&
           (*leaf)[run.last].frame() == first.after(run.count())) {
      ++run.last;
    }
    frames.drop_references({first, run.count()}, 1);
    piece.use_frames(run.count().value);
  }
  free_leaf(leaf);
  return true;
}

bool TableStore::drop_directory(Directory* directory, Piece& piece) noexcept {
  piece.use_looks(kTableEntries);
  if (directory->references == 1) {
    for (Leaf*& leaf : directory->leaves) {
      if (leaf == nullptr) continue;
      if (piece.is_used_up() || !drop_leaf(leaf, piece)) return false;
      leaf = nullptr;
    }
  }
  drop_directory(directory);
  return true;
}

void TableStore::drop_directory(Directory* directory) noexcept {
  if (directory == nullptr || --directory->references > 0) return;
  for (Leaf* const leaf : directory->leaves) drop_leaf(leaf);
  directories.give_back(directory);
}

bool PageTable::is_empty() const noexcept {
  return std::all_of(directories_.begin(), directories_.begin() + directories_.size(),
                     [](const Directory* directory) { return directory == nullptr; });
}

void PageTable::share(const PageTable& other) noexcept {
  COW_CHECK(is_empty());
  for (std::uint64_t i = 0; i < directory_count(); ++i) directories_[i] = other.share_directory(i);
}

void PageTable::release() noexcept {
  for (std::uint64_t i = 0; i < directory_count(); ++i) {
    store_.drop_directory(directories_[i]);
    directories_[i] = nullptr;
  }
}

bool PageTable::release(Piece& piece) noexcept {
  for (; released_ < directory_count(); ++released_) {
    Directory*& directory = directories_[released_];
    piece.use_looks(1);
    if (piece.is_used_up()) return false;
    if (directory != nullptr && !store_.drop_directory(directory, piece)) return false;
    directory = nullptr;
  }
  released_ = 0;
  return true;
}

void PageTable::adopt_leaf(std::uint64_t leaf_index, const PageTable& other) noexcept {
  Leaf* const theirs = other.leaf_at(leaf_index);
  Leaf*& ours = own_directory(leaf_index / kTableEntries).leaves[leaf_index % kTableEntries];
  if (ours == theirs) return;
  if (theirs != nullptr) ++theirs->references;
  store_.drop_leaf(ours);
  ours = theirs;
}

void PageTable::drop_leaf(std::uint64_t leaf_index) noexcept {
  if (leaf_at(leaf_index) == nullptr) return;
  Directory& directory = own_directory(leaf_index / kTableEntries);
  store_.drop_leaf(std::exchange(directory.leaves[leaf_index % kTableEntries], nullptr));
}

void PageTable::hand_leaf_to(std::uint64_t leaf_index, PageTable& other) noexcept {
  Leaf*& ours = own_directory(leaf_index / kTableEntries).leaves[leaf_index % kTableEntries];
  Leaf*& theirs =
      other.own_directory(leaf_index / kTableEntries).leaves[leaf_index % kTableEntries];
  theirs = std::exchange(ours, nullptr);
}

void Leaf::find_never_stored() noexcept {
  any_never_stored =
      std::any_of(entries.begin(), entries.end(), [](Entry entry) { return entry.never_stored(); });
}

void replace_entry(FrameStore& frames, Entry& entry, Entry then) noexcept {
  const Entry old = entry;
  entry = then;
  if (!entry.is_zero_page()) frames.add_references({entry.frame(), kOnePage}, 1);
  frames.drop_reference(old);
}

}  // namespace cow
