#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/check.hpp"
#include "base/units.hpp"
#include "mm/frames/frame_store.hpp"
#include "mm/resources/metadata_array.hpp"

namespace cow {

/// The homes of one region: where a page that has to move finds its slot.
///
/// A page has to move when its frame is seen elsewhere, too. If its slot were taken in every home,
/// it could only go to a frame apart from its neighbours', and each such page takes two kernel
/// mappings for good; enough of them, and the next store would find none.
///
/// Rule: at the moment at which frames of a region may come to be seen elsewhere, it has *room to
/// move*: a home without a slot in use, or two homes no slot of which is held by anybody but the
/// region itself. A page is in one of those two at most, so its slot in the other one is free, and
/// stays free until it has moved there. Then nobody else can see it, until frames of the region
/// come to be seen again. So a page that has to move always finds a slot, and a run of pages finds
/// its slots side by side.
///
/// The caller holds the family's lock.
class Homes {
 public:
  Homes(FrameStore& frames, AddressSpace& owner) noexcept : frames_(frames), owner_(owner) {}

  // Control calls.

  /// Precondition: a region that was just made.
  [[nodiscard]] Frame first() const noexcept {
    COW_CHECK(list_.size() == 1);
    return {list_[0], PageIndex{0}};
  }
  [[nodiscard]] std::span<const ExtentId> list() const noexcept {
    return {list_.begin(), list_.size()};
  }
  /// Opens another home; its first frame. Throws std::system_error.
  Frame open();
  /// One without a slot in use, opened if there is none; its first frame. Throws std::system_error.
  Frame empty_one();
  /// See the rule. Opens homes where there are too few. Throws std::system_error.
  void make_room_to_move();

  /// The owner goes: see FrameStore::begin_close_home.
  void begin_close() noexcept;
  /// After fork(), in the child: they are the parent's.
  void forget() noexcept;

  // Signal context: yes.

  /// The slot of `page` in a home where it is free; in one with room to move if it can be. An empty
  /// frame if there is none.
  [[nodiscard]] Frame free_slot(PageIndex page) const noexcept;
  /// Whether `home` is one of ours and its slot for `page` is free.
  [[nodiscard]] bool is_free(ExtentId home, PageIndex page) const noexcept {
    return home != ExtentId{} && frames_.extent(home).owner == &owner_ &&
           frames_.is_free({home, page});
  }

 private:
  // Beyond two, homes serve runs of stores: what moves into an empty one lies side by side again.
  static constexpr std::size_t kFewest = 2;
  static constexpr std::size_t kUsual = 4;
  static constexpr std::size_t kWhenShort = 16;  ///< of mappings: what is scattered comes together

  [[nodiscard]] std::size_t worth_having() const noexcept;

  FrameStore& frames_;
  AddressSpace& owner_;
  MetadataArray<ExtentId, kUsual> list_;
  std::array<ExtentId, 2> roomy_{};  ///< those with room to move, the emptier one first
};

}  // namespace cow
