#include "api/image_format.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "api/stream_format.hpp"
#include "base/error.hpp"
#include "base/zeros.hpp"
#include "os/frame_window.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

static_assert(std::endian::native == std::endian::little, "images are little-endian");

// The first byte is no text, the line ends show a transfer that changed them: as PNG does.
constexpr std::array<char, 8> kMagic{'\x89', 'C', 'O', 'W', '\r', '\n', '\x1a', '\n'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kStreamVersion = 2;  // of streams alone

// Pages of data can be mapped on every host: none has larger pages.
constexpr std::uint64_t kDataAlignment = std::uint64_t{64} << 10;
constexpr std::uint64_t kSmallestPage = std::uint64_t{4} << 10;  // not a page size: the format's
constexpr std::uint64_t kLargestPage = std::uint64_t{2} << 20;

void append_page(std::vector<ImageRun>& runs, PageIndex page) {
  if (!runs.empty() && runs.back().first + runs.back().count == page.value) {
    ++runs.back().count;
  } else {
    runs.push_back({page.value, 1});
  }
}

std::span<const std::byte> before_checksum(const ImageHeader& header) noexcept {
  return {reinterpret_cast<const std::byte*>(&header), offsetof(ImageHeader, header_checksum)};
}

template <class T>
std::byte* put(const std::vector<T>& items, std::byte* at) noexcept {
  const std::size_t bytes = items.size() * sizeof(T);
  if (bytes > 0) std::memcpy(at, items.data(), bytes);
  return at + bytes;
}

template <class T>
const std::byte* take(std::vector<T>& items, std::uint64_t count, const std::byte* at) {
  items.resize(count);
  const std::size_t bytes = items.size() * sizeof(T);
  if (bytes > 0) std::memcpy(items.data(), at, bytes);
  return at + bytes;
}

std::size_t whole_host_pages(std::uint64_t bytes) noexcept {
  const std::size_t page = os::page_bytes();
  return std::max<std::size_t>(1, (bytes + page - 1) / page) * page;
}

// What is wrong with a header whose checksum is right; null if nothing is.
const char* complaint_about_sizes(const ImageHeader& header) noexcept {
  if (header.header_bytes != kImageHeaderBytes || header.reserved != 0) return "its header";
  const bool is_stream = header.kind == ImageKind::stream;
  if (header.kind != ImageKind::full && header.kind != ImageKind::delta && !is_stream) {
    return "its kind";
  }
  if (is_stream != (header.version == kStreamVersion)) return "its kind";
  if (header.size_bytes == 0 || header.size_bytes > kAddressSpaceBytes) return "the region's size";
  if (!std::has_single_bit(header.page_bytes) || header.page_bytes < kSmallestPage ||
      header.page_bytes > kLargestPage) {
    return "the size of a page";
  }
  if (is_stream) return complaint_about_stream(header);
  const std::uint64_t pages = header.pages().value;
  if (header.data_pages > pages || header.data_runs > header.data_pages ||
      header.zero_runs > pages) {
    return "the number of pages";
  }
  if (header.kind == ImageKind::full && header.zero_runs != 0) return "the number of zero pages";
  if (header.data_offset != std::max(kDataAlignment, header.page_bytes)) return "where data begins";
  if (header.index_offset != index_offset_of(header, header.data_pages)) return "where data ends";
  if (header.file_bytes != header.index_offset + index_bytes_of(header)) return "the file's size";
  return nullptr;
}

bool is_ascending(const std::vector<ImageRun>& runs, std::uint64_t pages) noexcept {
  std::uint64_t end = 0;
  for (const ImageRun& run : runs) {
    if (run.first < end || run.first >= pages || run.count == 0 || run.count > pages - run.first) {
      return false;
    }
    end = run.first + run.count;
  }
  return true;
}

bool have_pages_in_common(const std::vector<ImageRun>& a, const std::vector<ImageRun>& b) noexcept {
  for (auto one = a.begin(), other = b.begin(); one != a.end() && other != b.end();) {
    if (one->first + one->count <= other->first) {
      ++one;
    } else if (other->first + other->count <= one->first) {
      ++other;
    } else {
      return true;
    }
  }
  return false;
}

bool makes_sense(const ImageIndex& index, const ImageHeader& header) noexcept {
  std::uint64_t data_pages = 0;
  if (!is_ascending(index.data, header.pages().value)) return false;
  for (const ImageRun& run : index.data) data_pages += run.count;
  return data_pages == header.data_pages && is_ascending(index.zeros, header.pages().value) &&
         !have_pages_in_common(index.data, index.zeros);
}

ImageHeader read_header(const ImageFile& image) {
  const auto damaged = [&](const char* what) { image.refuse(std::string(what) + " is damaged"); };
  ImageHeader header{};
  if (image.file.bytes() < kImageHeaderBytes) image.refuse("it is too short for its header");
  {
    const os::Buffer buffer(whole_host_pages(kImageHeaderBytes));
    image.file.read(buffer.begin(), kImageHeaderBytes, {0});
    std::memcpy(&header, buffer.begin(), sizeof(header));
  }
  if (header.magic != kMagic) image.refuse("it does not begin as an image of libcow does");
  if (header.version != kVersion && header.version != kStreamVersion) {
    image.refuse("it has version " + std::to_string(header.version) +
                 " of the format, and this libcow reads versions " + std::to_string(kVersion) +
                 " and " + std::to_string(kStreamVersion));
  }
  if (checksum128(before_checksum(header)) != header.header_checksum) damaged("its header");
  if (const char* const what = complaint_about_sizes(header)) damaged(what);
  if (header.kind != ImageKind::stream && header.file_bytes != image.file.bytes()) {
    image.refuse("it has " + std::to_string(image.file.bytes()) + " bytes and should have " +
                 std::to_string(header.file_bytes) + ": it was cut or added to");
  }
  return header;
}

ImageIndex read_index(const ImageFile& image) {
  const ImageHeader& header = image.header;
  ImageIndex index;
  const std::uint64_t bytes = index_bytes_of(header);
  // A file of holes could ask for any amount of memory.
  if (image.file.next_hole(header.index_offset) < header.file_bytes) {
    image.refuse("the list of its pages was never written");
  }
  const os::Buffer buffer(whole_host_pages(bytes));
  if (bytes > 0) image.file.read(buffer.begin(), bytes, {header.index_offset});
  if (checksum128({buffer.begin(), bytes}) != header.index_checksum) {
    image.refuse("the list of its pages is damaged");
  }
  const std::byte* at = take(index.data, header.data_runs, buffer.begin());
  at = take(index.zeros, header.zero_runs, at);
  take(index.checksums, header.data_pages, at);
  if (!makes_sense(index, header)) image.refuse("the list of its pages is damaged");
  return index;
}

}  // namespace

