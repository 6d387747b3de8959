#include "mm/control/reclaimable.hpp"

#include <algorithm>

#include "mm/frames/hole_finder.hpp"
#include "mm/space/address_space.hpp"

namespace cow {

namespace {

// Looked at in one hold of the lock: some microseconds.
constexpr unsigned kLeavesInAHold = 8;

/// Two tables go, that of a snapshot and that of its view, which share what they have in common.
/// Whatever has more references than those that go stays.
class Reclaiming {
 public:
  Reclaiming(Family& family, const PageTable& kept, const PageTable* view) noexcept
      : frames_(family.frames()), kept_(kept), view_(view), holes_(frames_) {}

  /// Looks at some leaves from `leaf_index` on; returns which comes next.
  std::uint64_t look(std::uint64_t leaf_index) noexcept {
    const std::uint64_t end = leaves_for(kept_.pages());
    for (unsigned looks = 0; leaf_index < end && looks < kLeavesInAHold;) {
      const Going going = going_at(leaf_index / kTableEntries);
      if (going.none()) {
        leaf_index = (leaf_index / kTableEntries + 1) * kTableEntries;
        continue;
      }
      if (count_leaf(going, leaf_index)) ++looks;
      ++leaf_index;
    }
    return leaf_index;
  }

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  /// The directories, of one index, that go.
  struct Going {
    const Directory* kept = nullptr;
    const Directory* view = nullptr;  ///< if it is another one
    [[nodiscard]] bool none() const noexcept { return kept == nullptr && view == nullptr; }
  };

  [[nodiscard]] Going going_at(std::uint64_t index) const noexcept {
    const Directory* const kept = kept_.directory_at(index);
    const Directory* const view = view_ == nullptr ? nullptr : view_->directory_at(index);
    const auto goes = [](const Directory* directory, std::uint32_t ours) {
      return directory != nullptr && directory->references == ours;
    };
    if (kept == view) return {goes(kept, 2) ? kept : nullptr, nullptr};
    return {goes(kept, 1) ? kept : nullptr, goes(view, 1) ? view : nullptr};
  }

  // False if none of its pages had to be looked at.
  bool count_leaf(Going going, std::uint64_t leaf_index) noexcept {
    const auto leaf_of = [&](const Directory* directory) -> const Leaf* {
      return directory == nullptr ? nullptr : directory->leaves[leaf_index % kTableEntries];
    };
    const auto goes = [](const Leaf* leaf, std::uint32_t ours) {
      return leaf != nullptr && leaf->references == ours;
    };
    const Leaf* const kept = leaf_of(going.kept);
    const Leaf* const view = leaf_of(going.view);
    if (kept == view) {
      if (!goes(kept, 2)) return false;
      count_entries(*kept, nullptr, leaf_index);
      return true;
    }
    const Leaf* const one = goes(kept, 1) ? kept : nullptr;
    const Leaf* const other = goes(view, 1) ? view : nullptr;
    if (one == nullptr && other == nullptr) return false;
    count_entries(one == nullptr ? *other : *one, one == nullptr ? nullptr : other, leaf_index);
    return true;
  }

  void count_entries(const Leaf& one, const Leaf* other, std::uint64_t leaf_index) noexcept {
    const PageSpan span = kept_.span_of(leaf_index);
    for (PageIndex page = span.first; page < span.last; ++page) {
      const Frame frame = one[page].frame();
      const Frame beside = other == nullptr ? Frame{} : (*other)[page].frame();
      count(frame, frame == beside ? 2 : 1);
      if (frame != beside) count(beside, 1);
    }
  }

  void count(Frame frame, std::uint32_t ours) noexcept {
    if (frame == Frame{} || frames_.references(frame) != ours || frames_.is_foreign(frame)) return;
    const Extent& extent = frames_.extent(frame.extent());
    const bool is_reserved = frames_.backing() == Backing::reserved;
    if (is_reserved && (extent.owner != nullptr || extent.packed)) return;  // memory is to stay
    const SlotState state = frames_.state(frame);
    const bool may_lack_bytes = state.may_be_hole() && !state.allocated() && !is_reserved;
    bytes_ += may_lack_bytes ? bytes_behind(frame) : frames_.geometry().page_bytes();
  }

  // A larger granule may have been touched in part.
  [[nodiscard]] std::size_t bytes_behind(Frame frame) noexcept {
    if (holes_.is_hole(frame)) return 0;
    const os::DescriptorName& file = frames_.file(frame);
    const std::uint64_t begin = frames_.offset(frame).bytes;
    const std::uint64_t end = begin + frames_.geometry().page_bytes();
    std::size_t bytes = 0;
    for (std::uint64_t at = os::next_data(file, begin); at < end;) {
      const std::uint64_t hole = std::min(os::next_hole(file, at), end);
      bytes += hole - at;
      at = os::next_data(file, hole);
    }
    return bytes;
  }

  const FrameStore& frames_;
  const PageTable& kept_;
  const PageTable* view_;
  HoleFinder holes_;
  std::size_t bytes_ = 0;
};

// Reserved memory lies behind every slot of the homes of a view that was made of copies.
std::size_t reserved_bytes(const FrameStore& frames, const AddressSpace* view) noexcept {
  if (view == nullptr || frames.backing() != Backing::reserved) return 0;
  return view->homes().list().size() * frames.geometry().bytes(frames.slots());
}

}  // namespace

std::size_t reclaimable_bytes(Family& family, const PageTable& kept,
                              const AddressSpace* view) noexcept {
  const os::SignalsMasked signals;
  Reclaiming reclaiming(family, kept, view == nullptr ? nullptr : &view->table());
  const std::uint64_t leaves = leaves_for(family.pages());
  for (std::uint64_t leaf_index = 0; leaf_index < leaves;) {
    const Hold hold(family, Hold::Intent::look);
    leaf_index = reclaiming.look(leaf_index);
  }
  return reclaiming.bytes() + reserved_bytes(family.frames(), view);
}

}  // namespace cow
