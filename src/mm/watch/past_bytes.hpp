#pragma once

#include <cstddef>
#include <optional>

#include "mm/frames/frame_store.hpp"
#include "mm/resources/metadata_array.hpp"
#include "mm/tables/page_table.hpp"
#include "os/frame_window.hpp"

namespace cow {

/// The bytes of a snapshot's pages, so at hand that to load them asks the kernel for nothing: all
/// that it can refuse is done before. Frames are seen where the frame store maps them, or, where
/// it cannot, their bytes are read beforehand. The caller holds the family's lock.
class PastBytes {
 public:
  PastBytes(FrameStore& frames, const PageTable& snapshot) noexcept
      : frames_(frames), snapshot_(snapshot) {}

  /// Those of `page` will be needed. Throws std::system_error.
  void need(PageIndex page);
  /// Reads what is to be read of all that was needed since the last time. Throws std::system_error.
  void read();

  /// Null for a page that nobody said is needed, and for one that shows zeros.
  [[nodiscard]] const std::byte* of(PageIndex page) noexcept;

 private:
  [[nodiscard]] const std::byte* in_frame(Entry entry) noexcept;

  FrameStore& frames_;
  const PageTable& snapshot_;
  MetadataArray<PageIndex> to_read_;  ///< in ascending order, once read
  std::optional<os::Buffer> buffer_;  ///< their bytes, in this order
};

}  // namespace cow
