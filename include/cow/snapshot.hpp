#pragma once

/// @file
/// Snapshots, and what differs between two of them.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include <cow/export.hpp>
#include <cow/image.hpp>

namespace cow {

class Region;
struct MergeOptions;
struct MergeResult;
struct MergeConflict;
struct PageRange;

namespace detail {
class SnapshotState;
}

/// An immutable point in the life of a region. A handle: copies are cheap and name the same
/// snapshot; its frames are given back when the last handle goes.
///
/// Thread safety: distinct handles may be used from any thread; one handle is like a shared_ptr.
class COW_API Snapshot {
 public:
  /// Size in bytes, as the region's was.
  [[nodiscard]] std::size_t size() const;

  /// Bytes in one page, the unit of `diff`.
  [[nodiscard]] std::size_t page_bytes() const;

  /// The bytes of that moment, mapped read-only when first asked for and then for as long as any
  /// handle lives. Storing through a cast is a segmentation fault.
  /// Cost: the first call O(runs of frames), each of which is a kernel mapping, or O(pages with
  /// data), which are copied, where those are more than the process can spare; later ones nothing.
  /// Throws std::system_error when the kernel refuses the mapping.
  [[nodiscard]] std::span<const std::byte> bytes() const;

  /// Writes the bytes of this moment to a file that `Region::load` reads, while the program goes on
  /// storing. Pages of zeros take no room. A reader of `path` sees what was there before until all
  /// of it is on the disk, and then the new file; a symbolic link is replaced, not followed. The
  /// new file has the mode of the one it replaces, and its owner where the process may give it.
  /// After an error, and when the process ends meanwhile, the file is what it was before; but for
  /// one error, which says so: when the folder cannot be brought to the disk after all else is
  /// done. Thread safe. Cost: O(pages with a frame). Throws std::system_error that names the file.
  void save(const std::filesystem::path& path, const SaveOptions& options = {}) const;

  /// The same with the pages alone that differ from `base`, a snapshot of the same family: load the
  /// image of `base` and then this one. Cost: that of `diff(base, *this)`, and O(pages in it).
  /// Throws std::invalid_argument if `base` is of another family.
  void save_delta(const Snapshot& base, const std::filesystem::path& path,
                  const SaveOptions& options = {}) const;

 private:
  friend class Region;
  friend std::vector<PageRange> diff(const Snapshot& from, const Snapshot& to);
  friend MergeResult merge(const Snapshot& base, const Snapshot& ours, const Snapshot& theirs,
                           const std::function<void(const MergeConflict&)>& resolver,
                           const MergeOptions& options);
  explicit Snapshot(std::shared_ptr<detail::SnapshotState> state) noexcept;
  [[nodiscard]] detail::SnapshotState& state() const;

  std::shared_ptr<detail::SnapshotState> state_;
};

/// `page_count` pages from `first_page` on, in units of `Snapshot::page_bytes()`.
struct PageRange {
  std::size_t first_page = 0;  ///< counted from the beginning of the region
  std::size_t page_count = 0;  ///< at least 1 in what `diff` returns

  /// Whether both are the same pages.
  friend bool operator==(const PageRange&, const PageRange&) = default;
};

/// The pages that a store may have changed between two snapshots of one family, in ascending
/// order, neighbours joined. Pages are told apart by the frame they show; bytes are compared only
/// where a page got a frame although nobody was seen to store to it: in the window of another
/// page's fault, by a lease, by a call that copies pages (an eager clone, a snapshot of what is
/// stored to round after round).
/// Cost: O(page tables that differ), and the comparison of such pages. Thread safe.
/// Throws std::invalid_argument for snapshots of different families, std::system_error.
[[nodiscard]] COW_API std::vector<PageRange> diff(const Snapshot& from, const Snapshot& to);

}  // namespace cow
