#pragma once

#include <cstdint>

#include "base/check.hpp"
#include "base/units.hpp"

namespace cow {

/// Which extent of a family's frame files. 0 is no extent.
struct ExtentId {
  static constexpr std::uint32_t kMost =
      (std::uint32_t{1} << 20) - 1;  ///< as an Entry has room for

  std::uint32_t value = 0;
  friend constexpr bool operator==(ExtentId, ExtentId) = default;
};

/// Names one frame: a slot of an extent. Frames with consecutive names are neighbours in their
/// file. Extents are kept one slot apart, so consecutive names never cross from one to the next.
class Frame {
 public:
  constexpr Frame() = default;
  constexpr Frame(ExtentId extent, PageIndex slot)
      : name_(std::uint64_t{extent.value} << kSlotBits | slot.value) {}

  [[nodiscard]] constexpr ExtentId extent() const {
    return {static_cast<std::uint32_t>(name_ >> kSlotBits)};
  }
  [[nodiscard]] constexpr PageIndex slot() const { return {name_ & kSlotMask}; }
  [[nodiscard]] constexpr Frame after(PageCount n) const { return Frame(name_ + n.value); }
  friend constexpr bool operator==(Frame, Frame) = default;

 private:
  friend class Entry;
  static constexpr unsigned kSlotBits = 35;
  static constexpr std::uint64_t kSlotMask = (std::uint64_t{1} << kSlotBits) - 1;
  constexpr explicit Frame(std::uint64_t name) : name_(name) {}

  std::uint64_t name_ = 0;
};

/// Page-table entry: which frame a page shows, and whether this table may write to it.
///
///    63         62            61             60       59    55 54        35 34             0
///   | writable | maybe clean | never stored | leased | heat  |   extent   |     slot      |
///
/// An entry of all zero bits is a zero page: no frame, loads show zeros.
/// Invariant: an entry is writable only if its leaf and its frame are referenced by this table
/// alone. A leased entry is writable.
class Entry {
 public:
  constexpr Entry() = default;
  constexpr explicit Entry(Frame frame) : bits_(frame.name_) {}

  [[nodiscard]] constexpr bool is_zero_page() const { return bits_ == 0; }
  [[nodiscard]] constexpr Frame frame() const { return Frame(bits_ & kFrameMask); }

  [[nodiscard]] constexpr bool writable() const { return (bits_ & kWritable) != 0; }
  constexpr void set_writable(bool on) { set(kWritable, on); }

  /// The page has this frame, and no fault has told of a store to it: a window took it along, it is
  /// leased, or it was filled by a control call. Its bytes may be those of another frame still.
  [[nodiscard]] constexpr bool maybe_clean() const { return (bits_ & kMaybeClean) != 0; }
  constexpr void set_maybe_clean(bool on) { set(kMaybeClean, on); }

  /// The page has this frame without any bytes, from a window of zero pages or a discard, or so
  /// that a mapping goes on. While writable: nobody knows whether it was stored to. While
  /// read-only: the frame was never touched, it is a hole and shows zeros.
  [[nodiscard]] constexpr bool never_stored() const { return (bits_ & kNeverStored) != 0; }
  constexpr void set_never_stored(bool on) { set(kNeverStored, on); }

  /// Whether it was a store to this very page that made it writable.
  [[nodiscard]] constexpr bool store_was_seen() const { return !maybe_clean() && !never_stored(); }

  /// Read-only from now on, in a frame that was touched if nobody knew.
  constexpr void close() {
    const std::uint64_t maybe_clean = (bits_ & kNeverStored) << 1;
    bits_ = (bits_ & ~(kWritable | kNeverStored)) | maybe_clean;
  }

  /// A WriteLease keeps the page writable: who would share its frame gets a copy instead.
  [[nodiscard]] constexpr bool leased() const { return (bits_ & kLeased) != 0; }
  constexpr void set_leased(bool on) { set(kLeased, on); }

