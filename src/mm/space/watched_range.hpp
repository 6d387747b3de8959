#pragma once

#include <cstddef>
#include <span>

#include "base/units.hpp"
#include "mm/space/family.hpp"
#include "mm/space/known_copies.hpp"
#include "mm/space/shown_runs.hpp"
#include "mm/space/watched_rounds.hpp"
#include "os/write_watch.hpp"

namespace cow {

/// What is known of a range of addresses where the kernel copies what is stored to, and the
/// family's watch tells which pages those are: what lies below the kernel's copies, which pages are
/// copies, and whether the watch can be taken at its word. Control calls only, but for what says
/// otherwise.
///
/// What asks the kernel for something returns 0 or an errno value.
class WatchedRange {
 public:
  /// Of a range from `begin` on that will show zeros: see show_zeros(). Throws std::bad_alloc.
  WatchedRange(Family& family, std::byte* begin)
      : family_(family),
        begin_(begin),
        shown_(family.pages(), family.geometry()),
        known_copies_(family.pages()) {}

  /// All of it tells of stores from now on, also after fork(), in the child.
  [[nodiscard]] int watch() noexcept { return family_.watch()->watch(addresses(all())); }
  void watch_anew() noexcept;
  [[nodiscard]] os::AddressRun addresses(PageSpan span) const noexcept {
    return {address(span.first), address(span.last)};
  }

  // What lies below the copies.

  /// Shows the frames from `first` on, or zeros, instead of what the kernel has copied in `span`.
  [[nodiscard]] int show(PageSpan span, Frame first) noexcept;
  [[nodiscard]] int show_zeros(PageSpan span) noexcept;
  /// Whether the frames from `first` on, or zeros, are mapped below `span`: what shows once the
  /// kernel's copies are dropped.
  [[nodiscard]] bool is_below(PageSpan span, Frame first) const noexcept {
    return shown_.is_shown(span, place_of(first));
  }
  /// A region has no more: what else it shows is copied. See showing.hpp.
  static constexpr std::uint64_t kMostMappings = 64;
  /// How many mappings that takes, at most.
  [[nodiscard]] std::size_t mappings() const noexcept { return shown_.count(); }

  // The copies.

  /// Gives up what the kernel has copied in `span`. The caller keeps stores off.
  [[nodiscard]] int drop_copies(PageSpan span) noexcept {
    known_copies_.forget(span);
    return os::drop_copies(address(span.first), bytes(span));
  }
  [[nodiscard]] int drop_all_copies() noexcept { return drop_copies(all()); }
  /// The kernel copies each page of `span`, as for a store, whose frame is hidden from then on.
  void have_copied(PageSpan span) noexcept {
    os::WriteWatch::note_store(address(span.first), bytes(span));
  }
  [[nodiscard]] os::WriteWatch::Found find_copies(
      os::AddressRun within, std::span<os::AddressRun> runs,
      os::WriteWatch::Where where = os::WriteWatch::Where::anywhere) const noexcept {
    return family_.watch()->find_copies(within, runs, where);
  }
  /// That it has copied all of `span` need not be asked again until the copies are dropped.
  void note_copies(PageSpan span) noexcept { known_copies_.note(span); }
  [[nodiscard]] bool are_known_copies(PageSpan span) noexcept {
    return known_copies_.are_known(span);
  }
  /// How many of `span` it is known to have copied.
  [[nodiscard]] PageCount known_copies(PageSpan span) noexcept { return known_copies_.count(span); }
  /// How much it has copied. Throws std::system_error.
  [[nodiscard]] std::size_t bytes_copied() const;

  // What was stored to.

  /// Looks for pages that are not armed: see WriteWatch. What is not watched yet is from then on.
  [[nodiscard]] os::WriteWatch::Found look(os::AddressRun within, std::span<os::AddressRun> runs,
                                           std::size_t most_pages,
                                           os::WriteWatch::Then then) noexcept;
  /// The pages of `span` count as stored to no more. If the kernel refuses, the next look finds
  /// them once more. Precondition: they hold what the page table says, or is going to say before
  /// the lock is let go, and nobody stores to them: such a store would be lost.
  void arm(PageSpan span) noexcept;
  /// The pages of `span` count as stored to. Where the kernel refuses that, all pages do from the
  /// next look on, which is refused until it lets them.
  void disarm(PageSpan span) noexcept {
    if (family_.watch()->disarm(addresses(span)) == 0) return;
    must_disarm_all_ = may_be_clean_ = true;
  }
  /// Whether copies may count as stored to although nobody stored to them since the last look that
  /// armed everything.
  [[nodiscard]] bool may_be_clean() const noexcept { return may_be_clean_; }
  void set_may_be_clean(bool on) noexcept { may_be_clean_ = on; }

  // The first content goes into frames: they are shown as they are, and stores reach them, until
  // somebody else is to see them.

  [[nodiscard]] bool is_filling() const noexcept { return is_filling_; }
  /// Shows the frames from `first` on everywhere.
  [[nodiscard]] int begin_filling(Frame first) noexcept;
  /// The kernel copies from now on: the same frames were shown by show(), for every page at the
  /// same moment.
  void end_filling() noexcept { is_filling_ = false; }

  /// What is remembered between one restore and the next: see watched_rounds.hpp.
  [[nodiscard]] WatchedRounds& rounds() noexcept { return rounds_; }

 private:
  [[nodiscard]] PageSpan all() const noexcept {
    return {PageIndex{0}, PageIndex{family_.pages().value}};
  }
  [[nodiscard]] std::byte* address(PageIndex page) const noexcept {
    return begin_ + family_.geometry().offset(page);
  }
  [[nodiscard]] std::size_t bytes(PageSpan span) const noexcept {
    return family_.geometry().bytes(span.count());
  }
  [[nodiscard]] Place place_of(Frame frame) const noexcept;
  /// All pages count as stored to. Returns 0 or an errno value: then the next look tries again.
  [[nodiscard]] int disarm_all() noexcept;
  /// Maps by `map()`, has it watched and writes down that it shows the frames from `first` on.
  template <class Map>
  [[nodiscard]] int show_by(PageSpan span, Frame first, const Map& map) noexcept;

  Family& family_;
  std::byte* begin_;
  ShownRuns shown_;
  KnownCopies known_copies_;
  WatchedRounds rounds_;
  bool is_filling_ = false;
  bool may_be_clean_ = false;
  bool must_disarm_all_ = false;
};

}  // namespace cow
