#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "mm/resources/metadata_heap.hpp"
#include "mm/space/family.hpp"
#include "mm/space/watched_range.hpp"
#include "os/mapping.hpp"

namespace cow {

/// What a write fault costs beside the pages it copies, in units of copying 4 KiB in a window:
/// delivery, lookup and the change of mappings, against 4 KiB of a larger copy into recycled
/// frames. Measured, see "Prices" in docs/windows.md; only the ratios matter and they differ little
/// between machines.
struct FaultPrices {
  /// How many of these units it takes to copy a page.
  [[nodiscard]] static constexpr std::uint64_t copies_of_a_page(PageGeometry pages) noexcept {
    constexpr std::size_t kUnitBytes = std::size_t{4} << 10;
    return std::max<std::uint64_t>(1, pages.page_bytes() / kUnitBytes);
  }

  std::uint64_t redirect_in_copies = 13;  ///< the page shows another frame: a new mapping
  std::uint64_t stay_in_copies = 12;      ///< the page stays where it is: a change of protection
  /// Either, where the copies go into new frames: for those the kernel has memory to find and to
  /// clear, so that a page of a larger copy is twice as dear, and the fault is not.
  std::uint64_t into_new_frames_in_copies = 7;
  /// Either in rollback rounds, where a page goes there and back.
  std::uint64_t round_in_copies = 16;
  /// What a run of hot pages costs in each round beside its copies: a mapping apart, around which
  /// others are protected, or to protect and open it.
  std::uint64_t mapping_in_copies = 2;
  std::uint64_t protections_in_copies = 8;
};

/// The kernel's side of an address space: a range of addresses, which frames its mappings show and
/// whether they may be stored to, and how many mappings that takes. It knows no page table.
///
/// What asks the kernel for something returns 0 or an errno value. Signal context: yes, but for the
/// constructor and the destructor.
class MappedRange {
 public:
  /// Shows zeros. Stores are kept off by protection, or the kernel copies and `watch` tells of it:
  /// see watched_range.hpp. Throws std::system_error.
  MappedRange(Family& family, const os::WriteWatch* watch);
  ~MappedRange() { shrink(0); }
  MappedRange(const MappedRange&) = delete;
  MappedRange& operator=(const MappedRange&) = delete;

  /// Of a mechanism that keeps stores off by mprotect and a signal.
  [[nodiscard]] static constexpr FaultPrices prices() noexcept { return {}; }

  /// What is known beside the mappings where the kernel copies; null elsewhere.
  [[nodiscard]] WatchedRange* watched() const noexcept { return watched_.get(); }

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

  /// How many mappings it may take.
  [[nodiscard]] std::uint64_t most_mappings() const noexcept {
    return watched_ ? WatchedRange::kMostMappings : ~std::uint64_t{0};
  }
  /// How many mappings show pages, as counted by who knows the page table: from it alone follows
  /// which pages the kernel keeps in one. Two more guard the range.
  [[nodiscard]] std::size_t mappings() const noexcept { return mappings_; }
  void set_mappings(std::size_t mappings) noexcept {
    if (!watched_) note_mappings(mappings);
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

  /// After the watched range was shown what `error` says: it counts the mappings.
  [[nodiscard]] int count_shown(int error) const noexcept;

  Family& family_;
  os::AddressRange range_;
  mutable std::size_t mappings_ = 0;
  MetadataPointer<WatchedRange> watched_;
};

}  // namespace cow
