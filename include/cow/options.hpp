#pragma once

/// @file
/// Choices made when a region or a clone is made.

#include <cstddef>
#include <optional>

namespace cow {

/// Who copies a page that is stored to, and how libcow learns of it.
enum class Mechanism {
  /// libcow, in a handler of SIGSEGV: pages are read-only until they are stored to.
  handler,
  /// The kernel, by its own copy on write: nobody keeps stores off, and at the next control call
  /// libcow asks the kernel's page table what was stored to. Needs Linux 6.7, userfaultfd and
  /// /proc/self/pagemap: without them Region::create throws std::system_error, which says what is
  /// missing. Not together with RegionOptions::reserve_frames or most_bytes, nor with
  /// granules that are larger than the host's page: std::invalid_argument.
  kernel,
  /// `kernel` where it can be had, otherwise `handler`: RegionStats::mechanism says which.
  automatic,
};

/// Choices that hold for a whole family: a region, its clones and its snapshots.
struct RegionOptions {
  /// Bytes that are protected, copied and mapped as one page. 0 means the host's page size;
  /// otherwise a power of two from the host's page size to 2 MiB. A larger granule means fewer
  /// faults and fewer mappings, and more bytes copied for each first store.
  std::size_t granule_bytes = 0;

  /// The most pages one fault may take along when stores run through memory in order or keep
  /// hitting one block; in order no more than 256 KiB. 1 makes every fault copy exactly the page
  /// that was stored to. The limit is set aside only when the process runs short of kernel mappings
  /// (vm.max_map_count). At least 1.
  std::size_t max_window_pages = 64;

  /// No store may ever fail for want of memory: every frame and page table that stores can need
  /// until the next control call is allocated beforehand, by the control calls (create, open, load,
  /// clone, snapshot, restore, a lease), which throw std::system_error (ENOMEM, ENOSPC) or
  /// std::bad_alloc when there is not enough. Each region then takes its whole size from the start,
  /// a clone as much again for itself and as much for the region it was made from, the first
  /// snapshot of a region its size once. Without it, memory is taken as it is stored to, and a
  /// store that finds none ends the process.
  bool reserve_frames = false;

  /// The most bytes that Region::grow may make a region of the family have: addresses for so many
  /// are reserved when one is created, cloned or made from a snapshot, and the region stays where
  /// it is. 0: it cannot grow. Addresses cost no memory, and page tables only what is used; but
  /// with `reserve_frames` memory for all of them is taken. Not below the size. A store behind the
  /// region's last page is a segmentation fault as elsewhere, and loads there show zeros. Of
  /// Region::create and Region::from_bytes alone (else std::invalid_argument), and not with
  /// Mechanism::kernel, which keeps no stores off: std::invalid_argument if that was asked for
  /// here, while `automatic` and the environment get `handler`.
  std::size_t most_bytes = 0;

  /// The kernel may use huge pages (2 MiB on most machines) for the family's memory, if the system
  /// allows them for shared memory when the first region is created:
  /// /sys/kernel/mm/transparent_hugepage/shmem_enabled says `advise`, `always` or `within_size`.
  /// Otherwise the option does nothing; the bytes are the same either way. Writing to a new region
  /// and protecting it, by its first snapshot or clone, then cost much less. In exchange memory is
  /// taken and counted 2 MiB at a time where a new region is stored to, and the first store to a
  /// protected page splits the huge page around it. With `advise`, frames that copies and
  /// `reserve_frames` make are small ones.
  bool huge_pages = false;

  /// Core dumps of this process hold nothing that the family's regions and snapshots show: what
  /// madvise(MADV_DONTDUMP) says, for every mapping that libcow ever makes for them. (To say so
  /// with madvise oneself does not last: a page that moves gets a new mapping.) Costs one more
  /// system call for each mapping that is made, in a fault as well. What a call is just copying
  /// through a buffer of libcow's own is not covered.
  bool keep_out_of_cores = false;

  /// Without a value: what COW_MECHANISM says in the environment (`handler`, `kernel` or
  /// `automatic`) when the region is created, or else `handler`. What the environment says of
  /// `kernel` does not hold for regions with `reserve_frames`, `most_bytes` or larger granules.
  std::optional<Mechanism> mechanism{};
};

/// What the caller of `Region::snapshot` promises.
enum class SnapshotMode {
  concurrent,  ///< nothing: threads may store during the call
  /// No thread stores to the region during the call, and no kernel or device outside of a lease.
  /// For snapshots in a tight loop: a page that is stored to between any two of them is copied at
  /// once and stays writable, which costs a tenth of protecting it and taking another fault. If a
  /// thread stores all the same, the snapshot may hold that page before or after the store, or
  /// with a part of it; nothing else is harmed. With Mechanism::kernel a second look finds most
  /// such stores, and the call throws std::logic_error instead (but for a region's first snapshot,
  /// which is of one moment anyway).
  quiescent,
};

/// How `Region::clone` makes the new side.
enum class CloneMode {
  lazy,   ///< share every frame, copy a page when either side stores to it; O(mappings)
  eager,  ///< copy every byte now; O(pages with data)
};

}  // namespace cow
