#pragma once

/// @file
/// Choices for saving snapshots to files and loading them.

#include <cstddef>
#include <cstdint>
#include <functional>

#include <cow/options.hpp>

namespace cow {

/// How far a save is.
struct SaveProgress {
  std::uint64_t pages_done = 0;     ///< pages looked at: written, or found to be zeros
  std::uint64_t pages_total = 0;    ///< pages that the image is about
  std::uint64_t bytes_written = 0;  ///< of pages, to the file so far
};

/// Choices for `Snapshot::save` and `Snapshot::save_delta`.
struct SaveOptions {
  /// Called about every 16 MiB that were looked at, and once at the end, on the thread that saves;
  /// a stretch of zeros, however long, is looked at in one step.
  /// Returning false stops the save: it throws std::system_error (ECANCELED). What the function
  /// throws comes out of the save. In both cases the file is what it was before.
  std::function<bool(const SaveProgress&)> progress;
};

/// How `Region::load` takes the pages of a complete image.
enum class LoadMode {
  /// Every page is read, held against its checksum, and copied: the files are not needed any more
  /// when the call returns. O(size of the files).
  copied,
  /// The first image is mapped, as by `Region::open`: a page of it is read when it is first
  /// touched, and is not held against its checksum. Deltas are copied. The first file must not be
  /// written to while the region or a relative lives; replacing it by another of the same name,
  /// as `save` does, is no harm. O(size of the deltas).
  mapped,
};

/// Choices for `Region::load`.
struct LoadOptions {
  /// Whether the pages of the first image are copied or mapped.
  LoadMode mode = LoadMode::copied;
  /// `granule_bytes` must be 0 or the images' own page size, which the region gets.
  RegionOptions region;
};

}  // namespace cow
