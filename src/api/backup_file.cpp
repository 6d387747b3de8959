#include "api/backup_file.hpp"

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"
#include "base/refusal.hpp"
#include "base/zeros.hpp"
#include "mm/tables/page_table.hpp"
#include "os/frame_window.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

std::size_t words_for(PageCount pages) noexcept { return (pages.value + 63) / 64; }

/// Writes the list of pages in pieces: a second copy of it all would be memory again.
class IndexWriter {
 public:
  IndexWriter(os::ReplacementFile& file, os::FileOffset at) : file_(file), at_(at) {}

  void put(std::uint64_t number) {
    numbers_[count_++] = number;
    if (count_ == numbers_.size()) flush();
  }
  void flush() {
    const auto* const bytes = reinterpret_cast<const std::byte*>(numbers_.data());
    const std::size_t size = count_ * sizeof(std::uint64_t);
    if (size == 0) return;
    checksum_.add({bytes, size});
    file_.write(bytes, size, at_);
    at_ = {at_.bytes + size};
    count_ = 0;
  }
  [[nodiscard]] Checksum128 checksum() const noexcept { return checksum_.value(); }

 private:
  os::ReplacementFile& file_;
  os::FileOffset at_;
  std::array<std::uint64_t, 1024> numbers_{};
  std::size_t count_ = 0;
  RunningChecksum checksum_;
};

}  // namespace

BackupFile::BackupFile(const std::filesystem::path& path, const ImageHeader& header)
    : header_(header), file_(path) {
  make_lists();
}

void BackupFile::set_size(std::uint64_t size_bytes) {
  if (header_.size_bytes == size_bytes) return;
  header_.size_bytes = size_bytes;
  make_lists();
}

void BackupFile::make_lists() {
  const PageCount pages = header_.pages();
  MetadataArray<std::uint64_t> has_data;
  MetadataArray<std::uint64_t> checksums;
  if (!has_data.make_zeros(words_for(pages)) || !checksums.make_zeros(pages.value)) {
    throw_refused(errno, "mmap", "the list of a backup's pages could not be made");
  }
  for (MetadataArray<std::uint64_t>* const list : {&has_data, &checksums})
    os::take_small_pages(reinterpret_cast<std::byte*>(list->begin()), list->bytes());
  has_data_.swap(has_data);
  checksums_.swap(checksums);
  // Before anything is written: a process may not write beyond its limit.
  file_.resize(index_offset_of(header_, 0));
}

std::size_t BackupFile::extra_bytes(PageCount pages, std::uint64_t leaves) noexcept {
  const std::size_t checksums = os::whole_pages(pages.value * sizeof(std::uint64_t));
  const std::size_t of_a_leaf = os::whole_pages(kTableEntries * sizeof(std::uint64_t));
  const std::size_t bits = os::whole_pages(words_for(pages) * sizeof(std::uint64_t));
  return std::min(bits, leaves * os::page_bytes()) + std::min(checksums, leaves * of_a_leaf);
}

// Pages of zeros are left out; those whose places are neighbours are written together.
void BackupFile::write(std::span<const PageIndex> pages, const std::byte* bytes) {
  const std::size_t page_bytes = header_.geometry().page_bytes();
  const std::byte* begin = bytes;
  os::FileOffset place{0};
  const auto write_until = [&](const std::byte* end) {
    if (begin == end) return;
    const auto size = static_cast<std::size_t>(end - begin);
    file_.write(begin, size, place);
    bytes_written_ += size;
  };
  for (const PageIndex page : pages) {
    COW_CHECK(page.value < header_.pages().value);  // the lists have no place for others
    const bool zeros = is_all_zeros({bytes, page_bytes});
    const os::FileOffset here = header_.place_of(page, 0);
    const auto pending = static_cast<std::size_t>(bytes - begin);
    if (zeros || pending == 0 || here.bytes != place.bytes + pending) {
      write_until(bytes);
      begin = zeros ? bytes + page_bytes : bytes;
      place = here;
    }
    if (!zeros) {
      has_data_[page.value / kBitsOfAWord] |= std::uint64_t{1} << page.value % kBitsOfAWord;
      checksums_[page.value] = page_checksum(page, bytes, page_bytes);
      ++pages_written_;
    }
    bytes += page_bytes;
  }
  write_until(bytes);
}

template <class Use>
void BackupFile::for_each_run(const Use& use) const {
  const std::uint64_t pages = header_.pages().value;
  for (std::uint64_t page = 0; page < pages;) {
    if (page % kBitsOfAWord == 0 && has_data_[page / kBitsOfAWord] == 0) {
      page += kBitsOfAWord;
      continue;
    }
    const std::uint64_t first = page;
    while (page < pages && has_data(page)) ++page;
    if (page > first) use(ImageRun{first, page - first});
    if (page < pages && !has_data(page)) ++page;
  }
}

void BackupFile::finish() {
  header_.data_pages = pages_written_;
  header_.data_runs = 0;
  for_each_run([&](ImageRun) { ++header_.data_runs; });
  header_.index_offset = index_offset_of(header_, header_.data_pages);
  header_.file_bytes = header_.index_offset + index_bytes_of(header_);
  file_.resize(header_.file_bytes);
  IndexWriter index(file_, {header_.index_offset});
  for_each_run([&](ImageRun run) {
    index.put(run.first);
    index.put(run.count);
  });
  for_each_run([&](ImageRun run) {
    for (std::uint64_t page = run.first; page < run.first + run.count; ++page)
      index.put(checksums_[page]);
  });
  index.flush();
  header_.index_checksum = index.checksum();
  seal_header(header_);
  file_.write(reinterpret_cast<const std::byte*>(&header_), sizeof(header_), {0});
  bytes_written_ += sizeof(header_) + index_bytes_of(header_);
}

}  // namespace cow
