#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/units.hpp"
#include "mm/space/family.hpp"
#include "mm/space/known_copies.hpp"
#include "mm/space/shown_runs.hpp"
#include "os/mapping.hpp"

namespace cow {

/// What a write fault costs beside the pages it copies, in units of copying one page in a window:
/// delivery, lookup and the change of mappings, against one page of a larger copy into recycled
/// frames. Measured, see "Prices" in docs/windows.md; only the ratios matter and they differ little
/// between machines.
struct FaultPrices {
  std::uint64_t redirect_in_pages = 13;  ///< the page shows another frame: a new mapping
  std::uint64_t stay_in_pages = 12;      ///< the page stays where it is: a change of protection
  /// Either, where the copies go into new frames: for those the kernel has memory to find and to
  /// clear, so that a page of a larger copy is twice as dear, and the fault is not.
  std::uint64_t into_new_frames_in_pages = 7;
  /// What either counts as in rollback rounds, where a block counts twice: there and back. That is
  /// half of what it costs. A round is to copy little more than it stored, whatever the pages are,
  /// and at the full price scattered stores would take blocks by chance.
  std::uint64_t round_in_pages = 8;
  /// What a run of hot pages costs in each round beside its copies: a mapping apart, around which
  /// others are protected, or to protect and open it.
  std::uint64_t mapping_in_pages = 2;
  std::uint64_t protections_in_pages = 8;
};

/// The kernel's side of an address space: a range of addresses, which frames its mappings show and
/// whether they may be stored to, and how many mappings that takes. It knows no page table.
///
/// What asks the kernel for something returns 0 or an errno value. Signal context: yes, but for the
/// constructor and the destructor.
class MappedRange {
 public:
  /// Who keeps stores off pages that others see, too.
  enum class Stores {
    protected_from,  ///< a mapping's protection: see the fault handler
    copied,          ///< nobody: the kernel copies, and the family's watch tells (see settling.hpp)
  };

  /// Shows zeros. Throws std::system_error.
  MappedRange(Family& family, Stores stores);
  ~MappedRange() { shrink(0); }
  MappedRange(const MappedRange&) = delete;
  MappedRange& operator=(const MappedRange&) = delete;

  /// Of a mechanism that keeps stores off by mprotect and a signal.
  [[nodiscard]] static constexpr FaultPrices prices() noexcept { return {}; }

  /// The watch that tells of stores; null where protection keeps them off.
  [[nodiscard]] const os::WriteWatch* watch() const noexcept {
    return shown_ ? family_.watch() : nullptr;
  }
  /// Whether the frames from `first` on, or zeros, are mapped below `span`: what shows once the
  /// kernel's copies are dropped. Precondition, of all of these: watch().
  [[nodiscard]] bool is_below(PageSpan span, Frame first) const noexcept {
    return shown_->is_shown(span, place_of(first));
  }
  /// Gives up what the kernel has copied in `span`. The caller keeps stores off.
  [[nodiscard]] int drop_copies(PageSpan span) const noexcept {
    known_copies_->forget(span);
    return os::drop_copies(address(span.first), bytes(span));
  }
  /// The same everywhere.
  [[nodiscard]] int drop_all_copies() const noexcept { return drop_copies(all()); }
  /// Looks for pages that are not armed: see WriteWatch. What is not watched yet is from then on.
  [[nodiscard]] os::WriteWatch::Found look(os::AddressRun within, std::span<os::AddressRun> runs,
                                           std::size_t most_pages,
                                           os::WriteWatch::Then then) const noexcept;
  [[nodiscard]] os::WriteWatch::Found find_copies(
      os::AddressRun within, std::span<os::AddressRun> runs,
      os::WriteWatch::Where where = os::WriteWatch::Where::anywhere) const noexcept {
    return family_.watch()->find_copies(within, runs, where);
  }
  /// That it has copied all of `span` need not be asked again until the copies are dropped.
  void note_copies(PageSpan span) const noexcept { known_copies_->note(span); }
  [[nodiscard]] bool are_known_copies(PageSpan span) const noexcept {
    return known_copies_->are_known(span);
  }
  /// What the kernel has copied; nothing where it does not. Control calls only. Throws
  /// std::system_error.
  [[nodiscard]] std::size_t bytes_copied() const;
  /// The pages of `span` count as stored to. Where the kernel refuses that, all pages do from the
  /// next look on, which is refused until it lets them.
  void disarm(PageSpan span) const noexcept {
    if (family_.watch()->disarm(addresses(span)) == 0) return;
    must_disarm_all_ = may_be_clean_ = true;
  }
  /// The kernel copies each page of `span`, as for a store, whose frame is hidden from then on.
  void have_copied(PageSpan span) const noexcept {
    os::WriteWatch::note_store(address(span.first), bytes(span));
  }
  /// Whether copies may count as stored to although nobody stored to them since the last look that
  /// armed everything.
  [[nodiscard]] bool may_be_clean() const noexcept { return may_be_clean_; }
  void set_may_be_clean(bool on) const noexcept { may_be_clean_ = on; }
  /// After fork(), in the child: see Family::watch_anew().
  void watch_anew() const noexcept;
  [[nodiscard]] os::AddressRun addresses(PageSpan span) const noexcept {
    return {address(span.first), address(span.last)};
  }

