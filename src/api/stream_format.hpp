#pragma once

#include <cstdint>

#include "api/image_format.hpp"

namespace cow {

/// A stream image, which is written from front to end: a header, records of pages in any order, and
/// a last record that says how many pages there were. See docs/file-format.md.

/// What a record says of itself. The checksums of its pages follow, and then their bytes.
struct StreamRecord {
  std::uint64_t first = 0;     ///< page; of the last record: how many pages all the others have
  std::uint64_t count = 0;     ///< of pages, up to kMostRecordPages; 0: the last record
  std::uint64_t checksum = 0;  ///< see stream_checksum()
};
inline constexpr std::uint64_t kMostRecordPages = 64;
inline constexpr std::size_t kStreamRecordBytes = 24;
static_assert(sizeof(StreamRecord) == kStreamRecordBytes);

/// XXH3-64 of the numbers before it and of the page checksums behind it, seeded with which record
/// it is.
[[nodiscard]] std::uint64_t stream_checksum(const StreamRecord& record,
                                            const std::uint64_t* page_checksums,
                                            std::uint64_t number) noexcept;

/// What is wrong with the header of a stream, whose checksum is right; null if nothing is.
[[nodiscard]] const char* complaint_about_stream(const ImageHeader& header) noexcept;

/// Reads where the pages of `image` are, of which header and file are there, into its index and its
/// places. Throws std::system_error that names the file.
void read_stream_index(ImageFile& image);

}  // namespace cow
