#include "mm/control/clone.hpp"

#include <cerrno>
#include <system_error>

#include "base/refusal.hpp"
#include "mm/control/carrier.hpp"
#include "mm/control/gap_filler.hpp"
#include "mm/control/touched.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/space_trace.hpp"
#include "mm/space/table_sharing.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

/// Copies what one space shows into the home of another, leaf by leaf, so that the copies lie side
/// by side. Pages without data, and those of a user's file unless they are to be copied as well,
/// are left to the GapFiller.
class Copying {
 public:
  enum class File { shared, copied };

  Copying(const PageTable& source, AddressSpace& empty, Frame home, File file)
      : source_(source),
        empty_(empty),
        frames_(empty.family().frames()),
        home_(home),
        writable_(empty.is_region() && empty.copy_on_write().opens_own_pages()),
        file_(file),
        holes_(frames_) {}

  /// `copy` moves the bytes: `int copy(FrameRun from, PageIndex page, Frame to)`.
  /// Throws std::system_error; then `empty` is of no use.
  /// Returns how many pages were copied.
  template <class Copy>
  PageCount run(const Copy& copy) {
    if (empty_.is_region()) begin_telling(empty_.table());  // a view is in no trace
    tell_zero_pages(empty_.table(), empty_.all_pages());
    if (file_ == File::shared && frames_.shows_file())
      tell_entries(empty_.table(), Zeros::left_out);
    if (file_ == File::copied && frames_.shows_file()) {
      for (std::uint64_t leaf_index = 0; leaf_index < leaves_for(source_.pages()); ++leaf_index) {
        copy_leaf(leaf_index, copy);
      }
    } else {
      for_each_leaf(source_, [&](const Leaf& leaf) { copy_leaf(leaf.index, copy); });
    }
    GapFiller(empty_, home_, writable_).show();
    return copied_;
  }

 private:
  template <class Copy>
  void copy_leaf(std::uint64_t leaf_index, const Copy& copy);

  [[nodiscard]] bool is_of_file(Entry entry) const noexcept {
    return frames_.is_of_users_file(entry.frame());
  }
  [[nodiscard]] bool stays(Entry entry) const noexcept {
    return file_ == File::shared && is_of_file(entry);
  }
  // Pages that were never touched, and holes of a file, become zero pages.
  [[nodiscard]] bool has_data(Entry entry) noexcept {
    if (entry.is_zero_page() || entry.never_stored() || stays(entry)) return false;
    return !is_of_file(entry) || !holes_.is_hole(entry.frame());
  }

  const PageTable& source_;
  AddressSpace& empty_;
  FrameStore& frames_;
  Frame home_;
  bool writable_;
  File file_;
  HoleFinder holes_;
  PageCount copied_{0};
};

template <class Copy>
void Copying::copy_leaf(std::uint64_t leaf_index, const Copy& copy) {
  const PageSpan span = source_.span_of(leaf_index);
  Leaf& leaf = empty_.table().own_leaf(span.first);
  if (frames_.shows_file()) {
    empty_.edit(leaf, span, [&](PageIndex page, Entry& entry) {
      if (stays(source_.entry(page))) return;
      frames_.drop_reference(entry);
      entry = Entry{};
    });
  }
  const auto is_data = [&](Entry entry) { return has_data(entry); };
  for_each_frame_stretch(source_, span, is_data, [&](PageSpan run) {
    empty_.edit(leaf, run, [&](PageIndex page, Entry& entry) {
      entry = Entry(home_.after({page.value}));
      entry.set_writable(writable_);
      entry.set_maybe_clean(true);  // a frame of its own, and nobody stored to it
      frames_.take(entry.frame());
    });
    copied_ = copied_ + run.count();
    // Frames are filled once they are taken. The table goes with its space if that fails.
    const FrameRun from{source_.entry(run.first).frame(), run.count()};
    const int error = copy(from, run.first, home_.after({run.first.value}));
    if (error != 0) {
      throw_refused(error, "pwrite", "the copy of a region could not be made");
    }
  });
}

/// Shows what `source` shows, in `runs` mappings or more: `share(PageTable&)` fills the table and
/// returns how many it needs. By copies, which lie side by side, where sharing would take more
/// mappings than the process can spare, or than the kernel has.
template <class Share>
PageCount show(const PageTable& source, std::uint64_t runs, AddressSpace& empty,
               const Share& share) {
  const bool maps_each_run = runs <= empty.range().most_mappings();
  if (!maps_each_run || runs <= mapping_budget::spendable()) {
    runs = share(empty.table());
    const bool is_shown =
        empty.is_region() ? empty.copy_on_write().show_table(empty, runs) : empty.show_table(runs);
    if (is_shown) return PageCount{0};
    empty.table().release();
  }
  Family& family = empty.family();
  family.ensure_reserve({.tables = 1});
  const Frame home = empty.homes().open();
  const Carrier carrier(family.geometry());
  return Copying(source, empty, home, Copying::File::shared)
      .run([&](FrameRun from, PageIndex, Frame to) {
        return carrier.carry(family.frames(), from, to);
      });
}

