#include "image_input.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "api/image_format.hpp"

namespace fuzz {

namespace {

using cow::ImageHeader;
using cow::ImageRun;

constexpr std::size_t kMostFiles = 4;
constexpr std::size_t kMostListBytes = 4096;
constexpr std::uint64_t kMostPages = 64;
constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 44;

void write_at(int file, std::span<const std::byte> bytes, std::uint64_t at) {
  if (at > kMostFileBytes || bytes.empty()) return;
  if (::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at)) < 0) std::abort();
}

/// One file being laid out.
struct Layout {
  ImageHeader header{};
  Bytes list;
  Bytes pages;
};

std::uint64_t list_bytes(const ImageHeader& header) {
  const std::uint64_t most = kMostListBytes;
  return std::min(most, header.data_runs) * 16 + std::min(most, header.zero_runs) * 16 +
         std::min(most, header.data_pages) * 8;
}

std::optional<Layout> layout_of(std::span<const std::byte> parts) {
  Layout layout;
  if (parts.size() < sizeof(ImageHeader)) return std::nullopt;
  std::memcpy(&layout.header, parts.data(), sizeof(ImageHeader));
  parts = parts.subspan(sizeof(ImageHeader));
  const std::size_t list = std::min<std::uint64_t>(list_bytes(layout.header), parts.size());
  layout.list.assign(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(list));
  layout.pages.assign(parts.begin() + static_cast<std::ptrdiff_t>(list), parts.end());
  return layout;
}

/// Calls `use(page, rank)` for the pages that the list names, as far as the list goes.
template <class Use>
void for_each_page(const Layout& layout, const Use& use) {
  std::uint64_t rank = 0;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(layout.header.data_runs, 256); ++i) {
    if ((i + 1) * sizeof(ImageRun) > layout.list.size()) return;
    ImageRun run;
    std::memcpy(&run, layout.list.data() + i * sizeof(run), sizeof(run));
    for (std::uint64_t page = 0; page < run.count; ++page) {
      if (rank == kMostPages) return;
      use(cow::PageIndex{run.first + page}, rank++);
    }
  }
}

Bytes page_at(const Layout& layout, std::uint64_t rank) {
  const std::size_t size = std::min<std::uint64_t>(layout.header.page_bytes, 1 << 16);
  Bytes page(size);
  const std::size_t begin = std::min(rank * size, layout.pages.size());
  std::copy_n(layout.pages.begin() + static_cast<std::ptrdiff_t>(begin),
              std::min(size, layout.pages.size() - begin), page.begin());
  return page;
}

void make_pages_right(Layout& layout) {
  const std::size_t checksums = (layout.header.data_runs + layout.header.zero_runs) * 16;
  for_each_page(layout, [&](cow::PageIndex page, std::uint64_t rank) {
    const std::size_t at = checksums + rank * 8;
    if (layout.header.data_runs > 256 || layout.header.zero_runs > 256 ||
        at + 8 > layout.list.size()) {
      return;
    }
    const Bytes bytes = page_at(layout, rank);
    const std::uint64_t checksum = cow::page_checksum(page, bytes.data(), bytes.size());
    std::memcpy(layout.list.data() + at, &checksum, sizeof(checksum));
  });
}

void make_checksums_right(Layout& layout) {
  layout.header.index_checksum = cow::checksum128(layout.list);
  layout.header.header_checksum = cow::checksum128(
      {reinterpret_cast<const std::byte*>(&layout.header), offsetof(ImageHeader, header_checksum)});
}

void write_layout(int file, const Layout& layout, bool right_size) {
  const ImageHeader& header = layout.header;
  write_at(file, {reinterpret_cast<const std::byte*>(&header), sizeof(header)}, 0);
  if (header.data_offset < kMostFileBytes && header.page_bytes < kMostFileBytes) {
    for_each_page(layout, [&](cow::PageIndex page, std::uint64_t rank) {
      if (page.value > kMostFileBytes / std::max<std::uint64_t>(header.page_bytes, 1)) return;
      write_at(file, page_at(layout, rank), header.place_of(page, rank).bytes);
    });
  }
  write_at(file, layout.list, header.index_offset);
  if (right_size && header.file_bytes <= kMostFileBytes &&
      ::ftruncate(file, static_cast<off_t>(header.file_bytes)) != 0) {
    std::abort();
  }
}

}  // namespace

void append_file(Bytes& input, std::span<const std::byte> parts) {
  input.push_back(static_cast<std::byte>(parts.size() & 0xff));
  input.push_back(static_cast<std::byte>(parts.size() >> 8 & 0xff));
  input.insert(input.end(), parts.begin(), parts.end());
}

Bytes parts_of(std::span<const std::byte> file) {
  ImageHeader header{};
  std::memcpy(&header, file.data(), sizeof(header));
  Bytes parts(file.begin(), file.begin() + sizeof(header));
  const auto list = file.subspan(header.index_offset);
  parts.insert(parts.end(), list.begin(), list.end());
  const Layout layout{header, {list.begin(), list.end()}, {}};
  for_each_page(layout, [&](cow::PageIndex page, std::uint64_t rank) {
    const auto bytes = file.subspan(header.place_of(page, rank).bytes, header.page_bytes);
    parts.insert(parts.end(), bytes.begin(), bytes.end());
  });
  return parts;
}

Files::Files(std::span<const std::byte> input) {
  if (input.empty()) return;
  choices_ = static_cast<std::uint8_t>(input[0]);
  input = input.subspan(1);
  std::optional<cow::ImageId> id;
  while (input.size() > 2 && descriptors_.size() < kMostFiles) {
    const std::size_t wanted =
        static_cast<std::size_t>(input[0]) | static_cast<std::size_t>(input[1]) << 8;
    const auto parts = input.subspan(2, std::min(wanted, input.size() - 2));
    input = input.subspan(2 + parts.size());
    const int file = ::memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) std::abort();
    descriptors_.push_back(file);
    std::optional<Layout> layout = layout_of(parts);
    if ((choices_ & raw) != 0 || !layout) {
      write_at(file, parts, 0);
      continue;
    }
    if ((choices_ & right_chain) != 0 && id) layout->header.base = *id;
    if ((choices_ & right_pages) != 0) make_pages_right(*layout);
    if ((choices_ & right_checksums) != 0) make_checksums_right(*layout);
    id = layout->header.id;
    write_layout(file, *layout, (choices_ & right_size) != 0);
  }
}

Files::~Files() {
  for (const int file : descriptors_) ::close(file);
}

}  // namespace fuzz
