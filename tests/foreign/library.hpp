// The one difference between the two programs: one of them uses libcow, and goes on using it.
#pragma once

#if defined(COW_FOREIGN_WITH_LIBRARY)

#include <cow/cow.hpp>
#include <cstddef>
#include <optional>

#include "handler.hpp"

namespace foreign {

class Library {
 public:
  /// The first control call puts libcow's handler in front of what is there.
  Library() : region_(cow::Region::create(pages * stride, {.max_window_pages = 1})) {
    for (std::size_t page = 0; page < pages; ++page) byte_of(page) = std::byte{1};
    past_ = region_.snapshot();
  }

  /// A store that faults, with no control call before it.
  void store() {
    const std::size_t before = region_.stats().faults;
    byte_of(next_) = std::byte{2};
    if (region_.stats().faults != before + 1) say("libcow: the store was no fault");
    if (past_->bytes()[next_ * stride] != std::byte{1}) {
      say("libcow: the snapshot changed");
    }
    ++next_;
  }

 private:
  static constexpr std::size_t pages = 8;
  static constexpr std::size_t stride = std::size_t{1} << 16;  // on every host a whole number

  volatile std::byte& byte_of(std::size_t page) { return region_.data()[page * stride]; }

  cow::Region region_;
  std::optional<cow::Snapshot> past_;
  std::size_t next_ = 0;
};

}  // namespace foreign

#else

namespace foreign {

class Library {
 public:
  void store() {}
};

}  // namespace foreign

#endif
