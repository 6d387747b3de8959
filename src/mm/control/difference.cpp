#include "mm/control/difference.hpp"

#include <bitset>
#include <cstring>

#include "os/frame_window.hpp"

namespace cow {

namespace {

using LeafBits = std::bitset<kTableEntries>;

/// Compares the bytes of two frames. Only for pages that got a frame without a store being seen.
class FrameComparison {
 public:
  explicit FrameComparison(PageGeometry geometry)
      : bytes_(geometry.page_bytes()), buffer_(2 * bytes_) {}

  // A frame that cannot be read counts as changed.
  [[nodiscard]] bool same(const FrameStore& frames, Entry a, Entry b) const noexcept {
    std::byte* const one = buffer_.begin();
    std::byte* const other = one + bytes_;
    return read(frames, a, one) && read(frames, b, other) && std::memcmp(one, other, bytes_) == 0;
  }

 private:
  bool read(const FrameStore& frames, Entry entry, std::byte* to) const noexcept {
    if (entry.shows_zeros()) {
      std::memset(to, 0, bytes_);
      return true;
    }
    return frames.read({entry.frame(), kOnePage}, to) == 0;
  }

  std::size_t bytes_;
  os::Buffer buffer_;
};

bool differ(const FrameStore& frames, Entry a, Entry b, const FrameComparison& bytes) noexcept {
  if (a.shows_zeros() && b.shows_zeros()) return false;
  if (!a.is_zero_page() && !b.is_zero_page() && a.frame() == b.frame()) return false;
  if (a.maybe_clean() || b.maybe_clean()) return !bytes.same(frames, a, b);
  return true;
}

LeafBits difference_in_leaf(const FrameStore& frames, const PageTable& from, const PageTable& to,
                            std::uint64_t leaf_index, const FrameComparison& bytes) noexcept {
  LeafBits bits;
  if (from.leaf_at(leaf_index) == to.leaf_at(leaf_index)) return bits;
  const PageSpan span = from.span_of(leaf_index);
  for (PageIndex page = span.first; page < span.last; ++page) {
    bits[page.entry_index()] = differ(frames, from.entry(page), to.entry(page), bytes);
  }
  return bits;
}

void append(std::vector<PageSpan>& spans, PageSpan next) {
  if (!spans.empty() && spans.back().last == next.first) {
    spans.back().last = next.last;
  } else {
    spans.push_back(next);
  }
}

}  // namespace

std::vector<PageSpan> difference(Family& family, const PageTable& from, const PageTable& to) {
  const FrameComparison bytes(family.geometry());
  std::vector<PageSpan> spans;
  const std::uint64_t leaves = leaves_for(from.pages());
  for (std::uint64_t leaf_index = 0; leaf_index < leaves; ++leaf_index) {
    LeafBits bits;
    {
      // One leaf at a time, so that faults need not wait long; what a snapshot shows does not
      // change meanwhile, only where its bytes are kept.
      const Section section(family, Section::Intent::look);
      if (leaf_index % kTableEntries == 0 && from.directory_at(leaf_index / kTableEntries) ==
                                                 to.directory_at(leaf_index / kTableEntries)) {
        leaf_index += kTableEntries - 1;
        continue;
      }
      bits = difference_in_leaf(family.frames(), from, to, leaf_index, bytes);
    }
    if (bits.none()) continue;
    const auto differs = [&](PageIndex page) { return bits[page.entry_index()]; };
    for_each_stretch(from.span_of(leaf_index), differs, [&](PageSpan run) { append(spans, run); });
  }
  return spans;
}

}  // namespace cow
