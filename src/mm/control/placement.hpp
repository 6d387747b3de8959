#pragma once

#include <cstddef>
#include <span>

#include "mm/space/address_space.hpp"
#include "mm/space/space_trace.hpp"

namespace cow {

/// Puts bytes into the home of a region that was just made and that nobody has the address of.
/// Until show() the region shows zeros. Each call takes the family's lock.
class Placement {
 public:
  explicit Placement(AddressSpace& empty) noexcept;

  /// The pages of `span` hold the bytes at `bytes`, whole pages, whatever was put there before.
  /// Throws std::system_error.
  void put(PageSpan span, const std::byte* bytes);
  /// The same with bytes of the program's, which may end within the last page: zeros are behind
  /// them. Each page at most once. Throws std::system_error, EFAULT if they cannot be read.
  void put_checked(PageSpan span, std::span<const std::byte> bytes);
  /// The pages of `span` are zero pages, whatever was put there before, or is in the family's file.
  void put_zeros(PageSpan span);
  /// The family's file ends before page `end`: from there on there are zero pages.
  void end_file_at(PageIndex end);
  /// Maps everything, read-only: each page is its sole owner's. In few mappings: see GapFiller.
  /// Throws std::system_error.
  void show();

 private:
  void take_homes(PageSpan span);
  [[nodiscard]] Frame home_of(PageIndex page) const noexcept { return home_.after({page.value}); }

  TracedCall call_;
  AddressSpace& space_;
  Frame home_;
};

}  // namespace cow
