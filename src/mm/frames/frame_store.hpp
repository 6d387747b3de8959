#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "mm/frames/entry.hpp"
#include "mm/frames/extent.hpp"
#include "mm/frames/frame_limit.hpp"
#include "mm/frames/recycling.hpp"
#include "mm/resources/backing.hpp"
#include "mm/resources/metadata_array.hpp"
#include "mm/resources/piece.hpp"
#include "os/frame_file.hpp"

namespace cow {

/// The frames of one family: which are in use, by how many page-table leaves, and where they are.
/// The caller holds the family's lock. Everything but the functions that say so is noexcept,
/// allocates nothing and may run in the fault handler.
class FrameStore {
 public:
  /// Extents start at multiples of `alignment`, a power of two or 0. Throws std::system_error.
  FrameStore(PageGeometry geometry, PageCount pages_of_a_space, Backing backing,
             std::size_t alignment, os::Advice advice);
  ~FrameStore();
  FrameStore(const FrameStore&) = delete;
  FrameStore& operator=(const FrameStore&) = delete;

  // Extents. Control calls only.

  /// A home with every slot free. Throws std::system_error.
  ExtentId open_home(AddressSpace& owner);
  /// The owner goes; the extent stays for as long as other tables show its frames. Between the two
  /// calls the owner drops its references.
  void begin_close_home(ExtentId home) noexcept;
  /// Part of the work; true when it is done. `may_keep`: frames that nobody shows may be recycled.
  [[nodiscard]] bool end_close_home(ExtentId home, bool may_keep, Piece& piece) noexcept;
  /// At least `wanted` frames can be taken with take_packed(). Throws std::system_error.
  void ensure_packed(PageCount wanted);

  /// Pages that no leaf names show `pages` pages of `file` from `start` on, and then zeros, instead
  /// of zeros alone. Precondition: a family that was just made. Throws std::system_error.
  void show_file(os::Descriptor file, os::FileOffset start, PageCount pages);
  /// What a page shows that no leaf names. Signal context: yes.
  [[nodiscard]] Entry untouched(PageIndex page) const noexcept {
    return page.value < file_pages_.value ? Entry(Frame(shown_file_, page)) : Entry{};
  }
  /// The first page from `page` on for which untouched() may be anything but zeros: holes of a file
  /// are zeros, too. Control calls only.
  [[nodiscard]] PageIndex end_of_untouched_zeros(PageIndex page) const noexcept;
  [[nodiscard]] bool is_of_users_file(Frame frame) const noexcept {
    return shows_file() && frame.extent() == shown_file_;
  }
  /// Whether untouched() is anything but zeros for some page.
  [[nodiscard]] bool shows_file() const noexcept { return file_pages_.value > 0; }

  // Frames.

