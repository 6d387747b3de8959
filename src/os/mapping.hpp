#pragma once

#include <cstddef>

#include "os/frame_file.hpp"

namespace cow::os {

/// What loads and stores a mapping allows.
enum class Protection { none, read_only, read_write };

/// What the kernel is told about every mapping of a family that shows frames or zeros: after each
/// call that maps, as a new mapping knows nothing of what was said about the one that it replaces.
/// Without advice there is no call.
struct Advice {
  bool huge_pages = false;         ///< where it does not listen, nothing is different
  bool keep_out_of_cores = false;  ///< a core dump does not hold what the mapping shows
};

/// A range of addresses that is ours, between two guard pages that nobody may touch.
/// Until frames are mapped it shows zeros and refuses stores.
class AddressRange {
 public:
  /// `alignment_bytes` is a power of two, `bytes` a multiple of the page size. Throws
  /// std::system_error, also where the kernel does not know the advice to keep out of cores.
  static AddressRange reserve(std::size_t bytes, std::size_t alignment_bytes, Advice advice);

  AddressRange() noexcept = default;
  AddressRange(AddressRange&& other) noexcept;
  AddressRange& operator=(AddressRange&& other) noexcept;
  ~AddressRange();

  [[nodiscard]] std::byte* begin() const noexcept { return begin_; }
  [[nodiscard]] std::byte* end() const noexcept { return begin_ + bytes_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  /// Gives back the addresses behind the first `bytes`, and the guard page there. Whoever asks for
  /// addresses may get them from then on.
  void shrink(std::size_t bytes) noexcept;

 private:
  AddressRange(std::byte* begin, std::size_t bytes) noexcept;

  std::byte* begin_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t guard_behind_ = 0;  ///< bytes of it
};

/// Whether the kernel should also fill the processor's page table at once, sparing a second fault
/// for each page.
enum class Populate { no, yes };

// What maps frames first makes sure that `file` still names our file, and fails with EBADF if not.

/// Whether a caller has made sure of that just before: one look is enough for the calls of a fault.
enum class Look { now, was_taken };

/// Shows frames at `address`, replacing what was there in one step: another thread sees the old
/// bytes or the new mapping, never a hole. 0 or an errno value; on an error nothing has changed
/// that a load could see. Signal context: yes.
int map_frames(std::byte* address, std::size_t bytes, const DescriptorName& file, FileOffset at,
               Protection protection, Populate populate, Advice advice,
               Look look = Look::now) noexcept;

/// Shows frames to somebody who must never change them: read-only, and whoever lifts the protection
/// stores to memory of his own (MAP_PRIVATE). 0 or an errno value.
int map_frames_for_reading(std::byte* address, std::size_t bytes, const DescriptorName& file,
                           FileOffset at, Advice advice) noexcept;

/// Shows frames to somebody whose stores the kernel copies: readable and writable, and the frames
/// stay as they are (MAP_PRIVATE). 0 or an errno value.
int map_frames_privately(std::byte* address, std::size_t bytes, const DescriptorName& file,
                         FileOffset at, Advice advice) noexcept;

/// Gives up what the kernel has copied there for map_frames_privately(): the frames show again. 0
/// or an errno value.
int drop_copies(std::byte* address, std::size_t bytes) noexcept;

/// Shows frames read-only at an address of the kernel's choice; null if it refuses. Control calls
/// only.
std::byte* map_frames_somewhere(std::size_t bytes, const DescriptorName& file, FileOffset at,
                                Advice advice) noexcept;
void unmap_frames(const std::byte* address, std::size_t bytes) noexcept;

/// Takes what the range shows out of the processor's page table. While an unmap holds the kernel's
/// lock on all mappings of the process, every fault waits; behind this it has little left to do.
/// Loads see the same bytes as before where frames are shared.
void forget_pages(const std::byte* address, std::size_t bytes) noexcept;

/// Frames that copy_bytes() and clear_bytes() may fill, at an address of the kernel's choice
/// between two pages that nobody may touch; null if it refuses, with the reason in errno. Three
/// mappings. Control calls only.
std::byte* map_frames_to_fill(std::size_t bytes, const DescriptorName& file, FileOffset at,
                              Advice advice) noexcept;
void unmap_frames_to_fill(std::byte* address, std::size_t bytes) noexcept;

/// Copies, or clears, whole pages with the processor's own stores, which no sanitizer watches: the
/// handler copies what other threads load at the same time. Signal context: yes.
void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;
void clear_bytes(std::byte* to, std::size_t bytes) noexcept;
/// Whether whole pages hold the same, or zeros, as far as one can tell while other threads may
/// store to them; no sanitizer watches. Signal context: yes.
[[nodiscard]] bool hold_same(const std::byte* one, const std::byte* other,
                             std::size_t bytes) noexcept;
[[nodiscard]] bool hold_zeros(const std::byte* at, std::size_t bytes) noexcept;

/// Shows zeros without any frame; stores, if any are allowed, go to memory of nobody else's. 0 or
/// an errno value. Signal context: yes.
int map_zeros(std::byte* address, std::size_t bytes, Protection protection, Advice advice) noexcept;

/// Whether every byte of the range is mapped. Signal context: yes.
bool is_mapped(std::byte* address, std::size_t bytes) noexcept;

/// Whether all frames of a mapped range were touched and are in memory, as far as the kernel tells.
/// False for frames in swap, too. Control calls only.
bool is_resident(std::byte* address, std::size_t bytes) noexcept;

/// Changes what a mapping allows. 0 or an errno value. Signal context: yes.
int protect(std::byte* address, std::size_t bytes, Protection protection) noexcept;

/// Mappings kept only to be given back when the process has none left. Null on failure.
std::byte* map_spare_mappings(std::size_t count) noexcept;
/// Signal context: yes.
void unmap_spare_mappings(std::byte* address, std::size_t count) noexcept;

/// Zeroed memory for page tables and counts, outside of any region, between two pages that nobody
/// may touch. Taken page by page as it is touched. `bytes` is a multiple of the page size. Null on
/// failure, with the reason in errno; so whoever passes the failure on sees to it that errno stays.
std::byte* map_metadata(std::size_t bytes) noexcept;
/// Takes the memory for all of it now. False on failure, with the reason in errno.
[[nodiscard]] bool populate_metadata(std::byte* address, std::size_t bytes) noexcept;
void unmap_metadata(std::byte* address, std::size_t bytes) noexcept;
/// Kernel mappings of all metadata there is, at most.
[[nodiscard]] std::size_t metadata_mappings() noexcept;

}  // namespace cow::os