  // The first content of a watched range goes into frames: they are shown as they are, and stores
  // reach them, until somebody else is to see them.

  [[nodiscard]] bool is_filling() const noexcept { return is_filling_; }
  /// Shows the frames from `first` on everywhere. 0 or an errno value.
  [[nodiscard]] int begin_filling(Frame first) const noexcept;
  /// From now on the kernel copies: what was stored before is in the frames, what is stored later
  /// is not, for every page at the same moment. 0 or an errno value.
  [[nodiscard]] int end_filling(Frame first) const noexcept;

  [[nodiscard]] std::byte* begin() const noexcept { return range_.begin(); }
  [[nodiscard]] std::byte* end() const noexcept { return range_.end(); }
  [[nodiscard]] std::byte* address(PageIndex page) const noexcept {
    return begin() + family_.geometry().offset(page);
  }

  /// Maps the frames from `first` on over `span`. On an error nothing has changed that a load could
  /// see, but on some kernels: see is_mapped().
  [[nodiscard]] int map(PageSpan span, Frame first, os::Protection protection,
                        os::Populate populate = os::Populate::no,
                        os::Look look = os::Look::now) const noexcept;
  /// The same with zeros, read-only, without any frame.
  [[nodiscard]] int map_zeros(PageSpan span) const noexcept;
  /// The same as map(), read-only: nothing that is forced into it reaches the frames.
  [[nodiscard]] int map_for_reading(PageSpan span, Frame first) const noexcept;
  [[nodiscard]] int protect(PageSpan span, os::Protection protection) const noexcept;
  [[nodiscard]] int make_writable(PageSpan span) const noexcept {
    return protect(span, os::Protection::read_write);
  }
  /// Nobody can touch the addresses any more.
  [[nodiscard]] int forbid() const noexcept {
    return os::protect(begin(), range_.bytes(), os::Protection::none);
  }

  /// After map() failed: some kernels have removed the old mapping by then.
  [[nodiscard]] bool is_mapped(PageSpan span) const noexcept;
  /// Whether all frames of `span` were touched and are in memory, as far as the kernel tells.
  /// Control calls only.
  [[nodiscard]] bool is_resident(PageSpan span) const noexcept;

  /// How many mappings show pages, as counted by who knows the page table: from it alone follows
  /// which pages the kernel keeps in one. Two more guard the range.
  [[nodiscard]] std::size_t mappings() const noexcept { return mappings_; }
  void set_mappings(std::size_t mappings) noexcept {
    if (!shown_) note_mappings(mappings);
  }
  /// Who keeps stores off by mprotect has a mapping end at every boundary, of frames and
  /// permissions.
  void count(Boundaries change) noexcept {
    set_mappings(mappings_ + static_cast<std::size_t>(change.frames + change.permissions));
  }

  /// Gives up all addresses behind the first `bytes`; with 0, the mappings are counted no more.
  void shrink(std::size_t bytes) noexcept;

 private:
  void note_mappings(std::size_t mappings) const noexcept;
  [[nodiscard]] PageSpan all() const noexcept {
    return {PageIndex{0}, PageIndex{family_.pages().value}};
  }
  [[nodiscard]] std::size_t bytes(PageSpan span) const noexcept {
    return family_.geometry().bytes(span.count());
  }

  [[nodiscard]] Place place_of(Frame frame) const noexcept;
  /// Maps by `map()`, has it watched and writes down that it shows the frames from `first` on.
  template <class Map>
  [[nodiscard]] int map_watched(PageSpan span, Frame first, const Map& map) const noexcept;

  Family& family_;
  os::AddressRange range_;
  mutable std::size_t mappings_ = 0;
  mutable std::optional<ShownRuns> shown_;           ///< none where the page table says it
  mutable std::optional<KnownCopies> known_copies_;  ///< beside shown_
  mutable bool is_filling_ = false;
  mutable bool may_be_clean_ = false;
  mutable bool must_disarm_all_ = false;
};

}  // namespace cow
