#include "api/backup_stream.hpp"

#include <array>
#include <cstring>

#include "base/zeros.hpp"

namespace cow {

BackupStream::BackupStream(int descriptor, std::chrono::milliseconds longest_stall,
                           const std::atomic<bool>& is_cancelled, const ImageHeader& header)
    : header_(header), stream_(descriptor, longest_stall, is_cancelled) {}

void BackupStream::set_size(std::uint64_t size_bytes) {
  header_.size_bytes = size_bytes;
  seal_header(header_);  // nothing of it is known later
}

// Pages of zeros are left out; neighbours are one record.
void BackupStream::write(std::span<const PageIndex> pages, const std::byte* bytes) {
  const std::size_t page_bytes = header_.geometry().page_bytes();
  const auto is_zero = [&](std::size_t i) {
    return is_all_zeros({bytes + i * page_bytes, page_bytes});
  };
  for (std::size_t i = 0; i < pages.size();) {
    const std::size_t first = i;
    if (is_zero(i++)) continue;
    while (i < pages.size() && i - first < kMostRecordPages &&
           pages[i] == pages[i - 1] + kOnePage && !is_zero(i)) {
      ++i;
    }
    write_record(pages[first], i - first, bytes + first * page_bytes);
  }
}

void BackupStream::write_record(PageIndex first, std::uint64_t count, const std::byte* bytes) {
  if (!has_header_) {
    stream_.write(reinterpret_cast<const std::byte*>(&header_), sizeof(header_));
    has_header_ = true;
  }
  const std::size_t page_bytes = header_.geometry().page_bytes();
  std::array<std::uint64_t, kMostRecordPages> checksums{};
  for (std::uint64_t i = 0; i < count; ++i) {
    checksums[i] = page_checksum(first + PageCount{i}, bytes + i * page_bytes, page_bytes);
  }
  StreamRecord record{first.value, count, 0};
  record.checksum = stream_checksum(record, checksums.data(), records_++);
  std::array<std::byte, sizeof(record) + sizeof(checksums)> head{};
  const std::size_t checksum_bytes = count * sizeof(std::uint64_t);
  std::memcpy(head.data(), &record, sizeof(record));
  std::memcpy(head.data() + sizeof(record), checksums.data(), checksum_bytes);
  stream_.write(head.data(), sizeof(record) + checksum_bytes);
  stream_.write(bytes, count * page_bytes);
  pages_written_ += count;
}

void BackupStream::commit() { write_record(PageIndex{pages_written_}, 0, nullptr); }

}  // namespace cow
