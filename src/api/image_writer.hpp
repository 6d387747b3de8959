#pragma once

#include <cow/image.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "api/image_format.hpp"
#include "api/snapshot_state.hpp"
#include "base/units.hpp"
#include "mm/control/table_reader.hpp"
#include "os/output_file.hpp"

namespace cow {

/// Writes the pages of one snapshot as an image.
class ImageWriter {
 public:
  /// Throws std::system_error.
  ImageWriter(detail::SnapshotState& from, ImageKind kind, os::OutputFile& file,
              const SaveOptions& options);

  void set_base(const ImageId& id) noexcept { header_.base = id; }
  /// How many pages there will be, for progress alone.
  void expect(PageCount pages) noexcept { progress_.pages_total += pages.value; }

  // Each throws std::system_error, and what the progress function throws.

  void write(PageSpan span);
  /// All pages, in place of expect() and write().
  void write_all();
  /// What completes the image.
  void finish();
  [[nodiscard]] os::FileOffset begin_of_data() const noexcept { return {header_.data_offset}; }
  /// Bytes from the beginning to the end of the last page with data.
  [[nodiscard]] std::uint64_t bytes_to_end_of_data() const noexcept {
    return header_.place_of(index_.end_of_data(), index_.checksums.size()).bytes;
  }

 private:
  void note_zeros(PageSpan span);
  void write_gathered();
  void report(PageCount done);
  void call_back() const;

  PageGeometry geometry_;
  const SaveOptions& options_;
  ImageHeader header_;
  os::OutputFile& file_;
  TableReader reader_;
  PageCount pages_;
  std::vector<PageIndex> gathered_;  ///< whose bytes the reader's buffer holds
  ImageIndex index_;
  SaveProgress progress_;
  std::uint64_t reported_pages_ = 0;
};

/// A file that is written, and what writes it.
template <class File>
struct ImageOutput {
  template <class... Arguments>
  ImageOutput(detail::SnapshotState& from, ImageKind kind, const SaveOptions& options,
              Arguments&&... arguments)
      : file(std::forward<Arguments>(arguments)...), writer(from, kind, file, options) {}

  File file;
  ImageWriter writer;
};

}  // namespace cow