  /// How often the page is stored to, as far as snapshots can tell, in five bits:
  ///
  ///     0        not lately
  ///     1 to 14  warm: a snapshot found it stored to and protected it, and it cools since then
  ///    15 to 28  hot: snapshots copy it and leave it writable
  ///
  /// A page that is stored to while warm becomes hot. From then on nobody sees its stores, so it
  /// stays hot until the copies have cost as much as the fault would that tells: then it is
  /// protected, and warm, once more. Rent until the price is paid, as for windows: see "Rounds" in
  /// docs/windows.md. One degree is one snapshot.
  static constexpr unsigned kWarmest = 14;
  static constexpr unsigned kHottest = 28;
  [[nodiscard]] constexpr unsigned heat() const {
    return static_cast<unsigned>(bits_ >> kHeatShift) & kHeatMask;
  }
  /// Precondition: not a zero page.
  constexpr void set_heat(unsigned heat) {
    COW_CHECK(!is_zero_page());
    bits_ = (bits_ & ~(std::uint64_t{kHeatMask} << kHeatShift)) | std::uint64_t{heat} << kHeatShift;
  }
  [[nodiscard]] constexpr bool hot() const { return writable() && heat() > kWarmest; }

  /// Precondition: read-only. Nothing but zeros can be behind it.
  [[nodiscard]] constexpr bool shows_zeros() const {
    COW_CHECK(!writable());
    return is_zero_page() || never_stored();
  }

  /// Whether the page after this one, with entry `next`, shows the frame beside ours, or both pages
  /// none.
  [[nodiscard]] constexpr bool frames_join(Entry next) const {
    if (is_zero_page() || next.is_zero_page()) return bits_ == next.bits_;
    return next.frame() == frame().after(kOnePage);
  }
  /// The same, and both may be written or neither.
  [[nodiscard]] constexpr bool joins(Entry next) const {
    return frames_join(next) && writable() == next.writable();
  }

  /// What is true of every entry, whatever its leaf and frame are: flags come with a frame, and a
  /// leased entry is writable.
  [[nodiscard]] constexpr bool is_sound() const {
    return (is_zero_page() || frame() != Frame{}) && (writable() || !leased());
  }

  friend constexpr bool operator==(Entry, Entry) = default;

 private:
  static constexpr std::uint64_t kWritable = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kMaybeClean = std::uint64_t{1} << 62;
  static constexpr std::uint64_t kNeverStored = std::uint64_t{1} << 61;
  static constexpr std::uint64_t kLeased = std::uint64_t{1} << 60;
  static constexpr unsigned kHeatShift = 55;
  static constexpr unsigned kHeatMask = 31;
  static constexpr std::uint64_t kFrameMask = (std::uint64_t{1} << kHeatShift) - 1;

  static_assert(kNeverStored << 1 == kMaybeClean);

  constexpr void set(std::uint64_t flag, bool on) { bits_ = on ? bits_ | flag : bits_ & ~flag; }

  std::uint64_t bits_ = 0;
};

/// Places where a page does not join the one before it, or by how many they change: because of its
/// frame, or of its permission alone. Which of them cost a mapping is for MappedRange to say.
struct Boundaries {
  std::int32_t frames = 0;
  std::int32_t permissions = 0;

  /// Between two pages side by side.
  [[nodiscard]] static constexpr Boundaries between(Entry page, Entry next) {
    const bool join = page.frames_join(next);
    return {join ? 0 : 1, join && page.writable() != next.writable() ? 1 : 0};
  }
  [[nodiscard]] constexpr bool none() const { return *this == Boundaries{}; }

  friend constexpr bool operator==(Boundaries, Boundaries) = default;
  constexpr Boundaries& operator+=(Boundaries more) {
    frames += more.frames;
    permissions += more.permissions;
    return *this;
  }
  friend constexpr Boundaries operator+(Boundaries a, Boundaries b) { return a += b; }
  friend constexpr Boundaries operator-(Boundaries a, Boundaries b) {
    return {a.frames - b.frames, a.permissions - b.permissions};
  }
};

}  // namespace cow