  [[nodiscard]] bool is_free(Frame frame) const noexcept { return references(frame) == 0; }
  [[nodiscard]] std::uint32_t references(Frame frame) const noexcept {
    return state(frame).references();
  }
  /// Takes a free home frame for one table. It may be a recycled one: fill() it or let it
  /// show_zeros() before anybody can see it.
  void take(Frame frame) noexcept;
  /// Takes up to `most` free neighbours, to be filled: recycled ones as long as there are any. None
  /// only if ensure_packed() did not cover it.
  [[nodiscard]] FrameRun take_packed(PageCount most) noexcept;
  /// Copies the bytes of frames to `to`. 0 or an errno value.
  [[nodiscard]] int read(FrameRun run, std::byte* to) const noexcept {
    return os::read_frames(file(run.first), to, geometry_.bytes(run.count), offset(run.first));
  }
  /// Overwrites frames that were taken with the bytes at `source`, a mapped address. Where there is
  /// no memory, recycled frames are given back until there is. 0 or an errno value.
  [[nodiscard]] int fill(FrameRun run, const std::byte* source) noexcept {
    return finish_fill(run, source, write(run, source));
  }
  /// The same in two steps, of which the first needs no lock.
  [[nodiscard]] int write(FrameRun run, const std::byte* source) const noexcept;
  [[nodiscard]] int finish_fill(FrameRun run, const std::byte* source, int error) noexcept;
  /// The same as fill(), by the processor's stores where the frames are there already and the
  /// kernel has a mapping for that: a third of the price. Control calls only.
  [[nodiscard]] int overwrite(FrameRun run, const std::byte* source) noexcept;
  /// The same as fill() with bytes of the program's, which it may be unable to read: EFAULT. They
  /// may end within the last frame, which shows zeros behind them if it did. Control calls only.
  [[nodiscard]] int fill_checked(FrameRun run, std::span<const std::byte> source) noexcept;
  /// The same as fill() with bytes from several places. Control calls only.
  [[nodiscard]] int fill_from(FrameRun run, std::span<const iovec> sources) noexcept;
  /// Where the bytes of frames can be loaded from and stored to without a system call and without
  /// filling a hole of the file; null if that is not known, or nowhere. Control calls only.
  [[nodiscard]] std::byte* in_sight(FrameRun run) noexcept;
  /// Frames in use that the program's own stores have filled.
  void note_filled(FrameRun run) noexcept;
  /// Overwrites frames in use with zeros and keeps them. 0 or an errno value.
  [[nodiscard]] int zero(FrameRun run) noexcept;
  /// Sees to it that frames in use are not holes; the same about memory. 0 or an errno value.
  [[nodiscard]] int allocate(FrameRun run) noexcept;
  /// Frames that were just taken show zeros. False if the kernel refuses even to overwrite them.
  [[nodiscard]] bool show_zeros(FrameRun run) noexcept;
  void add_references(FrameRun run, std::uint32_t n) noexcept;
  /// Drops references. Frames that nobody has left are recycled, within bounds, or given back to
  /// the kernel; reserved ones are kept, and hold zeros.
  void drop_references(FrameRun run, std::uint32_t n) noexcept;
  /// The same for the one of an entry that goes; a zero page has none.
  void drop_reference(Entry entry) noexcept {
    if (!entry.is_zero_page()) drop_references({entry.frame(), kOnePage}, 1);
  }
  /// The frames show zeros from now on, and take no memory unless it is reserved. False if the
  /// kernel refuses even to overwrite them.
  [[nodiscard]] bool clear(FrameRun run) noexcept;

  // Recycled frames.

  /// Who is called when so many frames are in use.
  [[nodiscard]] FrameLimit& limit() noexcept { return limit_; }
  [[nodiscard]] Recycling& recycling() noexcept { return recycling_; }
  [[nodiscard]] const Recycling& recycling() const noexcept { return recycling_; }
  /// Whether there is something to give back: recycled frames, or what was inherited.
  [[nodiscard]] bool has_surplus() const noexcept {
    return some_inherited_is_idle_ || recycling_.surplus() > 0;
  }

  [[nodiscard]] PageGeometry geometry() const noexcept { return geometry_; }
  [[nodiscard]] Backing backing() const noexcept { return backing_; }
  /// For mappings of whole extents.
  [[nodiscard]] os::Advice advice() const noexcept { return advice_; }

  // Places.

  [[nodiscard]] const Extent& extent(ExtentId id) const noexcept { return extents_[id]; }
  /// A page of `space` shows `now` instead of `before`; counts what it shows of its own homes.
  void note_shown(const AddressSpace& space, Frame before, Frame now) noexcept {
    if (extent(before.extent()).owner == &space) --extents_[before.extent()].own;
    if (extent(now.extent()).owner == &space) ++extents_[now.extent()].own;
  }
  [[nodiscard]] const os::DescriptorName& file(Frame frame) const noexcept {
    return extent(frame.extent()).file;
  }
  [[nodiscard]] os::FileOffset offset(Frame frame) const noexcept {
    return {extent(frame.extent()).start.bytes + geometry_.offset(frame.slot())};
  }
  [[nodiscard]] bool is_foreign(Frame frame) const noexcept {
    return extent(frame.extent()).foreign;
  }
  /// Whether the one leaf that has `entry` is alone with its frame, in this process and others.
  [[nodiscard]] bool is_sole_owner(Entry entry) const noexcept {
    return !entry.is_zero_page() && references(entry.frame()) == 1 && !is_foreign(entry.frame());
  }

  [[nodiscard]] SlotState state(Frame frame) const noexcept {
    return extent(frame.extent()).slots[frame.slot().value];
  }
  [[nodiscard]] std::size_t extent_count() const noexcept { return extents_.all.size(); }
  [[nodiscard]] PageCount slots() const noexcept { return extents_.slots; }
  /// Where the bytes of `frame` can be read for as long as the extent lives, whatever is shown
  /// elsewhere; null if the kernel refuses the mapping. Control calls only: the first for each
  /// extent maps all of it.
  [[nodiscard]] const std::byte* readable(Frame frame) noexcept;
  /// The same for whoever may store to it. Of no extent that is foreign.
  [[nodiscard]] std::byte* writable(Frame frame) noexcept;

