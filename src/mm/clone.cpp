#include "mm/clone.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/error.hpp"
#include "mm/lease.hpp"

namespace cow {

namespace {

/// Memory for carrying bytes from frame to frame, outside of any region.
class Carrier {
 public:
  explicit Carrier(PageGeometry geometry)
      : geometry_(geometry), buffer_(os::map_metadata(geometry.bytes(kPages))) {
    if (buffer_ == nullptr) {
      throw_system_error(ENOMEM, "mmap", "no memory is left to copy the frames of a region");
    }
  }
  ~Carrier() { os::unmap_metadata(buffer_, geometry_.bytes(kPages)); }
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  /// 0 or an errno value.
  [[nodiscard]] int carry(FrameStore& frames, FrameRun from, Frame to) const noexcept {
    int error = 0;
    for (PageCount done{0}; error == 0 && done < from.count;) {
      const PageCount step = std::min(kPages, from.count - done);
      const Frame source = from.first.after(done);
      const Frame target = to.after(done);
      error = os::read_frames(frames.file(source), buffer_, geometry_.bytes(step),
                              frames.offset(source));
      if (error != 0) break;
      error = frames.fill({target, step}, buffer_);
      done = done + step;
    }
    return error;
  }

 private:
  static constexpr PageCount kPages{16};
  PageGeometry geometry_;
  std::byte* buffer_;
};

bool is_all_zeros(const PageTable& table, std::uint64_t group) noexcept {
  return table.leaf_at(group) == nullptr && !table.store().frames.shows_file();
}

/// Gives `empty` frames of its own, side by side, with the bytes of one leaf of `source`. `copy`
/// moves the bytes: `int copy(FrameRun from, PageIndex page, Frame to)`.
template <class Copy>
void copy_leaf(const PageTable& source, std::uint64_t group, AddressSpace& empty, Frame home,
               bool writable, const Copy& copy) {
  FrameStore& frames = empty.family().frames();
  const PageSpan span = source.span_of(group);
  Leaf untouched;
  const Leaf& from = source.leaf_or(group, untouched);
  Leaf& leaf = empty.table().own_leaf(span.first);
  if (frames.shows_file()) {
    empty.edit(leaf, span, [&](PageIndex page, Entry& entry) {
      if (entry.is_zero_page() || !from.entries[page.value % kTableEntries].shows_zeros()) return;
      frames.drop_references({entry.frame(), kOnePage}, 1);
      entry = Entry{};
    });
  }
  for_each_frame_run(from, [&](FrameRun run, std::size_t index) {
    // Within a run, pages that were never touched stay zero pages.
    for (std::size_t i = index; i < index + run.count.value;) {
      std::size_t end = i;
      const std::size_t run_end = index + run.count.value;
      while (end < run_end && !from.entries[end].never_stored()) ++end;
      if (i < end) {
        const PageSpan pages{span.first + PageCount{i}, span.first + PageCount{end}};
        const Frame to = home.after({pages.first.value});
        const FrameRun part{run.first.after({i - index}), pages.count()};
        empty.edit(leaf, pages, [&](PageIndex page, Entry& entry) {
          if (!entry.is_zero_page()) frames.drop_references({entry.frame(), kOnePage}, 1);
          entry = Entry(home.after({page.value}));
          entry.set_writable(writable);
          entry.set_taken_along(true);  // a frame of its own, and nobody stored to it
          frames.take(entry.frame());
        });
        // Frames are filled once they are taken. The table goes with its space if that fails.
        if (const int error = copy(part, pages.first, to); error != 0) {
          throw_system_error(error, "pwrite", "no memory is left for a copy of a region");
        }
      }
      i = std::max(end, i + 1);
    }
  });
}

void map_copy(AddressSpace& copy) {
  if (const int error = copy.map_all(count_runs(copy.table())); error != 0) {
    throw_system_error(error, "mmap", "the copy of a region could not be mapped");
  }
}

/// Shows what `source` shows, in about `runs` mappings: `share(PageTable&)` fills the table and
/// returns how many it needs. By copies, which lie side by side, where sharing would take more
/// mappings than the process can spare.
template <class Share>
void show(const PageTable& source, std::uint64_t runs, AddressSpace& empty, bool writable,
          const Share& share) {
  if (runs <= mapping_budget::spendable()) {
    empty.show_table(share(empty.table()));
    return;
  }
  Family& family = empty.family();
  family.ensure_reserve({.tables = 1});
  const Frame home = empty.add_home();
  const Carrier carrier(family.geometry());
  for (std::uint64_t group = 0; group < leaves_for(source.pages()); ++group) {
    if (is_all_zeros(source, group)) continue;
    copy_leaf(source, group, empty, home, writable, [&](FrameRun from, PageIndex, Frame to) {
      return carrier.carry(family.frames(), from, to);
    });
  }
  map_copy(empty);
}

// After an eager clone nothing is shared that was not before: its source's pages need not fault.
void reopen(AddressSpace& space, Leaf& leaf) noexcept {
  const FrameStore& frames = space.family().frames();
  const PageSpan span = space.table().span_of(leaf.group);
  const auto sole = [&](PageIndex page) {
    const Entry entry = leaf.entries[page.value % kTableEntries];
    return !entry.is_zero_page() && frames.references(entry.frame()) == 1 &&
           !frames.is_foreign(entry.frame());
  };
  for (PageIndex page = span.first; page < span.last; ++page) {
    PageIndex end = page;
    while (end < span.last && sole(end)) ++end;
    if (page < end && space.make_writable({page, end}) != 0) {
      space.protect_again(leaf, {page, end});
    } else if (page < end) {
      space.edit(leaf, {page, end}, [](PageIndex, Entry& entry) { entry.set_writable(true); });
      leaf.any_never_stored = std::any_of(leaf.entries.begin(), leaf.entries.end(),
                                          [](Entry entry) { return entry.never_stored(); });
    }
    page = std::max(page, end);
  }
}

// What is kept comes to be seen, or there is too much to look whether it is: every region whose
// frames it may be has room to move them.
void prepare_all(Family& family) {
  family.for_each_shown([](ShownTable& shown) { shown.space->prepare_if_kept(); });
}

void prepare_all_of_many(Family& family) {
  if (family.has_many_tables()) prepare_all(family);
}

}  // namespace

void clone_lazily(AddressSpace& source, AddressSpace& empty) {
  const Section section(source.family());
  source.prepare_to_be_seen();
  prepare_all_of_many(source.family());
  source.write_protect();
  show(source.table(), source.mappings(), empty, true, [&](PageTable& table) {
    share_table(source, table);
    return source.leases().empty() ? source.mappings() : count_runs(table);
  });
}

void clone_eagerly(AddressSpace& source, AddressSpace& empty) {
  std::vector<std::uint64_t> was_writable(leaves_for(source.table().pages()));
  const Section section(source.family());
  std::size_t count = 0;
  source.for_each_writable_leaf([&](const Leaf& leaf) { was_writable[count++] = leaf.group; });
  const auto reopen_all = [&] {
    for (std::size_t i = 0; i < count; ++i)
      reopen(source, *source.table().leaf_at(was_writable[i]));
  };
  try {
    source.family().ensure_reserve({});
    prepare_all_of_many(source.family());
    source.write_protect();  // other threads' stores wait for the lock until the copy is complete
    for (std::uint64_t group = 0; group < leaves_for(source.table().pages()); ++group) {
      if (is_all_zeros(source.table(), group)) continue;
      copy_leaf(source.table(), group, empty, empty.first_home(), true,
                [&](FrameRun from, PageIndex page, Frame to) {
                  return source.family().frames().fill({to, from.count}, source.address(page));
                });
    }
    map_copy(empty);
  } catch (...) {
    reopen_all();
    throw;
  }
  reopen_all();
}

void take_snapshot(AddressSpace& source, PageTable& empty, AddressSpace::Spare spare) {
  const Section section(source.family());
  source.prepare_to_be_kept();
  prepare_all_of_many(source.family());
  source.write_protect(spare);
  share_table(source, empty);
}

void exchange_pages(PageTable& kept, PageSpan span, const PageTable& other) noexcept {
  FrameStore& frames = kept.store().frames;
  for (PageIndex page = span.first; page < span.last;) {
    const std::uint64_t group = page.value / kTableEntries;
    const PageSpan whole = kept.span_of(group);
    const PageSpan part{page, std::min(span.last, whole.last)};
    page = part.last;
    if (part == whole) {
      kept.adopt_leaf(group, other);
      continue;
    }
    Leaf& leaf = kept.own_leaf(part.first);
    edit_leaf(leaf, (part.first - whole.first).value, (part.last - whole.first).value,
              whole.count().value, [&](std::size_t index, Entry& entry) {
                const Entry old = entry;
                entry = other.entry(whole.first + PageCount{index});
                if (!entry.is_zero_page()) frames.add_references({entry.frame(), kOnePage}, 1);
                if (!old.is_zero_page()) frames.drop_references({old.frame(), kOnePage}, 1);
                leaf.any_never_stored = leaf.any_never_stored || entry.never_stored();
              });
  }
}

void show_snapshot(const PageTable& snapshot, AddressSpace& empty) {
  const Section section(empty.family());
  prepare_all(empty.family());
  const std::uint64_t runs = count_runs(snapshot);
  show(snapshot, runs, empty, empty.is_region(), [&](PageTable& table) {
    table.share(snapshot);
    return runs;
  });
}

}  // namespace cow
