#include "mm/control/difference.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <utility>

#include "base/refusal.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/tables/table_runs.hpp"
#include "os/frame_file.hpp"
#include "os/mapping.hpp"

namespace cow {

namespace {

using LeafBits = std::bitset<kTableEntries>;

/// Compares the bytes of two frames. Only for pages that got a frame without a store being seen. A
/// large page is read in parts, so that this can lie on a stack, which is in no region.
class FrameComparison {
 public:
  explicit FrameComparison(const FrameStore& frames) noexcept
      : frames_(frames),
        page_bytes_(frames.geometry().page_bytes()),
        part_bytes_(std::min(page_bytes_, kMostBytes)) {}

  // A frame that cannot be read counts as changed.
  [[nodiscard]] bool same(Entry a, Entry b) noexcept {
    return for_all_parts([&](std::size_t at) {
      return read(a, at, one_) && read(b, at, other_) &&
             std::memcmp(one_.data(), other_.data(), part_bytes_) == 0;
    });
  }
  /// A frame and memory of a region.
  [[nodiscard]] bool same(Entry a, const std::byte* in_memory) noexcept {
    return for_all_parts([&](std::size_t at) {
      return read(a, at, one_) && os::hold_same(in_memory + at, one_.data(), part_bytes_);
    });
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{16} << 10;
  using Part = std::array<std::byte, kMostBytes>;

  template <class Test>
  [[nodiscard]] bool for_all_parts(const Test& test) const noexcept {
    for (std::size_t at = 0; at < page_bytes_; at += part_bytes_) {
      if (!test(at)) return false;
    }
    return true;
  }

  [[nodiscard]] bool read(Entry entry, std::size_t at, Part& to) const noexcept {
    if (entry.shows_zeros()) {
      std::memset(to.data(), 0, part_bytes_);
      return true;
    }
    const Frame frame = entry.frame();
    const os::FileOffset from{frames_.offset(frame).bytes + at};
    return os::read_frames(frames_.file(frame), to.data(), part_bytes_, from) == 0;
  }

  const FrameStore& frames_;
  std::size_t page_bytes_;
  std::size_t part_bytes_;
  alignas(64) Part one_{};
  alignas(64) Part other_{};
};

bool differ(Entry a, Entry b, FrameComparison& bytes) noexcept {
  if (a.shows_zeros() && b.shows_zeros()) return false;
  if (!a.is_zero_page() && !b.is_zero_page() && a.frame() == b.frame()) return false;
  if (a.maybe_clean() || b.maybe_clean()) return !bytes.same(a, b);
  return true;
}

void append(std::vector<PageSpan>& spans, PageSpan next) {
  if (!spans.empty() && spans.back().last == next.first) {
    spans.back().last = next.last;
  } else {
    spans.push_back(next);
  }
}

// Ends a stretch of pages with a bit, in the leaf of `span`.
void append(std::vector<PageSpan>& spans, PageSpan span, const LeafBits& bits) {
  if (bits.none()) return;
  const auto differs = [&](PageIndex page) { return bits[page.entry_index()]; };
  for_each_stretch(span, differs, [&](PageSpan run) { append(spans, run); });
}

LeafBits difference_in_leaf(const PageTable& from, const PageTable& to, std::uint64_t leaf_index,
                            FrameComparison& bytes) noexcept {
  LeafBits bits;
  if (from.leaf_at(leaf_index) == to.leaf_at(leaf_index)) return bits;
  const PageSpan span = from.span_of(leaf_index);
  for (PageIndex page = span.first; page < span.last; ++page) {
    bits[page.entry_index()] = differ(from.entry(page), to.entry(page), bytes);
  }
  return bits;
}

}  // namespace

std::vector<PageSpan> difference(Family& family, const PageTable& from, const PageTable& to) {
  FrameComparison bytes(family.frames());
  std::vector<PageSpan> spans;
  const std::uint64_t leaves = leaves_for(from.pages());
  for (std::uint64_t leaf_index = 0; leaf_index < leaves; ++leaf_index) {
    LeafBits bits;
    {
      // One leaf at a time, so that faults need not wait long; what a snapshot shows does not
      // change meanwhile, only where its bytes are kept.
      const Section section(family, Section::Intent::look);
      if (share_directory(from, to, leaf_index)) {
        leaf_index += kTableEntries - 1;
        continue;
      }
      bits = difference_in_leaf(from, to, leaf_index, bytes);
    }
    append(spans, from.span_of(leaf_index), bits);
  }
  return spans;
}

namespace {

/// What a region shows now against a snapshot of its family.
class ChangesSince {
 public:
  ChangesSince(const PageTable& from, AddressSpace& space) noexcept
      : from_(from),
        space_(space),
        family_(space.family()),
        frames_(family_.frames()),
        bytes_(frames_) {}