void make_room_in_large(Family& family) {
  if (family.has_many_tables()) make_room_to_move(family);
}

}  // namespace

void make_room_to_move(Family& family) {
  family.for_each_shown([](ShownTable& shown) { shown.space->prepare_if_kept(); });
}

std::uint64_t clone_lazily(AddressSpace& source, AddressSpace& empty) {
  const TracedCall call;
  const Section section(source.family());
  source.prepare_to_be_seen();
  make_room_in_large(source.family());
  const std::uint64_t leaves = writable_leaves(source);
  const std::uint64_t copied_before = source.counts().pages_copied;
  source.copy_on_write().keep_stores_off(source);
  const std::uint64_t runs = source.mappings();
  PageCount leased{0};
  const PageCount copied = show(source.table(), runs, empty, [&](PageTable& table) {
    leased = share_table(source, table);
    return source.leases().empty() ? runs : count_runs(table);
  });
  const bool is_shared = copied == PageCount{0};
  source.family().lineage().come_from_same(empty.lineage(), source.lineage());
  call.tell_made(empty, &source.table(), is_shared ? leased : copied);
  return leaves + source.counts().pages_copied - copied_before;
}

void clone_eagerly(AddressSpace& source, AddressSpace& empty) {
  MetadataArray<std::uint64_t> was_writable;  // leaves
  const TracedCall call;
  PageCount copied{0};
  const Section section(source.family());
  const CopyOnWrite& copy_on_write = source.copy_on_write();
  if (!was_writable.reserve(writable_leaves(source))) {
    throw_refused(errno, "mmap", "a region could not be copied");
  }
  source.for_each_writable_leaf([&](const Leaf& leaf) { was_writable.push(leaf.index); });
  try {
    source.family().ensure_reserve({});
    make_room_in_large(source.family());
    copy_on_write.keep_stores_off(source);
    const Carrier carrier(source.family().geometry());
    Copying copying(source.table(), empty, empty.homes().first(), Copying::File::copied);
    copied = copying.run([&](FrameRun from, PageIndex page, Frame to) {
      FrameStore& frames = source.family().frames();
      const std::byte* const held = copy_on_write.held_bytes(source, page);
      return held != nullptr ? frames.fill({to, from.count}, held)
                             : carrier.carry(frames, from, to);
    });
  } catch (...) {
    copy_on_write.let_stores_in(source, was_writable);
    throw;
  }
  copy_on_write.let_stores_in(source, was_writable);
  source.family().lineage().come_from_same(empty.lineage(), source.lineage());
  call.tell_made(empty, &source.table(), copied);
}

std::uint64_t take_snapshot(AddressSpace& source, PageTable& empty, HotPolicy policy,
                            LineageNode* taken, const std::function<void()>& at_the_cut) {
  const TracedCall call;
  const Section section(source.family());
  const std::uint64_t leaves = writable_leaves(source);
  const std::uint64_t copied_before = source.counts().pages_copied;
  const bool is_for_others = policy != HotPolicy::share;
  if (is_for_others) begin_telling(empty);
  source.prepare_to_be_kept();
  make_room_in_large(source.family());
  source.family().note_snapshot();
  const PageCount copied = source.copy_on_write().share_with_snapshot(source, empty, policy);
  if (taken != nullptr) {
    source.family().lineage().come_from_same(*taken, source.lineage());
    source.family().lineage().come_from(source.lineage(), *taken);
  }
  if (is_for_others) call.tell_made(empty, &source.table(), copied);
  const std::uint64_t touched = leaves + source.counts().pages_copied - copied_before;
  if (at_the_cut) at_the_cut();
  return touched;
}

void exchange_pages(PageTable& kept, PageSpan span, const PageTable& other) noexcept {
  FrameStore& frames = kept.store().frames;
  for_each_leaf_part(span, [&](PageSpan part) {
    const std::uint64_t leaf_index = part.first.leaf_index();
    const PageSpan whole = kept.span_of(leaf_index);
    if (kept.leaf_at(leaf_index) == other.leaf_at(leaf_index)) return;
    if (part == whole) {
      kept.adopt_leaf(leaf_index, other);
      return;
    }
    Leaf& leaf = kept.own_leaf(part.first);
    edit_leaf(leaf, part, whole, [&](PageIndex page, Entry& entry) {
      replace_entry(frames, entry, other.entry(page));
    });
  });
}

void show_snapshot(const PageTable& snapshot, LineageNode& of, AddressSpace& empty) {
  const TracedCall call;
  const Section section(empty.family());
  make_room_to_move(empty.family());
  empty.family().note_read();
  const std::uint64_t runs = count_runs(snapshot);
  const PageCount copied = show(snapshot, runs, empty, [&](PageTable& table) {
    table.share(snapshot);
    return runs;
  });
  if (!empty.is_region()) return;
  empty.family().lineage().come_from(empty.lineage(), of);
  call.tell_made(empty, &snapshot, copied);
}

}  // namespace cow
