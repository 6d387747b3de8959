#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>

#include "base/units.hpp"
#include "mm/resources/metadata_array.hpp"

namespace cow {

/// Where in a file the bytes of a page are. A frame's name would not do: under a page that the
/// kernel has copied its extent may go, in a child as well, and its name be given to another.
struct Place {
  std::uint64_t device = 0;
  std::uint64_t file = 0;  ///< 0: no file, zeros
  std::uint64_t offset_bytes = 0;

  [[nodiscard]] Place after(std::uint64_t bytes) const noexcept {
    return file == 0 ? *this : Place{device, file, offset_bytes + bytes};
  }
  friend bool operator==(const Place&, const Place&) = default;
};

/// What the kernel's mappings of a range show, where no page table says it: under pages that the
/// kernel has copied something else may be mapped than what the page table holds. Control calls
/// only.
class ShownRuns {
 public:
  struct Run {
    PageIndex first;
    Place place;  ///< of the first page
  };

  /// Of a range of `pages` that shows zeros. Throws std::system_error.
  ShownRuns(PageCount pages, PageGeometry geometry) : end_{pages.value}, geometry_(geometry) {
    if (!make_room()) throw std::bad_alloc();
    runs_.push({});
  }

  /// Room for what one note_mapped() writes down. False without memory.
  [[nodiscard]] bool make_room() noexcept { return runs_.reserve(runs_.size() + 2); }

  /// `span` shows what is at `place`, and behind it. Precondition: make_room().
  void note_mapped(PageSpan span, Place place) noexcept {
    const Run behind{span.last, shown_in(*run_of(span.last), span.last)};
    Run* const first = std::lower_bound(runs_.begin(), runs_.end(), span.first, starts_before);
    Run* const last = std::lower_bound(runs_.begin(), runs_.end(), span.last, starts_before);
    const bool splits = span.last < end_ && (last == runs_.end() || last->first != span.last);
    replace(first, last, {span.first, place}, splits ? &behind : nullptr);
  }

  /// Whether all of `span` shows that.
  [[nodiscard]] bool is_shown(PageSpan span, Place place) const noexcept {
    const Run* run = run_of(span.first);
    for (PageIndex page = span.first;; ++run) {
      if (shown_in(*run, page) != place.after(geometry_.bytes(page - span.first))) return false;
      if (run + 1 == runs_.end() || !(run[1].first < span.last)) return true;
      page = run[1].first;
    }
  }
  /// How many mappings that takes, at most: whether the kernel joins two that go on with one
  /// another depends on what it has copied in them.
  [[nodiscard]] std::size_t count() const noexcept { return runs_.size(); }

 private:
  [[nodiscard]] const Run* run_of(PageIndex page) const noexcept {
    return std::upper_bound(runs_.begin(), runs_.end(), page,
                            [](PageIndex at, const Run& run) { return at < run.first; }) -
           1;
  }
  [[nodiscard]] Place shown_in(const Run& run, PageIndex page) const noexcept {
    return run.place.after(geometry_.bytes(page - run.first));
  }
  static bool starts_before(const Run& run, PageIndex page) noexcept { return run.first < page; }

  void replace(Run* first, Run* last, Run by, const Run* behind) noexcept {
    const auto at = static_cast<std::size_t>(first - runs_.begin());
    const auto removed = static_cast<std::size_t>(last - first);
    const std::size_t added = behind == nullptr ? 1 : 2;
    const std::size_t size = runs_.size();
    for (std::size_t i = removed; i < added; ++i) runs_.push({});
    Run* const begin = runs_.begin() + at;
    if (added > removed) {
      std::move_backward(begin + removed, runs_.begin() + size, runs_.end());
    } else {
      std::move(begin + removed, runs_.begin() + size, begin + added);
      for (std::size_t i = added; i < removed; ++i) static_cast<void>(runs_.pop());
    }
    begin[0] = by;
    if (behind != nullptr) begin[1] = *behind;
  }

  PageIndex end_;
  PageGeometry geometry_;
  MetadataArray<Run> runs_;
};

}  // namespace cow
