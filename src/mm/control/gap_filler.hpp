#pragma once

#include <cstdint>
#include <optional>

#include "mm/control/carrier.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/space/address_space.hpp"

namespace cow {

/// Shows an address space that was just made and whose data was put into one home, in no more
/// mappings than the process can spare.
///
/// Zeros between data need no mapping of their own. In a leaf that has data they get the slots of
/// the home that lie there, and nobody touches those: no memory is behind them, and the region
/// looks like one that was created and stored to. What lies between leaves with data is left alone,
/// so that the cost follows the data and not the size. Only where that takes more mappings than can
/// be spared, gaps are filled as well, the shortest first: zeros for the price of their page
/// tables, pages of a user's file by copying them. In the end one mapping is enough for all.
class GapFiller {
 public:
  /// All entries of the table are in `home`, in the user's file, or zero pages; those in the home
  /// are writable, or not, as told. The caller holds the family's lock and has reserved page tables
  /// for all of the space.
  GapFiller(AddressSpace& space, Frame home, bool writable) noexcept
      : space_(space),
        frames_(space.family().frames()),
        home_(home),
        writable_(writable),
        holes_(frames_) {}

  /// Throws std::system_error; the space is of no use then.
  void show();

 private:
  /// Fewer are not worth filling anything for, unless the kernel has none left.
  static constexpr std::uint64_t kFewMappings = 16;

  void fill_within_leaves();
  void fill_shortest(std::uint64_t surplus);
  void fill(PageSpan gap);
  void give_home(Leaf& leaf, PageSpan span);
  void copy_of_file(Leaf& leaf, PageSpan span);
  [[nodiscard]] bool is_home(Entry entry) const noexcept {
    return !entry.is_zero_page() && entry.frame().extent() == home_.extent();
  }
  template <class Use>
  void for_each_gap(const Use& use);

  AddressSpace& space_;
  FrameStore& frames_;
  Frame home_;
  bool writable_;
  HoleFinder holes_;
  std::optional<Carrier> carrier_;
};

}  // namespace cow
