#pragma once

#include <cstdint>

#include "base/units.hpp"
#include "mm/frames/extent.hpp"
#include "mm/resources/backing.hpp"
#include "mm/resources/piece.hpp"

namespace cow {

/// Frames that nobody references any more and that are kept, with the bytes they held, for whoever
/// takes one next. Copying into a frame that exists costs the kernel half of copying into a hole of
/// the file, and keeping one spares the call that would punch it.
///
/// Nobody ever sees what such a frame held: it is taken only to be filled from end to end, or is
/// punched before it can be mapped as zeros (FrameStore::fill, fill_from and show_zeros).
///
/// In a packed extent they are in a list, and the one that was freed last is taken first; in a home
/// they are found by their place. The caller holds the family's lock. Signal context: yes, unless
/// said otherwise.
class Recycling {
 public:
  Recycling(PageGeometry geometry, Backing backing, Extents& extents) noexcept;
  ~Recycling() { forget(); }
  Recycling(const Recycling&) = delete;
  Recycling& operator=(const Recycling&) = delete;

  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }

  /// Recycles the frame of `slot`, to which the last reference was just dropped; in a packed extent
  /// list() has to follow. False if it is not to be kept.
  [[nodiscard]] bool keep(Extent& extent, PageIndex slot) noexcept;
  /// There are more, or fewer, in `extent`.
  void count(Extent& extent, std::int64_t change) noexcept;
  /// While one lives, frames that nobody has left are not recycled but given back.
  class [[nodiscard]] NothingKept {
   public:
    explicit NothingKept(Recycling& recycling) noexcept : recycling_(recycling) {
      recycling_.keeps_ = false;
    }
    ~NothingKept() { recycling_.keeps_ = true; }
    NothingKept(const NothingKept&) = delete;
    NothingKept& operator=(const NothingKept&) = delete;

   private:
    Recycling& recycling_;
  };

  // In packed extents.

  /// Whether so many are listed: then the next ones of FrameStore::take_packed() are recycled.
  [[nodiscard]] bool has_listed(PageCount count) const noexcept;
  /// Takes up to `most` neighbours off a list; none if all lists are empty.
  [[nodiscard]] FrameRun unlist(PageCount most) noexcept;
  /// Puts those of `slots` to the front of the list.
  void list(Extent& packed, PageSpan slots) noexcept;
  /// Makes the list anew, in the order of the file.
  void list_all(Extent& packed) noexcept;
  /// Before so many are taken: until others are freed they are taken in the order in which they lie
  /// in their file, if looking at all of them is a small part of the price. Control calls only.
  void order(PageCount wanted) noexcept;

  // Back to the kernel.

  /// How many are to go back now: not more are kept than frames are in use, and none that were not
  /// needed for a while.
  [[nodiscard]] std::uint64_t surplus() const noexcept;
  /// Gives back at most `most` and no more than `piece` allows. Returns how many.
  std::uint64_t give_back(std::uint64_t most, Piece& piece) noexcept;
  /// How many pieces it takes at most to look at every slot there is.
  [[nodiscard]] std::uint64_t most_pieces() const noexcept {
    return extents_.all.size() * (extents_.slots.value / Piece::kMostLooks + 2);
  }
  using SlotTest = bool (SlotState::*)() const noexcept;
  /// Punches free slots that pass `test`, from `from` on, until the piece is used up. Returns where
  /// that ended. What cannot be punched stays what it was.
  PageIndex punch(ExtentId id, PageIndex from, SlotTest test, Piece& piece) noexcept;
  /// Part of every control call that may keep or take frames: finds out what was not needed for a
  /// while, and whether memory is short, so that everything is to go. Control calls only.
  void age() noexcept;
  /// After fork(), in the child: they are the parent's.
  void forget() noexcept;

 private:
  [[nodiscard]] bool may_keep(const Extent& extent, PageIndex slot) const noexcept;
  [[nodiscard]] PageSpan slots_of_group(std::uint64_t group) const noexcept;
  PageIndex punch_in_group(Extent& of, PageSpan slots, SlotTest test, Piece& piece) noexcept;
  bool punch_span(Extent& of, PageSpan span) noexcept;
  std::uint64_t give_back_listed(Extent& packed, std::uint64_t most, Piece& piece) noexcept;

  PageGeometry geometry_;
  Backing backing_;
  Extents& extents_;
  std::uint64_t bytes_limit_;  ///< of all families together
  bool keeps_ = true;          ///< see NothingKept
  std::uint64_t frames_ = 0;   ///< the sum of Extent::recycled
  std::uint64_t fewest_ = 0;   ///< of the control calls counted in `age_`
  std::uint64_t age_ = 0;
  std::uint64_t unneeded_ = 0;  ///< those that no control call needed for a while
};

}  // namespace cow
