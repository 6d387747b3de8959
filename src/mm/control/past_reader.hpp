#pragma once

#include <array>
#include <span>

#include "mm/control/table_reader.hpp"

namespace cow {

/// Reads what a backup has not saved yet, a few pages at a time, and lets go of what was read: see
/// PastLimit. For the one thread that saves.
class PastReader {
 public:
  /// `table` is what the family's PastLimit has begun with. Throws std::system_error.
  PastReader(Family& family, const PageTable& table) : family_(family), reader_(family, table) {}

  /// Memory that one takes beside its object.
  [[nodiscard]] static std::size_t bytes_taken(PageGeometry geometry) noexcept {
    return geometry.bytes(TableReader::most_pages(geometry));
  }

  /// The next pages, in any order; their bytes are at bytes(). None if there was much to look at:
  /// see is_complete(). Takes the family's lock. Throws std::system_error.
  [[nodiscard]] std::span<const PageIndex> next();
  [[nodiscard]] bool is_complete() const noexcept { return is_complete_; }
  [[nodiscard]] const std::byte* bytes() const noexcept { return reader_.bytes(); }

 private:
  Family& family_;
  TableReader reader_;
  std::array<PageIndex, TableReader::kMostPages> pages_{};
  bool is_complete_ = false;
};

}  // namespace cow
