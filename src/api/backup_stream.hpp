#pragma once

#include "api/backup_target.hpp"
#include "api/stream_format.hpp"
#include "os/output_stream.hpp"

namespace cow {

/// A stream image, to a descriptor. It keeps nothing of what it has written.
class BackupStream final : public BackupTarget {
 public:
  /// `header` is that of new_header(). See OutputStream.
  BackupStream(int descriptor, std::chrono::milliseconds longest_stall,
               const std::atomic<bool>& is_cancelled, const ImageHeader& header);

  void set_size(std::uint64_t size_bytes) override;
  void write(std::span<const PageIndex> pages, const std::byte* bytes) override;
  void finish() override {}
  void commit() override;
  [[nodiscard]] const os::DescriptorName& descriptor() const noexcept override {
    return stream_.descriptor();
  }
  [[nodiscard]] std::size_t most_bytes_taken(std::uint64_t /*leaves*/) const noexcept override {
    return 0;
  }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept override {
    return stream_.bytes_written();
  }
  [[nodiscard]] std::uint64_t pages_written() const noexcept override { return pages_written_; }
  [[nodiscard]] bool has_reader() const noexcept override { return true; }

 private:
  void write_record(PageIndex first, std::uint64_t count, const std::byte* bytes);

  ImageHeader header_;
  os::OutputStream stream_;
  bool has_header_ = false;  ///< written
  std::uint64_t records_ = 0;
  std::uint64_t pages_written_ = 0;
};

}  // namespace cow
