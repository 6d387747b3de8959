#pragma once

/// @file
/// Snapshots, and what differs between two of them.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <cow/export.hpp>
#include <cow/image.hpp>

namespace cow {

class Region;
struct MergeOptions;
struct PublishOptions;
struct MergeResult;
struct MergeConflict;
struct PageRange;

namespace detail {
class SnapshotState;
}

/// An immutable point in the life of a region. A handle: copies are cheap and name the same
/// snapshot; its frames are given back when the last handle goes. Cost of that: O(page tables and
/// frames that it has alone, and snapshots and regions that hang on it: see Region::snapshots), in
/// pieces of some microseconds, between which stores go on.
///
/// Thread safety: distinct handles may be used from any thread; one handle is like a shared_ptr.
class COW_API Snapshot {
 public:
  /// An empty handle, of no snapshot. It can be assigned to, copied, moved, destroyed and asked
  /// whether it is empty; anything else, and to hand it to a call, is a std::logic_error. Cost:
  /// none.
  Snapshot() noexcept = default;
  /// Whether there is a snapshot: false if the handle was made empty, or was moved from.
  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

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

  /// What dropping the last handle of this snapshot would give back now, in bytes of memory: by so
  /// much ProcessStats::bytes_in_use would go down. So what is recycled counts as given back (see
  /// cow::trim), and page tables do not count. What others share with it counts nothing: a region,
  /// a clone, another snapshot, a child process that may still show it; and neither do frames of a
  /// file that was opened or of a parent process, nor what RegionOptions::reserve_frames keeps for
  /// stores to come. Of neighbours in a history, each may say little, since they share much, and
  /// the last of them to go gives back what they shared: ask again after each drop. Other
  /// threads, and a backup at its end, may change it meanwhile. Where the memory is huge pages
  /// (RegionOptions::huge_pages) the kernel may give back less until it splits them. Thread safe;
  /// stores wait for some microseconds at a time. Cost: O(page tables that this snapshot shares
  /// with nobody), and a system call for each stretch of pages that may be holes. Throws
  /// std::logic_error on a stack that lies in a region.
  [[nodiscard]] std::size_t reclaimable_bytes() const;

  /// What dropping the last handle of it would take now, by the frames that it would give back: see
  /// Region::estimate. Cost: that of reclaimable_bytes().
  [[nodiscard]] std::chrono::nanoseconds estimate_drop() const;

  /// What the program calls this snapshot: an undo history's step, a checkpoint's name. All handles
  /// of it have the same; empty until it is set. Not saved to files. Thread safe. Cost: that of a
  /// string. Throws std::bad_alloc.
  void set_label(std::string label);
  /// The same, to read.
  [[nodiscard]] std::string label() const;
  /// When it was taken, by the system's clock, which may be set meanwhile: for people. The order of
  /// snapshots is that of Region::snapshots().
  [[nodiscard]] std::chrono::system_clock::time_point taken_at() const;

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
  friend void publish(const std::string& name, const Snapshot& snapshot,
                      const PublishOptions& options);
  friend int publish(const Snapshot& snapshot);
  explicit Snapshot(std::shared_ptr<detail::SnapshotState> state) noexcept;
  [[nodiscard]] detail::SnapshotState& state() const;

  std::shared_ptr<detail::SnapshotState> state_;
};

/// One of Region::snapshots().
struct SnapshotNode {
  Snapshot snapshot;
  /// Where in the vector its parent is, before this one: the nearest living snapshot that its bytes
  /// come from. -1 if there is none.
  std::ptrdiff_t parent = -1;
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
/// Between snapshots of different sizes (Region::grow) the pages that one side lacks, or has only a
/// part of, are listed, too.
/// Cost: O(page tables that differ), and the comparison of such pages. Thread safe.
/// Throws std::invalid_argument for snapshots of different families, std::system_error.
[[nodiscard]] COW_API std::vector<PageRange> diff(const Snapshot& from, const Snapshot& to);

}  // namespace cow
