#include "mm/watch/filling.hpp"

#include "base/refusal.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "mm/tables/table_runs.hpp"
#include "mm/watch/showing.hpp"
#include "os/thread.hpp"

namespace cow {

namespace {

// Their page-table entries take 8 MiB, and a few milliseconds to write.
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 20;

// Where they are worth a mapping; what the kernel refuses to map shows the holes of the file.
void show_zeros(AddressSpace& space) noexcept {
  std::size_t gaps = 0;
  for_each_mapping(space.table(), [&](PageSpan run, Entry first) {
    const bool is_worth_it = first.is_zero_page() && run.count() >= Showing::kMappedPages;
    if (is_worth_it && ++gaps < Showing::kMostMappings / 2 && mapping_budget::spendable() >= 2) {
      static_cast<void>(space.show(run, first));
    }
  });
}

}  // namespace

void begin_filling(AddressSpace& space) {
  Family& family = space.family();
  const Section section(family);
  if (space.range().watch() == nullptr || family.pages().value > kMostPages ||
      family.frames().shows_file()) {
    return;
  }
  family.ensure_reserve({.tables = 1});
  const Frame home = space.homes().first();
  const int error = space.range().begin_filling(home);
  if (error != 0) throw_refused(error, "mmap", "the frames of a region could not be mapped");
  space.edit({PageIndex{0}, PageIndex{family.pages().value}}, [&](PageIndex page, Entry& entry) {
    entry = Entry(home.after({page.value}));
    entry.set_writable(true);
    entry.set_never_stored(true);
    family.frames().take(entry.frame());
  });
}

// What nobody stored to is zeros again, with no frame: the kernel would fill a hole of the file to
// copy it, and for who only loads from it.
void end_filling(AddressSpace& space) {
  FrameStore& frames = space.family().frames();
  const Frame home = space.table().entry(PageIndex{0}).frame();
  const int error = space.range().end_filling(home);
  if (error != 0) {
    throw_refused(error, "mmap", "a region's frames could not be mapped to be shared");
  }
  // Nobody stores to the frames any more.
  HoleFinder holes(frames);
  space.for_each_writable_leaf([&](Leaf& leaf) {
    const PageSpan span = space.table().span_of(leaf.index);
    const auto is_hole = [&](PageIndex page) { return holes.is_hole(leaf[page].frame()); };
    const auto alike = [&](PageIndex first, PageIndex page) {
      return is_hole(first) == is_hole(page);
    };
    for_each_stretch(
        span, [](PageIndex) { return true; }, alike,
        [&](PageSpan part) {
          const bool zeros = is_hole(part.first);
          const Frame first = leaf[part.first].frame();
          space.edit(leaf, part, [&](PageIndex page, Entry& entry) {
            entry = zeros ? Entry{} : Entry(first.after(page - part.first));
          });
          if (zeros) frames.drop_references({first, part.count()}, 1);
        });
    leaf.any_never_stored = false;
  });
  // Not while others may store: what they store to between two mappings would be lost.
  if (os::is_only_thread()) show_zeros(space);
}

}  // namespace cow