  std::vector<PageSpan> find() {
    find_stored();
    const std::uint64_t leaves = leaves_for(from_.pages());
    for (std::uint64_t leaf_index = 0; leaf_index < leaves; ++leaf_index) {
      const PageSpan span = from_.span_of(leaf_index);
      LeafBits bits;
      if (!look_at(leaf_index, bits)) {
        leaf_index += kTableEntries - 1;
        continue;
      }
      append(spans_, span, bits);
    }
    return std::move(spans_);
  }

 private:
  // Stores of which no table tells, some at a time, as nothing is to be allocated with the lock
  // held.
  void find_stored() {
    PageSpan rest = space_.all_pages();
    while (!rest.empty()) {
      std::array<PageSpan, 128> found;
      std::size_t count = 0;
      const auto take = [&](PageSpan span) {
        found[count++] = span;
        return count < found.size();
      };
      {
        const Section section(family_, Section::Intent::look);
        const UnseenStores stores =
            space_.copy_on_write().find_unseen_stores(space_, rest, std::ref(take));
        rest.first = count < found.size() ? rest.last : found[count - 1].last;
        if (stores.error != 0) {
          throw_refused(stores.error, "ioctl",
                        "the pages of a region that were stored to could not be found");
        }
        may_be_clean_ = may_be_clean_ || stores.may_be_clean;
      }
      stored_.insert(stored_.end(), found.begin(), found.begin() + count);
    }
  }

  // False if nothing in the directory differs whose first leaf this is.
  bool look_at(std::uint64_t leaf_index, LeafBits& bits) noexcept {
    const Section section(family_, Section::Intent::look);
    const PageSpan span = from_.span_of(leaf_index);
    const PageTable& now = space_.table();
    const PageSpan directory{span.first, PageIndex{(leaf_index + kTableEntries) * kTableEntries}};
    const bool has_leases = has_leases_in(directory);
    if (!has_leases && !was_found(directory) && share_directory(from_, now, leaf_index)) {
      return false;
    }
    const bool tables_differ = from_.leaf_at(leaf_index) != now.leaf_at(leaf_index);
    if (!tables_differ && !has_leases && !was_found(span)) return true;
    HoleFinder holes(frames_);
    for (PageIndex page = span.first; page < span.last; ++page) {
      const bool is_found = was_found({page, page + kOnePage});
      bits[page.entry_index()] =
          has_leases && space_.is_leased(page)
              ? differs_in_memory(page)
              : (is_found && was_stored_to(page)) || (tables_differ && differs(page, holes));
    }
    return true;
  }

  // What a device writes to leased pages no entry tells either.
  [[nodiscard]] bool has_leases_in(PageSpan span) noexcept {
    return std::any_of(space_.leases().begin(), space_.leases().end(), [&](PageSpan lease) {
      return lease.first < span.last && span.first < lease.last;
    });
  }
  // Whether stores to some of these were found. Asked in ascending order.
  [[nodiscard]] bool was_found(PageSpan span) noexcept {
    while (next_stored_ < stored_.size() && stored_[next_stored_].last <= span.first) {
      ++next_stored_;
    }
    return next_stored_ < stored_.size() && stored_[next_stored_].first < span.last;
  }
  // Some may have been found although nobody stored to them.
  [[nodiscard]] bool was_stored_to(PageIndex page) noexcept {
    const bool is_sure = !may_be_clean_ && !space_.table().entry(page).shows_zeros();
    return is_sure || differs_in_memory(page);
  }
  [[nodiscard]] bool differs_in_memory(PageIndex page) noexcept {
    return !bytes_.same(from_.entry(page), space_.address(page));
  }

  [[nodiscard]] bool differs(PageIndex page, HoleFinder& holes) noexcept {
    const Entry past = from_.entry(page);
    Entry now = space_.table().entry(page);
    if (now.writable()) {
      const bool is_hole = now.never_stored() && holes.is_hole(now.frame());
      now.close();  // as a snapshot would
      if (is_hole) now = Entry{};
    }
    return differ(past, now, bytes_);
  }

  const PageTable& from_;
  AddressSpace& space_;
  Family& family_;
  const FrameStore& frames_;
  std::vector<PageSpan> spans_;
  std::vector<PageSpan> stored_;
  std::size_t next_stored_ = 0;
  bool may_be_clean_ = false;
  FrameComparison bytes_;
};

}  // namespace

std::vector<PageSpan> difference(const PageTable& from, AddressSpace& space) {
  return ChangesSince(from, space).find();
}

std::vector<PageSpan> with_sizes(std::vector<PageSpan> spans, PageGeometry geometry,
                                 std::size_t from, std::size_t to) {
  const PageIndex end{geometry.pages_for(std::max(from, to)).value};
  // Of the last page of the shorter side there may be only a part.
  const PageIndex lacks_from = from == to ? end : geometry.page_at(std::min(from, to));
  while (!spans.empty() && spans.back().last > lacks_from) {
    if (spans.back().first < lacks_from) {
      spans.back().last = lacks_from;
    } else {
      spans.pop_back();
    }
  }
  if (lacks_from < end) append(spans, PageSpan{lacks_from, end});
  return spans;
}

}  // namespace cow
