#include "mm/fault/restoring.hpp"

#include <algorithm>
#include <cerrno>

#include "base/refusal.hpp"
#include "mm/fault/write_fault.hpp"
#include "mm/space/rollback.hpp"
#include "mm/tables/table_runs.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

/// How a page comes back: pages that this region alone can see and write are overwritten where
/// they are, which is cheaper than a new mapping and the fault after it; others show the
/// snapshot's frame again.
enum class Way { keep, overwrite, remap };

class Restore {
 public:
  Restore(AddressSpace& space, const PageTable& snapshot) noexcept
      : space_(space), frames_(space.family().frames()), snapshot_(snapshot) {}

  void run() {
    std::uint64_t remaps = 0;
    for_each_change(Way::remap, [&](PageSpan) { ++remaps; });
    // A remapped stretch can add two mappings, one for itself and one for what it splits off.
    by_copy_ = 2 * remaps > std::max<std::uint64_t>(mapping_budget::spendable(), kFewRemaps);
    // First all that can fail, then the copies into frames that exist, then the page table.
    by_copy_ = by_copy_ || !remap_all();
    if (by_copy_) own_every_frame();
    for_each_change(Way::overwrite, [&](PageSpan span) { overwrite(span); });
    for_each_differing_leaf(space_.table(), snapshot_,
                            [&](std::uint64_t leaf_index) { update_leaf(leaf_index); });
    follow_from_now_on(space_, snapshot_);
  }

 private:
  static constexpr std::uint64_t kFewRemaps = 16;

  // Where mappings are short, pages that would be mapped elsewhere become private first, by the
  // rules of a fault, and are then overwritten like the others. Changes no byte.
  void own_every_frame() {
    for_each_change(Way::overwrite, [&](PageSpan span) {
      for (PageIndex page = span.first; page < span.last; ++page) own_frame(page);
    });
  }

  void own_frame(PageIndex page) {
    constexpr const char* kRefused =
        "a region could not be restored, and its bytes are as they were";
    break_sharing(space_, page, kRefused);
    const Entry entry = space_.table().entry(page);
    if (!entry.never_stored()) return;
    // A hole may not be filled any more later.
    const int error = frames_.allocate({entry.frame(), kOnePage});
    if (error != 0) throw_refused(error, "fallocate", kRefused);
  }

  // Calls `use(PageSpan)` for the stretches that come back this way and whose frames, in the
  // snapshot, are side by side.
  template <class Use>
  void for_each_change(Way way, const Use& use) {
    for_each_differing_leaf(space_.table(), snapshot_, [&](std::uint64_t leaf_index) {
      for_each_stretch(
          space_.table().span_of(leaf_index), [&](PageIndex page) { return way_of(page) == way; },
          [&](PageIndex, PageIndex page) { return then(page - kOnePage).joins(then(page)); }, use);
    });
  }

  [[nodiscard]] Entry then(PageIndex page) const noexcept { return snapshot_.entry(page); }
  [[nodiscard]] Way way_of(PageIndex page) const noexcept {
    const Entry now = space_.table().entry(page);
    const Entry past = then(page);
    if (now.is_zero_page() && past.is_zero_page()) return Way::keep;
    const bool have_frames = !now.is_zero_page() && !past.is_zero_page();
    if (have_frames && now.frame() == past.frame()) return Way::keep;
    // The kernel may be writing to this very frame.
    if (now.leased() || by_copy_) return Way::overwrite;
    // A page that may still be a hole is not written to: that would take a frame, and could fail.
    if (!now.writable() || now.never_stored()) return Way::remap;
    return past.shows_zeros() ? Way::remap : Way::overwrite;  // zeros take no memory
  }
  // False if the kernel refused: then all is mapped as it was.
  bool remap_all() noexcept {
    note_protection();
    int error = 0;
    PageIndex done{0};
    for_each_change(Way::remap, [&](PageSpan span) {
      if (error != 0) return;
      error = space_.show(span, then(span.first));
      if (error != 0) space_.must_show_again(span, error);
      if (error == 0) done = span.last;
    });
    if (error == 0) return true;
    mapping_budget::note_exhausted();
    // Backwards: each page joins the one behind it, which is as it was, so that nothing splits.
    for (PageIndex next = done; next > PageIndex{0}; next = next - kOnePage) {
      const PageIndex page = next - kOnePage;
      if (way_of(page) != Way::remap) continue;
      const int lost = space_.show({page, next}, space_.table().entry(page));
      if (lost != 0) os::die_of("a region half restored could not be mapped as it was", lost);
    }
    return false;
  }

  // Shows the snapshot's frames, where their bytes could not be read.
  void show_instead(PageSpan span, int error) noexcept {
    const auto leased = [&](Entry entry) { return entry.leased(); };
    bool possible = true;
    for_each_stretch(space_.table(), span, leased, [&](PageSpan) { possible = false; });
    if (!possible || space_.show(span, then(span.first)) != 0) {
      os::die_of("a region could be restored only in part", error);
    }
    Leaf& leaf = space_.table().own_leaf(span.first);
    space_.edit(leaf, span,
                [&](PageIndex page, Entry& entry) { replace_entry(frames_, entry, then(page)); });
  }

  void overwrite(PageSpan span) noexcept {
    RollbackCounts::add(space_.rollback().counts().pages_restored, span.count().value);
    if (then(span.first).is_zero_page()) {
      for (PageIndex page = span.first; page < span.last; ++page) clear(page);
      return;
    }
    const int error = space_.overwrite(span, then(span.first).frame());
    if (error != 0) show_instead(span, error);
  }

  void clear(PageIndex page) noexcept {
    const Entry entry = space_.table().entry(page);
    const FrameRun frame{entry.frame(), kOnePage};
    const int error = entry.leased() ? frames_.zero(frame) : frames_.clear(frame) ? 0 : EIO;
    if (error != 0) os::die_of("a region could be restored only in part", error);
  }

  void update_leaf(std::uint64_t leaf_index) noexcept {
    const PageSpan span = space_.table().span_of(leaf_index);
    Leaf& leaf = space_.table().own_leaf(span.first);
    bool same = true;
    space_.edit(leaf, span, [&](PageIndex page, Entry& entry) {
      switch (way_of(page)) {
        case Way::keep: break;
        case Way::overwrite:
          entry.set_maybe_clean(true);  // the bytes are the snapshot's, the frame is not
          entry.set_never_stored(false);
          same = false;
          break;
        case Way::remap: replace_entry(frames_, entry, then(page)); break;
      }
    });
    if (same) space_.adopt_leaf(leaf_index, snapshot_);
  }

  AddressSpace& space_;
  FrameStore& frames_;
  const PageTable& snapshot_;
  bool by_copy_ = false;
};

}  // namespace

void restore_what_differs(AddressSpace& space, const PageTable& snapshot) {
  Restore(space, snapshot).run();
}

}  // namespace cow