void ImageIndex::add_data(PageIndex page, std::uint64_t checksum) {
  append_page(data, page);
  checksums.push_back(checksum);
}

void ImageIndex::add_zeros(PageIndex page) { append_page(zeros, page); }

std::uint64_t page_checksum(PageIndex page, const std::byte* bytes,
                            std::size_t page_bytes) noexcept {
  return checksum64({bytes, page_bytes}, page.value);  // a page in the wrong place is wrong, too
}

ImageHeader new_header(ImageKind kind, std::uint64_t size_bytes, std::size_t page_bytes) {
  ImageHeader header{};
  header.magic = kMagic;
  header.version = kind == ImageKind::stream ? kStreamVersion : kVersion;
  header.header_bytes = kImageHeaderBytes;
  header.kind = kind;
  header.size_bytes = size_bytes;
  header.page_bytes = page_bytes;
  header.data_offset = std::max<std::uint64_t>(kDataAlignment, page_bytes);
  if (kind == ImageKind::stream) header.data_offset = kImageHeaderBytes;
  return header;
}

std::uint64_t index_offset_of(const ImageHeader& header, std::uint64_t data_pages) noexcept {
  const std::uint64_t slots = header.kind == ImageKind::full ? header.pages().value : data_pages;
  return header.data_offset + slots * header.page_bytes;
}

std::uint64_t index_bytes_of(const ImageHeader& header) noexcept {
  return (header.data_runs + header.zero_runs) * sizeof(ImageRun) +
         header.data_pages * sizeof(std::uint64_t);
}

void seal_header(ImageHeader& header) noexcept {
  header.header_checksum = checksum128(before_checksum(header));
}

void finish_image(os::OutputFile& file, ImageHeader header, const ImageIndex& index) {
  header.data_pages = index.checksums.size();
  header.data_runs = index.data.size();
  header.zero_runs = index.zeros.size();
  header.index_offset = index_offset_of(header, header.data_pages);
  const std::uint64_t bytes = index_bytes_of(header);
  header.file_bytes = header.index_offset + bytes;
  const os::Buffer buffer(whole_host_pages(bytes));
  put(index.checksums, put(index.zeros, put(index.data, buffer.begin())));
  header.index_checksum = checksum128({buffer.begin(), bytes});
  seal_header(header);
  file.resize(header.file_bytes);
  if (bytes > 0) file.write(buffer.begin(), bytes, {header.index_offset});
  file.write(reinterpret_cast<const std::byte*>(&header), sizeof(header), {0});
}

ImageFile ImageFile::open(const std::filesystem::path& path) {
  return read(os::ReadableFile::open(path), "load");
}

ImageFile ImageFile::read(os::ReadableFile file, const char* call) {
  ImageFile image{std::move(file), {}, {}, {}, call};
  image.header = read_header(image);
  if (image.header.page_bytes < os::page_bytes()) {
    image.refuse("its pages of " + std::to_string(image.header.page_bytes) +
                 " bytes are smaller than this host's");
  }
  if (image.header.kind == ImageKind::stream) {
    read_stream_index(image);
  } else {
    image.index = read_index(image);
  }
  return image;
}

void ImageFile::refuse(const std::string& what) const {
  throw_system_error(EBADMSG, call, "'" + file.name() + "' is not a good image: " + what);
}

void ImageFile::check_zeros(os::FileOffset from, os::FileOffset to) const {
  const os::Buffer buffer(whole_host_pages(std::uint64_t{64} << 10));
  for (std::uint64_t at = file.next_data(from.bytes); at < to.bytes; at = file.next_data(at)) {
    const std::size_t bytes = std::min<std::uint64_t>(buffer.bytes(), to.bytes - at);
    file.read(buffer.begin(), bytes, {at});
    if (!is_all_zeros({buffer.begin(), bytes})) {
      refuse("there are bytes where it has none");
    }
    at += bytes;
  }
}

}  // namespace cow
