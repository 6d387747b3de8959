#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "mm/space/address_space.hpp"

namespace cow {

/// Finds the pages of a watched region that were stored to since they were armed. The caller holds
/// the family's lock.
///
/// The kernel names every page that is not armed, also one that somebody has only loaded from. But
/// where it is known to have copied a page, that was stored to. Of the others it is asked which are
/// copies.
class StoredPages {
 public:
  enum class Then {
    arm_again,  ///< what was found counts as stored to no more
    leave,      ///< what was found stays as it is
    /// What was stored to stays as it is; what was only loaded from is armed. Precondition: nobody
    /// stores meanwhile.
    leave_stored,
  };

  /// Those of `within`.
  StoredPages(AddressSpace& space, PageSpan within, Then then) noexcept
      : space_(space), then_(then), rest_(space.watched().addresses(within)) {}

  /// The next of them, in ascending order: granules, as long as they are side by side. Empty at the
  /// end, or after an error.
  [[nodiscard]] PageSpan next() noexcept;
  [[nodiscard]] int error() const noexcept { return error_; }
  /// What was found and not handed out by next() counts as stored to, still. Likewise `also`.
  void leave_rest(PageSpan also) noexcept;

 private:
  static constexpr std::size_t kRuns = 128;

  void look_on() noexcept;
  void ask_for_copies(std::span<const os::AddressRun> unarmed) noexcept;
  void arm_all_but(std::span<const os::AddressRun> copies, os::AddressRun within) noexcept;
  void push(os::AddressRun run) noexcept;
  void leave(PageSpan span) noexcept;

  AddressSpace& space_;
  Then then_;
  os::AddressRun rest_;  ///< where nobody has looked yet
  std::array<os::AddressRun, kRuns> stored_;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  int error_ = 0;
};

}  // namespace cow
