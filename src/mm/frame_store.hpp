#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/units.hpp"
#include "mm/backing.hpp"
#include "mm/entry.hpp"
#include "mm/metadata_array.hpp"
#include "os/frame_file.hpp"

namespace cow {

class AddressSpace;

/// A stretch of a frame file with a reference count for each of its frames.
///
/// A *home* belongs to one address space and is as long as it: page i's private frame sits at slot
/// i, so pages that are neighbours in memory are neighbours in the file and share one mapping.
/// A *packed* extent takes frames in any order: the pages that snapshots keep.
/// A *foreign* extent is only ever read: its frames belong to another process.
struct Extent {
  int file = -1;
  os::FileOffset start;
  std::uint32_t* references = nullptr;  ///< one for each slot; 0 is a free slot, a hole in the file
  std::uint64_t used = 0;               ///< slots with references
  std::uint64_t search_from = 0;        ///< packed: where to look for a free slot next
  AddressSpace* owner = nullptr;        ///< the space whose home it is, until that goes
  bool packed = false;
  bool foreign = false;
  bool written = false;  ///< a frame of it was taken since it was opened
  bool closing = false;  ///< its owner goes: free slots are punched in one sweep afterwards
};

/// Frames side by side in one extent.
struct FrameRun {
  Frame first;
  PageCount count;
};

/// The frames of one family: which are in use, by how many page-table leaves, and where they are.
/// The caller holds the family's lock. Everything but the functions that say so is noexcept,
/// allocates nothing and may run in the fault handler.
class FrameStore {
 public:
  /// Throws std::system_error.
  FrameStore(PageGeometry geometry, PageCount pages_of_a_space, Backing backing);
  ~FrameStore();
  FrameStore(const FrameStore&) = delete;
  FrameStore& operator=(const FrameStore&) = delete;

  // Extents. Control calls only.

  /// A home with every slot free. Throws std::system_error.
  ExtentId open_home(AddressSpace& owner);
  /// The owner goes; the extent stays for as long as other tables show its frames. Between the two
  /// calls the owner drops its references.
  void begin_close_home(ExtentId home) noexcept;
  void end_close_home(ExtentId home) noexcept;
  /// At least `wanted` frames can be taken with take_packed(). Throws std::system_error.
  void ensure_packed(PageCount wanted);

  // Frames.

  [[nodiscard]] bool is_free(Frame frame) const noexcept { return references(frame) == 0; }
  [[nodiscard]] std::uint32_t references(Frame frame) const noexcept {
    return extent(frame.extent()).references[frame.slot().value];
  }
  /// Takes a free home frame for one table.
  void take(Frame frame) noexcept;
  /// Takes up to `most` free neighbours: none only if ensure_packed() did not cover it.
  [[nodiscard]] FrameRun take_packed(PageCount most) noexcept;
  void add_references(FrameRun run, std::uint32_t n) noexcept;
  /// Drops references and gives frames that nobody has left back to the kernel; reserved ones are
  /// kept, and hold zeros.
  void drop_references(FrameRun run, std::uint32_t n) noexcept;
  /// The frames show zeros from now on, and take no memory unless it is reserved. False if the
  /// kernel refuses even to overwrite them.
  [[nodiscard]] bool clear(FrameRun run) noexcept;
  /// Clears frames that nobody references. Those that cannot be cleared are never used again.
  void clear_free(FrameRun run) noexcept;

  [[nodiscard]] Backing backing() const noexcept { return backing_; }

  // Places.

  [[nodiscard]] const Extent& extent(ExtentId id) const noexcept { return extents_[id.value]; }
  [[nodiscard]] int file(Frame frame) const noexcept { return extent(frame.extent()).file; }
  [[nodiscard]] os::FileOffset offset(Frame frame) const noexcept {
    return {extent(frame.extent()).start.bytes + geometry_.offset(frame.slot())};
  }
  [[nodiscard]] bool is_foreign(Frame frame) const noexcept {
    return extent(frame.extent()).foreign;
  }

  /// Frames with references.
  [[nodiscard]] std::uint64_t used() const noexcept;
  /// Throws std::system_error if the program has closed a frame file's descriptor.
  void check_files() const;
  [[nodiscard]] std::size_t resident_bytes() const { return file_.resident_bytes(); }
  [[nodiscard]] std::size_t metadata_bytes() const noexcept;

  /// Before fork(): room for what become_foreign() writes down. False without memory.
  [[nodiscard]] bool reserve_for_fork() noexcept {
    return inherited_.reserve(inherited_.size() + 1);
  }
  /// After fork(), in the child: every frame there is belongs to the parent; new ones come from
  /// `file`. The old file stays open, for its frames are still shown.
  void become_foreign(os::FrameFile file) noexcept;
  /// The same without new ones to come.
  void disown() noexcept;

 private:
  Extent& mutable_extent(ExtentId id) noexcept { return extents_[id.value]; }
  ExtentId open_extent();
  void reserve_frames(os::FileOffset start);
  void recycle_if_unused(ExtentId id) noexcept;
  [[nodiscard]] std::size_t bytes_of_counts() const noexcept;

  PageGeometry geometry_;
  Backing backing_;
  PageCount slots_;  ///< of every extent of this family
  os::FrameFile file_;
  MetadataArray<Extent> extents_;   ///< by ExtentId
  MetadataArray<ExtentId> unused_;  ///< opened before, no frame and no owner now
  MetadataArray<ExtentId> packed_;
  MetadataArray<os::DescriptorName> inherited_;  ///< frame files of ancestors of this process
  std::uint64_t packed_free_ = 0;                ///< free slots of all packed extents
  std::uint64_t retired_ = 0;      ///< frames that are never used again: see clear_free
  std::uint64_t next_offset_ = 0;  ///< room of `file_` handed out so far
};

}  // namespace cow
