#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/checksum.hpp"
#include "base/units.hpp"
#include "os/named_file.hpp"

namespace cow {

/// Which state of a region an image is of, drawn at random. Images with the same id have the same
/// bytes.
using ImageId = std::array<std::byte, 16>;

/// `stream`: complete, too, but written from front to end; see stream_format.hpp.
enum class ImageKind : std::uint32_t { full = 1, delta = 2, stream = 3 };

/// The pages [first, first + count).
struct ImageRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;

  [[nodiscard]] PageSpan pages() const noexcept { return {{first}, {first + count}}; }
};

/// What an image file says about its pages: see docs/file-format.md.
struct ImageIndex {
  std::vector<ImageRun> data;            ///< pages with bytes in the file, ascending
  std::vector<ImageRun> zeros;           ///< a delta's pages that became zeros, ascending
  std::vector<std::uint64_t> checksums;  ///< of each page of `data`, in order

  void add_data(PageIndex page, std::uint64_t checksum);
  void add_zeros(PageIndex page);
  /// The page behind the last one with data.
  [[nodiscard]] PageIndex end_of_data() const noexcept {
    return data.empty() ? PageIndex{0} : data.back().pages().last;
  }
};

/// What an image file says about itself, in the order in which it says it.
struct ImageHeader {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t header_bytes;
  ImageKind kind;
  std::uint32_t reserved;
  std::uint64_t size_bytes;  ///< of the region
  std::uint64_t page_bytes;
  std::uint64_t data_offset;
  std::uint64_t data_pages;
  std::uint64_t index_offset;
  std::uint64_t data_runs;
  std::uint64_t zero_runs;
  std::uint64_t file_bytes;
  ImageId id;
  ImageId base;  ///< the id of the image that a delta is to be applied to
  Checksum128 index_checksum;
  std::array<std::byte, 104> zeros;
  Checksum128 header_checksum;  ///< of all that comes before

  [[nodiscard]] PageGeometry geometry() const noexcept { return PageGeometry(page_bytes); }
  [[nodiscard]] PageCount pages() const noexcept { return geometry().pages_for(size_bytes); }
  /// Where in the file the bytes of `page` are; `rank` is how many pages of the index come before.
  [[nodiscard]] os::FileOffset place_of(PageIndex page, std::uint64_t rank) const noexcept {
    const std::uint64_t slot = kind == ImageKind::full ? page.value : rank;
    return {data_offset + slot * page_bytes};
  }
};

inline constexpr std::size_t kImageHeaderBytes = 256;
static_assert(sizeof(ImageHeader) == kImageHeaderBytes);

/// The checksum that an index holds of one page.
std::uint64_t page_checksum(PageIndex page, const std::byte* bytes,
                            std::size_t page_bytes) noexcept;

/// A header without the parts that only the end of writing tells.
ImageHeader new_header(ImageKind kind, std::uint64_t size_bytes, std::size_t page_bytes);

/// Where the index of an image with so many pages of data begins.
std::uint64_t index_offset_of(const ImageHeader& header, std::uint64_t data_pages) noexcept;

/// How long that index is. The header says how many pages and runs it has.
std::uint64_t index_bytes_of(const ImageHeader& header) noexcept;

/// The header is complete: gives it its own checksum.
void seal_header(ImageHeader& header) noexcept;

/// Writes index and header, which completes the file. Throws std::system_error.
void finish_image(os::OutputFile& file, ImageHeader header, const ImageIndex& index);

/// An image file that was opened, with a header and an index that make sense by themselves.
struct ImageFile {
  os::ReadableFile file;
  ImageHeader header;
  ImageIndex index;
  std::vector<os::FileOffset> places;  ///< of a stream: where each run of data is
  const char* call = "load";           ///< that reads it, for sentences

  /// Where the bytes of a page of run `run` are; `rank` is how many pages of the index come before.
  [[nodiscard]] os::FileOffset place_of(std::size_t run, PageIndex page,
                                        std::uint64_t rank) const noexcept {
    if (header.kind != ImageKind::stream) return header.place_of(page, rank);
    const std::uint64_t pages_before = page.value - index.data[run].first;
    return {places[run].bytes + pages_before * header.page_bytes};
  }
  /// Whether the header begins a chain, and says what is in every page.
  [[nodiscard]] bool is_complete() const noexcept { return header.kind != ImageKind::delta; }

  /// Throws std::system_error that names the file and says what is wrong with it.
  static ImageFile open(const std::filesystem::path& path);
  /// The same for what `call` has opened.
  static ImageFile read(os::ReadableFile file, const char* call);

  /// Throws the error of a file whose bytes are not what they should be.
  [[noreturn]] void refuse(const std::string& what) const;

  /// Throws if there is anything but zeros in [from, to), which no checksum covers.
  void check_zeros(os::FileOffset from, os::FileOffset to) const;
};

}  // namespace cow
