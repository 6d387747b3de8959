#pragma once

// The trace file, as the library writes it and `cow report` reads it: a header of 512 bytes, then
// events of one size. Little-endian, as both architectures are. See docs/trace-format.md.

#include <array>
#include <cstddef>
#include <cstdint>

namespace cow::trace {

inline constexpr std::array<char, 8> kMagic = {'c', 'o', 'w', 't', 'r', 'a', 'c', 'e'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 512;

/// The first bytes of the file. `claimed` alone changes after the file was made.
struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t header_bytes;     ///< where the first event begins
  std::uint32_t event_bytes;      ///< from one event to the next
  std::uint32_t page_bytes;       ///< of this machine
  std::uint64_t capacity;         ///< events there is room for
  std::uint64_t claimed;          ///< events there were; those beyond the capacity are lost
  std::uint64_t started_ns;       ///< CLOCK_MONOTONIC when the trace began
  std::uint64_t started_utc_ns;   ///< CLOCK_REALTIME at that moment
  std::uint32_t pid;              ///< of the process that began it
  std::uint32_t architecture;     ///< ELF's e_machine: 62 x86-64, 183 ARM64
  std::array<char, 64> kernel;    ///< uname's release; zero-terminated, as the next
  std::array<char, 256> program;  ///< the path of the executable, its end if it is longer
  std::array<char, 32> library;   ///< libcow's version
};
static_assert(sizeof(Header) <= kHeaderBytes);

enum class EventKind : std::uint16_t {
  none = 0,  ///< never finished: the process ended in the middle of it
  /// A run of page-table entries of `space`. They hold from this number on, or, where no event has
  /// made the space yet, from the event on that makes it. Part of the next other event of the
  /// thread.
  entries = 1,
  /// Shows what `other`, a region or snapshot, shows, nothing of it writable; zeros where it is 0.
  region_made = 2,
  region_gone = 3,
  snapshot_made = 4,  ///< the same, of the region `other`; 0 where it was there before the trace
  snapshot_gone = 5,
  fault = 6,        ///< a store was refused by the processor, and libcow made its page writable
  restored = 7,     ///< the region shows what the snapshot `other` shows
  discarded = 8,    ///< pages show zeros
  lease_begun = 9,  ///< pages are writable until it ends
  lease_ended = 10,
  merged = 11,          ///< pages of `other` were applied
  collected = 12,       ///< where the kernel copies: pages it had copied, learned by a control call
  process_forked = 13,  ///< by the parent, before it calls fork()
  /// By the child, `other` is its parent's pid: it has all spaces, under the same numbers, that the
  /// parent had at its event `first_page`, a process_forked; none where that is 0. A space is known
  /// by its pid and its number.
  process_begun = 14,
};

/// What an entry is.
enum class EntryLook : std::uint16_t {
  zero = 0,       ///< no frame: loads show zeros
  read_only = 1,  ///< a frame that may be shown by others
  writable = 2,   ///< a frame of its own that may be stored to
};

/// One event. Fields that mean nothing to its kind are 0. Times are CLOCK_MONOTONIC nanoseconds.
struct Event {
  std::uint64_t number;   ///< 1 for the first; written last
  std::uint64_t time_ns;  ///< when it was over
  std::uint32_t pid;
  std::uint32_t tid;
  EventKind kind;
  EntryLook look;        ///< of entries
  std::uint32_t family;  ///< spaces that may share frames have the same
  std::uint32_t space;   ///< region or snapshot; numbers are not used again
  std::uint32_t other;
  std::uint64_t first_page;
  std::uint64_t page_count;  ///< of region and snapshot when made; fault: made writable by it
  std::uint64_t pages_copied;
  std::uint64_t frame_file;  ///< of entries: 0 none, else which extent of the family's frame files
  std::uint64_t frame_slot;  ///< of entries: of the first page; the next has the next
  std::uint64_t address;     ///< region_made: of its first byte; fault: that was stored to
  std::uint64_t instruction_pointer;
  std::uint64_t error_code;   ///< x86-64: REG_ERR; ARM64: ESR_EL1
  std::uint32_t locate_ns;    ///< the parts of a fault, from the handler's first instruction
  std::uint32_t allocate_ns;  ///< 0 unless a FaultRecorder is on, too: the copy allocates
  std::uint32_t copy_ns;
  std::uint32_t map_ns;
  std::uint64_t whole_ns;        ///< of a fault or call, without writing the event
  std::uint64_t writable_after;  ///< writable entries of the space
};

}  // namespace cow::trace
