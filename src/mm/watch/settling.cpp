#include "mm/watch/settling.hpp"

#include <algorithm>
#include <cstdint>

#include "base/error.hpp"
#include "base/refusal.hpp"
#include "mm/watch/filling.hpp"
#include "mm/watch/stored_pages.hpp"
#include "os/fault_signal.hpp"
#include "os/mapping.hpp"
#include "os/thread.hpp"

namespace cow {

namespace {

// As many looks are made before stores are held off, and none more where one found not much less
// than the one before: pages are stored to nearly as fast as they can be copied then.
constexpr int kMostLooks = 4;
constexpr std::uint64_t kMuchLess = 8;

/// While one lives stores wait, in the fault handler, until they are let in.
class StoresHeldOff {
 public:
  explicit StoresHeldOff(AddressSpace& space) : gate_(space.family().store_gate()) {
    const int error = gate_.close(space);
    if (error != 0) throw_refused(error, "mprotect", "stores to a region could not be held off");
  }
  ~StoresHeldOff() { gate_.open_all(); }
  StoresHeldOff(const StoresHeldOff&) = delete;
  StoresHeldOff& operator=(const StoresHeldOff&) = delete;

  /// A part where they wait; empty if there is none.
  [[nodiscard]] PageSpan next() noexcept { return gate_.next_to_open(); }
  void let_in(PageSpan part) noexcept { gate_.open(part); }

 private:
  StoreGate& gate_;
};

class Settling {
 public:
  explicit Settling(AddressSpace& space) noexcept
      : space_(space), frames_(space.family().frames()) {}

  /// Copies what was stored to since the last look; how many pages that were.
  std::uint64_t look_and_copy() {
    const std::uint64_t before = space_.counts().pages_copied;
    std::uint64_t copied = 0;
    look([&] {
      copy_stored_to(space_.all_pages());
      copied = space_.counts().pages_copied - before;
      copy_leased();
    });
    return copied;
  }
  /// The same while stores are held off: those to a part go on once it was copied.
  void look_and_let_in(StoresHeldOff& held_off) {
    look([&] {
      copy_leased();  // these are not held off: before anything else goes on
      for (PageSpan part = held_off.next(); !part.empty(); part = held_off.next()) {
        copy_stored_to(part);
        held_off.let_in(part);
      }
    });
  }

  /// How many pages the last look found. One that holds what it held at the look before was stored
  /// to as well, twice perhaps: other pages may have been, in between.
  [[nodiscard]] std::uint64_t found() const noexcept { return found_; }

 private:
  static constexpr const char* kRefused =
      "what was stored to in a region could not be copied into frames";

  template <class Copy>
  void look(const Copy& copy) {
    compares_ = space_.watched().may_be_clean();
    space_.watched().set_may_be_clean(false);  // they are armed now, but see WatchedRange::look()
    found_ = 0;
    try {
      copy();
    } catch (...) {
      space_.watched().set_may_be_clean(true);
      throw;
    }
    space_.watched().rounds().forget_kept();
  }

  void copy_stored_to(PageSpan within) {
    StoredPages stored(space_, within, StoredPages::Then::arm_again);
    for (PageSpan span = stored.next(); !span.empty(); span = stored.next()) {
      found_ += span.count().value;
      try {
        for_each_leaf_part(span, [&](PageSpan part) { copy_changed(part); });
      } catch (...) {
        stored.leave_rest(span);
        throw;
      }
    }
    if (stored.error() != 0) throw_refused(stored.error(), "ioctl", kRefused);
  }

  // A device may be writing to them behind the kernel's back.
  void copy_leased() {
    for (const PageSpan lease : space_.leases()) {
      for_each_leaf_part(lease, [&](PageSpan part) { copy_part(part); });
      // Whether anything was written to them only the bytes can tell.
      space_.edit(lease, [](PageIndex, Entry& entry) { entry.set_maybe_clean(true); });
    }
  }

  // A page may have been found that nobody stored to: see WatchedRange::may_be_clean(). And zeros
  // need no frame. Leased pages are copied at another moment: all of them, whatever was found.
  void copy_changed(PageSpan part) {
    const auto is_changed = [&](PageIndex page) {
      if (space_.is_leased(page)) return false;
      const bool compares =
          compares_ || space_.watched().may_be_clean() || space_.table().entry(page).shows_zeros();
      return !compares || !is_what_the_table_says(page);
    };
    for_each_stretch(part, is_changed, [&](PageSpan changed) { copy_part(changed); });
  }