  /// Frames with references.
  [[nodiscard]] std::uint64_t used() const noexcept { return extents_.used - retired_; }
  /// Throws std::system_error if the program has closed a frame file's descriptor.
  void check_files() const;
  /// Memory of the frame file, without that of recycled frames. Throws std::system_error.
  [[nodiscard]] std::size_t bytes_in_use() const;
  /// Memory of the frame files of ancestors of this process, of which it still shows frames.
  [[nodiscard]] std::size_t bytes_inherited() const noexcept;
  [[nodiscard]] std::size_t bytes_recycled() const noexcept {
    return geometry_.bytes({recycling_.frames()});
  }
  [[nodiscard]] std::size_t metadata_bytes() const noexcept;

  /// Before fork(): room for what become_foreign() writes down. False without memory.
  [[nodiscard]] bool reserve_for_fork() noexcept {
    return foreign_files_.reserve(foreign_files_.size() + 1);
  }
  /// After fork(), in the child: every frame there is belongs to the parent; new ones come from
  /// `file`. The old file stays open, for its frames are still shown.
  void become_foreign(os::FrameFile file) noexcept;
  /// The same without new ones to come.
  void disown() noexcept;

  // Frame files of ancestors: see inherited.cpp.

  /// Whether there may be something to give back of them.
  [[nodiscard]] bool may_give_back_inherited() const noexcept { return some_inherited_is_idle_; }
  /// Forgets one extent of an ancestor's file of which no table shows a frame. True if there may be
  /// more.
  [[nodiscard]] bool forget_idle_extent() noexcept;
  /// A file none of whose extents is left, to be closed without the lock and then forgotten. No
  /// file if there is none.
  [[nodiscard]] os::DescriptorName next_file_to_close() noexcept;
  void forget_closed(const os::DescriptorName& file) noexcept;

  /// See Extents: tests see how many are looked at in one hold of the lock.
  [[nodiscard]] std::uint64_t slots_looked_at() const noexcept { return extents_.slots_looked_at; }

 private:
  [[nodiscard]] std::span<SlotState> slots_of(FrameRun run) noexcept {
    return {extents_[run.first.extent()].slots + run.first.slot().value, run.count.value};
  }
  ExtentId open_extent();
  void reserve_frames(os::FileOffset start);
  [[nodiscard]] std::byte* map_to_fill(os::FileOffset start) const noexcept;
  void unmap_to_fill(Extent& extent) noexcept;
  /// Null where frames are filled by system calls.
  [[nodiscard]] std::byte* filled_at(Frame frame) const noexcept {
    std::byte* const all = extent(frame.extent()).filled_at;
    return all == nullptr ? nullptr : all + geometry_.offset(frame.slot());
  }
  void reuse_if_unused(ExtentId id) noexcept;
  [[nodiscard]] std::size_t bytes_of_slots() const noexcept;
  void punch_freed(FrameRun run) noexcept;
  void map_slots(Extent& extent, std::byte* memory) const noexcept;
  void unmap_slots(Extent& extent) const noexcept;
  void unmap_seen(Extent& extent) const noexcept;

  /// A file that is only read.
  struct ForeignFile {
    os::DescriptorName name;
    bool closing = false;  ///< by who has forgotten it, or by a child process made meanwhile
  };

  PageGeometry geometry_;
  Backing backing_;
  os::Advice advice_;
  std::uint64_t alignment_;
  os::FrameFile file_;
  Extents extents_;
  Recycling recycling_;
  FrameLimit limit_;
  MetadataArray<ExtentId> unused_;    ///< opened before, no frame and no owner now
  MetadataArray<ExtentId> free_ids_;  ///< of extents that were forgotten
  /// Files that are only read: frame files of ancestors of this process, and a user's.
  MetadataArray<ForeignFile> foreign_files_;
  bool some_inherited_is_idle_ = false;
  ExtentId shown_file_;  ///< the extent of a user's file: page i shows slot i
  PageCount file_pages_{0};
  std::uint64_t packed_free_ = 0;  ///< free slots of all packed extents
  std::uint64_t retired_ = 0;      ///< frames in use that are never used again: see punch_freed
  std::uint64_t next_offset_ = 0;  ///< room of `file_` handed out so far
};

}  // namespace cow
