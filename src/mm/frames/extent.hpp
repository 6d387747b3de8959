#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "mm/frames/entry.hpp"
#include "mm/resources/metadata_array.hpp"
#include "mm/resources/sparse_bits.hpp"
#include "os/frame_file.hpp"

namespace cow {

class AddressSpace;

/// Frames side by side in one extent.
struct FrameRun {
  Frame first;
  PageCount count;
};

/// What a slot of an extent is.
///
///   references and a frame that was filled         (a count, no flag)
///   references and perhaps no frame yet, a hole    (a count and kMaybeHole)
///   the same, and the kernel has found memory for  (a count, kMaybeHole and kAllocated)
///     it, though it calls it a hole until it is
///     touched
///   free, a hole                                   (0)
///   free, *recycled*: it keeps its frame, with bytes that nobody may see any more
///   free, its owner went: may keep a frame, to be punched before the extent is opened again
class SlotState {
 public:
  static constexpr std::uint32_t kEndOfList = (std::uint32_t{1} << 30) - 1;

  [[nodiscard]] std::uint32_t references() const noexcept {
    return recycled() ? 0 : word_ & kCountMask;
  }
  [[nodiscard]] bool recycled() const noexcept { return (word_ & kRecycled) != 0; }
  [[nodiscard]] bool unpunched() const noexcept { return word_ == kMaybeHole; }
  [[nodiscard]] bool is_hole() const noexcept { return word_ == 0; }
  [[nodiscard]] bool may_be_hole() const noexcept { return !recycled() && word_ & kMaybeHole; }
  /// Has memory all over, touched or not.
  [[nodiscard]] bool allocated() const noexcept { return may_be_hole() && (word_ & kAllocated); }
  [[nodiscard]] bool is_free() const noexcept { return references() == 0; }
  /// Free, but not a hole.
  [[nodiscard]] bool keeps_frame() const noexcept { return recycled() || unpunched(); }

  void take() noexcept { word_ = recycled() ? 1 : 1 | kMaybeHole; }
  void add(std::uint32_t n) noexcept { word_ += n; }
  void drop(std::uint32_t n) noexcept { word_ -= n; }
  void note_filled() noexcept { word_ &= ~(kMaybeHole | kAllocated); }
  void note_cleared() noexcept { word_ = (word_ & ~kAllocated) | kMaybeHole; }
  void note_allocated() noexcept {
    if (may_be_hole()) word_ |= kAllocated;
  }
  void make_hole() noexcept { word_ = 0; }
  void leave_unpunched() noexcept { word_ = kMaybeHole; }
  /// `next` is for packed extents: the recycled slot that is taken after this one.
  void recycle(std::uint32_t next = 0) noexcept { word_ = kRecycled | next; }
  [[nodiscard]] std::uint32_t next_recycled() const noexcept { return word_ & kEndOfList; }

 private:
  static constexpr std::uint32_t kRecycled = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kMaybeHole = std::uint32_t{1} << 30;
  static constexpr std::uint32_t kAllocated = std::uint32_t{1} << 29;
  static constexpr std::uint32_t kCountMask = kAllocated - 1;

  std::uint32_t word_ = 0;
};

/// A stretch of a frame file with a reference count for each of its frames.
///
/// A *home* belongs to one address space and is as long as it: page i's private frame sits at slot
/// i, so pages that are neighbours in memory are neighbours in the file and share one mapping.
/// A *packed* extent takes frames in any order: the pages that snapshots keep.
/// A *foreign* extent is only ever read: its frames belong to another process, or are the pages of
/// a user's file.
///
/// Invariant: a free slot that keeps a frame lies in a group that `kept` names, so that whoever
/// looks for such slots passes over all others, however long the extent is.
struct Extent {
  /// Slots whose counts fill one page of memory, on most machines.
  static constexpr std::uint64_t kGroupSlots = 1024;

  os::DescriptorName file;
  os::FileOffset start;
  SlotState* slots = nullptr;
  std::uint64_t used = 0;         ///< slots with references
  std::uint64_t own = 0;          ///< those of them that the owner itself shows
  std::uint64_t recycled = 0;     ///< slots that keep a frame for whoever comes next
  std::uint64_t unpunched = 0;    ///< slots that wait for that, as their owner went
  SparseBits kept;                ///< groups of slots of which some may be free and keep a frame
  std::uint64_t search_from = 0;  ///< packed: where to look for a hole next
  std::uint32_t next_recycled = SlotState::kEndOfList;  ///< packed: the one to be taken first
  AddressSpace* owner = nullptr;  ///< the space whose home it is, until that goes
  std::byte* seen = nullptr;      ///< where all its frames can be read, once somebody asked
  bool seen_is_writable = false;
  /// Reserved frames: where they are filled, by stores that no limit and no filter can refuse.
  std::byte* filled_at = nullptr;
  bool packed = false;
  bool foreign = false;
  bool closing = false;       ///< its owner goes: what is freed is looked at in a sweep afterwards
  PageIndex sweep;            ///< closing: where that sweep is
  bool sweep_helped = false;  ///< closing: it gave something back since it began

  /// Slots of a home that its owner shows no more, but somebody else does or keeps.
  [[nodiscard]] std::uint64_t held_by_others() const noexcept { return used - own; }
  /// `slot` is free and keeps a frame from now on.
  void note_kept(PageIndex slot) noexcept { kept.set(slot.value / kGroupSlots); }
};

/// All extents of one family: what FrameStore and its Recycling both work on.
struct Extents {
  explicit Extents(PageCount slots_of_each) noexcept : slots(slots_of_each) {}

  PageCount slots;            ///< of each
  MetadataArray<Extent> all;  ///< by ExtentId
  MetadataArray<ExtentId> packed;
  std::uint64_t used = 0;  ///< the sum of Extent::used
  /// Slots whose counts were dropped, and those looked at to be given back, since the family began.
  std::uint64_t slots_looked_at = 0;

  [[nodiscard]] Extent& operator[](ExtentId id) noexcept { return all[id.value]; }
  [[nodiscard]] const Extent& operator[](ExtentId id) const noexcept { return all[id.value]; }
};

}  // namespace cow
