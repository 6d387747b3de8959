#include "mm/watch/filling.hpp"

#include "base/refusal.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "mm/tables/table_runs.hpp"
#include "mm/watch/showing.hpp"
#include "os/last_words.hpp"
#include "os/thread.hpp"

namespace cow {

namespace {

// Their page-table entries take 8 MiB, and a few milliseconds to write.
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 20;

// What nobody stored to is zeros, with no frame, where that is worth a mapping: the kernel would
// fill a hole of the file to copy it, and for who only loads from it. Elsewhere the holes stay
// taken: somebody else may come to see them.
void give_up_holes(AddressSpace& space) noexcept {
  std::size_t gaps = 0;
  const auto is_hole = [](Entry entry) { return entry.never_stored(); };
  for_each_frame_stretch(space.table(), space.all_pages(), is_hole, [&](PageSpan run) {
    const bool is_worth_it = run.count() >= Showing::kMappedPages &&
                             ++gaps < WatchedRange::kMostMappings / 2 &&
                             mapping_budget::spendable() >= 2;
    if (!is_worth_it) return;
    if (const int error = space.show(run, Entry{}); error != 0) {
      return space.must_show_again(run, error);
    }
    const Frame first = space.table().entry(run.first).frame();
    space.edit(run, [](PageIndex, Entry& entry) { entry = Entry{}; });
    space.family().frames().drop_references({first, run.count()}, 1);
  });
}

}  // namespace

void begin_filling(AddressSpace& space) {
  Family& family = space.family();
  family.lock().assert_held();
  if (family.pages().value > kMostPages || family.frames().shows_file()) return;
  family.ensure_reserve({.tables = 1});
  const Frame home = space.homes().first();
  const int error = space.watched().begin_filling(home);
  if (error != 0) throw_refused(error, "mmap", "the frames of a region could not be mapped");
  space.edit({PageIndex{0}, PageIndex{family.pages().value}}, [&](PageIndex page, Entry& entry) {
    entry = Entry(home.after({page.value}));
    entry.set_writable(true);
    entry.set_never_stored(true);
    family.frames().take(entry.frame());
  });
}

void end_filling(AddressSpace& space) {
  const Frame home = space.table().entry(PageIndex{0}).frame();
  const int error = space.range().map(space.all_pages(), home, os::Protection::read_write);
  if (error != 0) {
    // Some kernels have removed the mapping by then. All bytes are in the frames.
    const int lost =
        space.range().is_mapped(space.all_pages()) ? 0 : space.watched().begin_filling(home);
    if (lost != 0) os::die_of("a region could not be mapped as it was", lost);
    throw_refused(error, "mmap", "a region's frames could not be mapped to be shared");
  }
  space.watched().end_filling();  // nobody stores to the frames any more
  HoleFinder holes(space.family().frames());
  space.for_each_writable_leaf([&](Leaf& leaf) {
    leaf.any_never_stored = false;
    space.edit(leaf, space.table().span_of(leaf.index), [&](PageIndex, Entry& entry) {
      const bool is_hole = holes.is_hole(entry.frame());
      entry = Entry(entry.frame());
      entry.set_never_stored(is_hole);
      if (!is_hole) space.family().frames().note_filled({entry.frame(), kOnePage});
    });
    leaf.find_never_stored();
  });
  // Not while others may store: what they store to between two mappings would be lost.
  if (os::is_only_thread()) give_up_holes(space);
}

}  // namespace cow
