#pragma once

#include <filesystem>
#include <functional>

#include "api/backup_target.hpp"
#include "api/image_format.hpp"
#include "mm/resources/metadata_array.hpp"

namespace cow {

/// A complete image at a path, written in any order: each page has its place.
class BackupFile final : public BackupTarget {
 public:
  /// `header` is that of new_header(). Throws std::system_error.
  BackupFile(const std::filesystem::path& path, const ImageHeader& header);

  /// Memory that it takes beside its object, at most, for a region of `pages` pages: see
  /// BackupTarget::most_bytes_taken(). Of the lists only what is stored to is memory.
  [[nodiscard]] static std::size_t extra_bytes(PageCount pages, std::uint64_t leaves) noexcept;

  void set_size(std::uint64_t size_bytes) override;
  void write(std::span<const PageIndex> pages, const std::byte* bytes) override;
  void finish() override;
  void commit() override { file_.commit(); }
  [[nodiscard]] const os::DescriptorName& descriptor() const noexcept override {
    return file_.descriptor();
  }
  [[nodiscard]] std::size_t most_bytes_taken(std::uint64_t leaves) const noexcept override {
    return extra_bytes(header_.pages(), leaves);
  }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept override { return bytes_written_; }
  [[nodiscard]] std::uint64_t pages_written() const noexcept override { return pages_written_; }
  [[nodiscard]] bool has_reader() const noexcept override { return false; }

 private:
  [[nodiscard]] bool has_data(std::uint64_t page) const noexcept {
    return (has_data_[page / kBitsOfAWord] >> page % kBitsOfAWord & 1) != 0;
  }
  void make_lists();
  template <class Use>
  void for_each_run(const Use& use) const;

  static constexpr std::uint64_t kBitsOfAWord = 64;

  ImageHeader header_;
  os::ReplacementFile file_;
  // In memory of their own, which is not touched before it is needed.
  MetadataArray<std::uint64_t> has_data_;   ///< a bit for each page
  MetadataArray<std::uint64_t> checksums_;  ///< of the pages that have data
  std::uint64_t bytes_written_ = 0;
  std::uint64_t pages_written_ = 0;
};

}  // namespace cow
