#include "api/stream_format.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "os/frame_window.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

/// A record that was found, to be put in the order of its pages.
struct Found {
  ImageRun run;
  os::FileOffset place;     ///< of its first page's bytes
  std::uint64_t checksums;  ///< where those of its pages are among all that were read
};

class StreamReader {
 public:
  explicit StreamReader(ImageFile& image) : image_(image), buffer_(os::whole_pages(kMostHead)) {}

  void run() {
    while (read_record()) {
    }
    if (at_ != image_.file.bytes()) image_.refuse("there are bytes behind its last record");
    put_in_order();
  }

 private:
  static constexpr std::size_t kMostHead =
      kStreamRecordBytes + kMostRecordPages * sizeof(std::uint64_t);

  // False after the last one.
  bool read_record() {
    const ImageHeader& header = image_.header;
    StreamRecord record;
    check_room(sizeof(record));
    image_.file.read(buffer_.begin(), sizeof(record), {at_});
    std::memcpy(&record, buffer_.begin(), sizeof(record));
    const std::uint64_t pages = header.pages().value;
    if (record.count > kMostRecordPages || (record.count > 0 && record.first >= pages) ||
        (record.count > 0 && record.count > pages - record.first)) {
      damaged();
    }
    const std::size_t head = sizeof(record) + record.count * sizeof(std::uint64_t);
    check_room(head + header.geometry().bytes({record.count}));
    image_.file.read(buffer_.begin(), head, {at_});
    std::array<std::uint64_t, kMostRecordPages> checksums{};
    std::memcpy(checksums.data(), buffer_.begin() + sizeof(record),
                record.count * sizeof(std::uint64_t));
    if (stream_checksum(record, checksums.data(), number_++) != record.checksum) damaged();
    at_ += head;
    if (record.count == 0) {
      if (record.first != checksums_.size()) damaged();
      return false;
    }
    found_.push_back({{record.first, record.count}, {at_}, checksums_.size()});
    checksums_.insert(checksums_.end(), checksums.begin(),
                      checksums.begin() + static_cast<std::ptrdiff_t>(record.count));
    at_ += header.geometry().bytes({record.count});
    return true;
  }

  void check_room(std::uint64_t bytes) const {
    if (image_.file.bytes() - at_ >= bytes) return;
    image_.refuse("it ends before its last record: the backup that wrote it did not end, or it was "
                  "cut");
  }

  [[noreturn]] void damaged() const {
    image_.refuse("its record " + std::to_string(number_) + " is damaged");
  }

  void put_in_order() {
    std::sort(found_.begin(), found_.end(),
              [](const Found& a, const Found& b) { return a.run.first < b.run.first; });
    ImageIndex& index = image_.index;
    std::uint64_t end = 0;
    for (const Found& found : found_) {
      if (found.run.first < end) image_.refuse("it has a page twice");
      end = found.run.first + found.run.count;
      index.data.push_back(found.run);
      image_.places.push_back(found.place);
      const auto first = checksums_.begin() + static_cast<std::ptrdiff_t>(found.checksums);
      index.checksums.insert(index.checksums.end(), first,
                             first + static_cast<std::ptrdiff_t>(found.run.count));
    }
  }

  ImageFile& image_;
  os::Buffer buffer_;
  std::uint64_t at_ = kImageHeaderBytes;
  std::uint64_t number_ = 0;
  std::vector<Found> found_;
  std::vector<std::uint64_t> checksums_;
};

}  // namespace

std::uint64_t stream_checksum(const StreamRecord& record, const std::uint64_t* page_checksums,
                              std::uint64_t number) noexcept {
  std::array<std::uint64_t, 2 + kMostRecordPages> all{record.first, record.count};
  std::copy_n(page_checksums, record.count, all.begin() + 2);
  const std::span<const std::uint64_t> used(all.data(), 2 + record.count);
  return checksum64(std::as_bytes(used), number);
}

// Only its first numbers are known when it is written.
const char* complaint_about_stream(const ImageHeader& header) noexcept {
  if (header.data_offset != kImageHeaderBytes) return "where data begins";
  const bool is_zero = header.data_pages == 0 && header.index_offset == 0 &&
                       header.data_runs == 0 && header.zero_runs == 0 && header.file_bytes == 0;
  return is_zero ? nullptr : "its header";
}

void read_stream_index(ImageFile& image) { StreamReader(image).run(); }

}  // namespace cow