  [[nodiscard]] bool is_what_the_table_says(PageIndex page) noexcept {
    const std::byte* const bytes = space_.address(page);
    const std::size_t count = space_.family().geometry().page_bytes();
    const Entry entry = space_.table().entry(page);
    if (entry.shows_zeros()) return os::hold_zeros(bytes, count);
    const std::byte* const in_frame =
        frames_.is_of_users_file(entry.frame()) ? nullptr : frames_.readable(entry.frame());
    if (in_frame != nullptr) return os::hold_same(bytes, in_frame, count);
    return buffer_.reserve(count) &&
           frames_.read({entry.frame(), kOnePage}, buffer_.begin()) == 0 &&
           os::hold_same(bytes, buffer_.begin(), count);
  }

  void copy_part(PageSpan part) {
    Leaf& leaf = space_.table().own_leaf(part.first);
    while (!part.empty()) {
      const FrameRun to = take_frames(leaf, part);
      const PageSpan span{part.first, part.first + to.count};
      const int error = frames_.overwrite(to, space_.address(span.first));
      space_.edit(leaf, span, [&](PageIndex page, Entry& entry) {
        const Entry before = entry;
        entry = Entry(to.first.after(page - span.first));
        if (before.frame() != entry.frame()) frames_.drop_reference(before);
      });
      if (error != 0) throw_refused(error, "pwrite", kRefused);
      space_.counts().pages_copied += to.count.value;
      part.first = span.last;
    }
  }

  // For the first pages of `part`, side by side: where nobody else sees its frame a page keeps it.
  FrameRun take_frames(const Leaf& leaf, PageSpan part) {
    const auto kept = [&](PageIndex page) { return frames_.is_sole_owner(leaf[page]); };
    const Frame first = kept(part.first) ? leaf[part.first].frame() : take_frame(part.first);
    PageCount count = kOnePage;
    for (PageIndex page = part.first + kOnePage; page < part.last;
         ++page, count = count + kOnePage) {
      const Frame next = first.after(count);
      if (kept(page)) {
        if (leaf[page].frame() != next) break;
      } else if (space_.homes().free_slot(page) == next) {
        frames_.take(next);
      } else {
        break;
      }
    }
    return {first, count};
  }

  Frame take_frame(PageIndex page) {
    const Frame home = space_.homes().free_slot(page);
    if (home != Frame{}) {
      frames_.take(home);
      return home;
    }
    space_.family().ensure_reserve({.packed_pages = 1});
    return frames_.take_packed(kOnePage).first;
  }

  AddressSpace& space_;
  FrameStore& frames_;
  bool compares_ = false;
  std::uint64_t found_ = 0;
  MetadataArray<std::byte> buffer_;  ///< for the bytes of a frame that cannot be mapped
};

void settle_while_stored_to(AddressSpace& space) {
  Settling settling(space);
  std::uint64_t before = ~std::uint64_t{0};
  for (int looks = 0; looks < kMostLooks; ++looks) {
    settling.look_and_copy();
    if (settling.found() == 0) return;
    if (looks > 0 && kMuchLess * settling.found() > before) break;
    before = settling.found();
  }
  if (!os::fault_handler_is_installed()) throw NeedsFaultHandler();
  StoresHeldOff held_off(space);
  settling.look_and_let_in(held_off);
}

}  // namespace

void settle(AddressSpace& space, Threads threads) {
  Family& family = space.family();
  family.lock().assert_held();
  family.ensure_reserve({.tables = 1});
  if (space.watched().is_filling()) return end_filling(space);
  if (threads == Threads::may_store && !os::is_only_thread()) return settle_while_stored_to(space);
  Settling settling(space);
  settling.look_and_copy();
  if (threads == Threads::quiescent && !os::is_only_thread() && settling.look_and_copy() > 0) {
    throw_misuse(
        "a page of this region was stored to while SnapshotMode::quiescent promised that nobody "
        "stores; no snapshot was taken: keep the threads that store waiting, or take one without "
        "the promise");
  }
}

}  // namespace cow
