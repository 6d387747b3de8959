#pragma once

/// @file
/// The region: memory that can be cloned.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <cow/backup.hpp>
#include <cow/export.hpp>
#include <cow/image.hpp>
#include <cow/lease.hpp>
#include <cow/options.hpp>
#include <cow/snapshot.hpp>
#include <cow/stats.hpp>

namespace cow {

class Region;

/// What a region is made of now, in lines as in /proc/self/maps: first its counts, and then each
/// run of pages that are alike and lie side by side:
///
///     7f52a4e00000-7f52a4e02000 rw-p          2 home at 0, references 1
///
/// addresses; 'w' where the next store does not fault, 'l' where a lease keeps it so, 'z' for zeros
/// without a frame, 'c' for frames that others reference, too, or 'p'; pages; where their frames
/// lie, and there: a home of this region ("home"), a relative's ("relative"), an extent for what
/// snapshots keep ("packed"), a process that this one was forked from ("parent") or the file that
/// was opened ("file"); pages that have a frame and no store yet are "open", or where that is
/// protected "a hole", and what snapshots copy at once is "hot". For people: the form may change.
/// Thread safe; stores wait meanwhile. Cost: O(page tables). Throws std::system_error and
/// std::bad_alloc without memory.
COW_API std::string describe(const Region& region);

namespace detail {
class RegionState;
/// For libcow's own tests: what is wrong with the region's page tables, counts and mappings, in
/// words; empty if nothing is.
std::string check_invariants(const Region& region);
}  // namespace detail

/// A range of real memory that can be cloned for almost nothing.
///
/// Clones and snapshots share frames; the first store to a shared page is a page fault that
/// copies that page. A region, its clones and its snapshots form a family, a tree of any shape
/// and depth whose members may be written and dropped in any order.
///
/// Thread safety: any number of threads may load and store the bytes at any time, also while
/// another thread runs `snapshot`, `clone`, `discard`, `write_lease`, `stats` or `diff`. `restore`,
/// `apply`, moving and destroying need the caller to keep other threads out, as with any container.
///
/// Errors: std::system_error when the operating system refuses, std::bad_alloc without memory for
/// libcow's own books, std::invalid_argument or std::logic_error for misuse (a moved-from region,
/// or a call on a stack that lies in a region, is a logic_error). After an error everything is as
/// it was before the call.
class COW_API Region {
 public:
  /// A zero-filled region of `size_bytes` (any size > 0). No memory is taken until it is stored
  /// to; the first store among 512 pages opens them all, and each takes memory when it is touched.
  /// Throws std::invalid_argument for a size of 0, for one that no address space holds, and for
  /// options that RegionOptions does not allow; std::system_error when the system refuses
  /// addresses, a file descriptor or memory. Thread safe. Cost: O(1), but with `reserve_frames`.
  [[nodiscard]] static Region create(std::size_t size_bytes, const RegionOptions& options = {});

  /// A writable region with the bytes of `snapshot`, at an address of its own. Thread safe.
  /// Cost: O(runs of frames), each of which is a kernel mapping; where they are more than the
  /// process can spare, O(pages with data), which are copied then and need few.
  [[nodiscard]] static Region from_snapshot(const Snapshot& snapshot);

  /// A writable region with the bytes of a regular file, which is not read: a page of it is when it
  /// is first touched. (Only the last page is read, if the file ends within it; it shows zeros
  /// behind the end.) The file is never written: a store copies the page first. The region is as
  /// long as the file is now.
  /// As with every mapped file, what others write to it shows until the page is copied, and a page
  /// that they cut off is SIGBUS when touched. `save` and `Region::load` make an independent copy;
  /// so does `clone(CloneMode::eager)`. Replacing the file by another of its name is no harm.
  /// Cost: O(1). Throws std::system_error that names the file: it cannot be opened, is empty, a
  /// folder, a pipe, a device, or has more bytes than can be addressed.
  [[nodiscard]] static Region open(const std::filesystem::path& path,
                                   const RegionOptions& options = {});
  /// The same for a regular file, or a memfd, that the program has open for reading: sentences call
  /// it "descriptor N". The descriptor stays the caller's, who may close it at once; its position
  /// does not move (but where /proc is missing or forbids to open the file anew: then it shares the
  /// position of a duplicate). Throws std::system_error, also for what is not open for reading.
  [[nodiscard]] static Region open(int descriptor, const RegionOptions& options = {});

  /// A writable region with a copy of `bytes`, which may lie in a region, too, and are not needed
  /// afterwards. They are copied once, by the kernel into the region's frames: no store to the new
  /// region, so no fault. Nobody may store to `bytes` meanwhile. Cost: O(bytes). Throws
  /// std::invalid_argument for none, std::system_error when the system refuses addresses,
  /// descriptors or memory, and when any of them cannot be read (EFAULT).
  [[nodiscard]] static Region from_bytes(std::span<const std::byte> bytes,
                                         const RegionOptions& options = {});

  /// A writable region with the bytes that `Snapshot::save` wrote to the first file, changed by
  /// what `Snapshot::save_delta` wrote to the others, in the order in which they were saved. All is
  /// checked before the region exists: a file that was cut, changed, or is not the next of its
  /// chain is a std::system_error (EBADMSG) that names it. See LoadMode for what is read when. A
  /// snapshot taken before anything is stored to the region can be the base of the next delta of
  /// the chain. Zeros between data need no kernel mappings of their own, and no memory until they
  /// are touched. Where a mapped image with scattered deltas needs more mappings than the process
  /// can spare, the shortest stretches between the deltas' pages are copied, too.
  /// Throws std::invalid_argument without any file, std::system_error.
  [[nodiscard]] static Region load(const std::vector<std::filesystem::path>& paths,
                                   const LoadOptions& options = {});
  /// The same with the names in braces: `load({"full.cow", "step1.cow"})`, also a single one.
  [[nodiscard]] static Region load(std::initializer_list<std::filesystem::path> paths,
                                   const LoadOptions& options = {});
  /// The same for one complete image.
  [[nodiscard]] static Region load(const std::filesystem::path& path,
                                   const LoadOptions& options = {});

  /// An empty one: no bytes, no addresses, no family. It can be assigned to, moved, destroyed and
  /// asked whether it is empty; anything else is a std::logic_error. So regions live in arrays,
  /// rings and maps. Cost: none.
  Region() noexcept;
  /// Whether there is a region: false if it was made empty, or was moved from.
  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

  /// Takes over the bytes of `other`, at the same address. `other` is empty then.
  Region(Region&& other) noexcept;
  /// Gives up what this region held and takes over `other`, as above.
  Region& operator=(Region&& other) noexcept;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  /// Gives the addresses and the frames back: those of a clone or a snapshot are not touched. With
  /// a lease alive the addresses stay until the last one ends. Cost: O(page tables of its own and
  /// frames given back), in pieces, so that no store to a relative waits for all of it.
  ~Region();

  /// First byte, aligned to `page_bytes()`. It stays where it is for the region's whole life.
  [[nodiscard]] std::byte* data();
  /// The same, for reading.
  [[nodiscard]] const std::byte* data() const;
  /// Size in bytes, as asked for, by `create` or the last `grow`.
  [[nodiscard]] std::size_t size() const;
  /// All bytes of the region: `size()` of them from `data()` on. What lies between the end and that
  /// of the last page belongs to libcow.
  [[nodiscard]] std::span<std::byte> bytes();
  /// The same, for reading.
  [[nodiscard]] std::span<const std::byte> bytes() const;
  /// Bytes that are protected, copied and mapped as one page.
  [[nodiscard]] std::size_t page_bytes() const;

  /// A new region with the same bytes at its own address; either side may then be written.
  /// Lazy: O(pages written since the last clone or snapshot), and O(mappings): the clone takes as
  /// many kernel mappings as this region has (RegionStats::mappings), two microseconds for each
  /// and, from some thousands on, up to ten. Where they are more than the process can spare, pages
  /// with data are copied instead, and need few. Its guard pages take two more, and its page tables
  /// one to five that ProcessStats::mappings_in_use leaves out: with the usual 65,530 a process is
  /// full at some 10,000 clones, and then this throws. With Mechanism::kernel a clone of a clone
  /// copies what all before it in the chain have stored, where that is scattered: see
  /// docs/kernel-mechanism.md.
  /// Eager: O(pages with data), and all that time the family's lock is held: stores of other
  /// threads that fault, in this region or a relative, wait for the whole of it (half a second for
  /// 512 MiB, more on a busy machine), and so do other control calls. With Mechanism::kernel only
  /// the latter do, once the first look is over. `from_bytes(snapshot().bytes())` copies without
  /// the lock, into a family of its own.
  /// Throws std::system_error, std::bad_alloc.
  [[nodiscard]] Region clone(CloneMode mode = CloneMode::lazy) const;

  /// An immutable image of this moment: a consistent cut, also while other threads store, unless
  /// the caller promises with SnapshotMode::quiescent that none does.
  /// Cost: O(pages written since the last one). In a loop, pages that are stored to between any two
  /// snapshots are copied by the call, and need not fault again: at most 16 MiB of them, or all
  /// that there are with SnapshotMode::quiescent. Its tables take kernel mappings that no counter
  /// has: three to five for the first snapshot of each of many regions, next to none where one
  /// region has many. With Mechanism::kernel, what the kernel stores (read(2)) beside this call, a
  /// clone, a backup or a fork may fail with EFAULT or end short, but under a WriteLease. Throws
  /// std::system_error and std::bad_alloc; and std::logic_error where that promise is found broken,
  /// with Mechanism::kernel.
  [[nodiscard]] Snapshot snapshot(SnapshotMode mode = SnapshotMode::concurrent) const;

  /// Saves the bytes of this moment to a file that `Region::load` reads, on a thread of its own,
  /// while the program goes on storing; see Backup and docs/backup.md. Unlike a snapshot that is
  /// saved it lets a page go as soon as that is written, and holds
  /// `BackupOptions::most_extra_bytes`: a store that would need more waits until its page is saved.
  /// A family has one backup at a time. The region may be destroyed meanwhile. The file appears at
  /// the end, as `Snapshot::save` writes it. Cost of the call: that of a snapshot.
  /// Throws std::system_error: the file cannot be made; another backup of the family goes on
  /// (EBUSY); no thread or memory can be had.
  [[nodiscard]] Backup backup(const std::filesystem::path& path,
                              const BackupOptions& options = {}) const;

  /// The same to a descriptor, as a *stream* image: to a pipe, a socket, a compressor's input, or a
  /// file, from its position on. Nothing is written twice or sought. `Region::load` reads it from a
  /// file (LoadMode::copied). The descriptor may be closed when the call returns, and its flags
  /// stay what they are. A reader that goes is an error (EPIPE), never SIGPIPE; one that takes
  /// nothing for `BackupOptions::longest_stall` is ETIMEDOUT. After an error what was written is
  /// incomplete, and `Region::load` refuses it.
  [[nodiscard]] Backup backup(int descriptor, const BackupOptions& options = {}) const;

  /// What a backup to a path would take if it began now; one to a descriptor takes a little less
  /// memory, and of the image a little more. Thread safe; stores wait meanwhile. Cost: O(page
  /// tables).
  [[nodiscard]] BackupEstimate estimate_backup(const BackupOptions& options = {}) const;

  /// Makes the bytes, and the size, those of `snapshot`, at the same address. Cost: O(pages that
  /// differ). In a loop that restores the same snapshot, pages that are stored to in every round
  /// stay writable and are put back by copying, without a fault or a system call. Any other page
  /// costs its round a fault and at most two copies, and is shared again. Frames that nobody else
  /// has are given up in one hold of the family's lock: stores to relatives that fault (none with
  /// Mechanism::kernel) and other control calls wait for it, up to half a millisecond for each MiB.
  /// A snapshot taken before, and dropped after the call, in pieces, makes that a third. Throws
  /// std::invalid_argument for a snapshot of another family.
  void restore(const Snapshot& snapshot);

  /// What `diff` would say of `snapshot` and one taken now, without taking it: copies and protects
  /// nothing and takes no memory of frames, so no store faults for it. Threads may store meanwhile:
  /// what was stored before the call is listed, what is stored during it may be. With
  /// Mechanism::kernel the kernel is asked what was stored to, and a page that is in memory with
  /// the same bytes may be listed. Thread safe. Cost: that of `diff`, and with Mechanism::kernel
  /// the kernel's look at the region's page table. Throws std::invalid_argument for a snapshot of
  /// another family, std::system_error.
  [[nodiscard]] std::vector<PageRange> changed_since(const Snapshot& snapshot) const;

  /// The living snapshots of the family as a tree, parents before children and older children
  /// before younger ones. The parent of a snapshot is the nearest living one that the bytes of its
  /// region came from: the one taken of the region before, restored, or cloned from. When a
  /// snapshot goes, its children hang on its parent. Each comes with a handle: `restore` returns to
  /// any of them, and it lives at least as long as the vector. Thread safe; a snapshot whose last
  /// handle goes meanwhile, or that is taken meanwhile, is there or not. Stores wait for a look at
  /// 256 of them, and at the regions between, at a time. Cost: O(living snapshots and regions of
  /// the family). Throws std::bad_alloc.
  [[nodiscard]] std::vector<SnapshotNode> snapshots() const;

  /// Makes the pages of `ranges`, as `diff` names them, those of `from`, at the same address;
  /// others stay. Frames are shared with a snapshot of the same family, as a restore does; bytes
  /// are copied from any other of the same size and page size, and while leases live. The order of
  /// the ranges does not matter. Like `restore` it needs other threads kept out, and no lease may
  /// begin meanwhile. After an error the bytes are as they were. Cost: that of a snapshot, and
  /// O(ranges), or O(pages in them) where they are copied. Throws std::invalid_argument for pages
  /// past the end or a snapshot of another size.
  void apply(const std::vector<PageRange>& ranges, const Snapshot& from);

  /// Gives back the memory of every whole page among the `length` bytes from `offset` on: it shows
  /// zeros, and its next store is like the first one to a page that was never touched. Pages of
  /// which the range has only a part are left alone; a range that reaches the end of the region has
  /// all of its last page. Snapshots, clones, and children keep what they see, and `restore` brings
  /// it back. This is what allocators in a region call where they would call madvise, which is not
  /// for regions. Leased pages, and pages whose frames were reserved
  /// (RegionOptions::reserve_frames), are filled with zeros where they are and keep their frames.
  /// Any number of threads may store to other pages meanwhile; a store to these pages during the
  /// call comes before it or after it. Not atomic for loads: another thread may see some pages as
  /// zeros before others. Cost: O(page tables of the range and frames given back), most of it
  /// without holding stores up. Throws std::invalid_argument for a range past the end,
  /// std::system_error.
  void discard(std::size_t offset, std::size_t length);

  /// Makes `length` bytes from `offset` on safe for the kernel to write to, for as long as the
  /// lease lives: see WriteLease. A lease of 0 bytes is allowed and does nothing. Thread safe.
  /// Cost: that of the first store to each page. Throws std::invalid_argument for a range past the
  /// end, std::system_error or std::bad_alloc without memory.
  [[nodiscard]] WriteLease write_lease(std::size_t offset, std::size_t length);

  /// Makes the region longer, at the same address, up to RegionOptions::most_bytes. The new bytes
  /// are zeros, also those behind the old end on its page. Takes no memory before they are stored
  /// to. Snapshots keep the size that the region had, and `restore` brings it back. Any number of
  /// threads may load and store meanwhile; of `grow` and `restore` one may run at a time. After an
  /// error the size is as it was. Cost: O(1), or O(pages) where they were stored to before a
  /// `restore` made the region shorter. Throws std::invalid_argument for more than most_bytes and
  /// for less than size(), std::system_error.
  void grow(std::size_t new_size_bytes);

  /// What a snapshot and a lazy clone taken now would take: a count of what they would touch
  /// (leaves of the page table with writable pages, kernel mappings; where the kernel copies, pages
  /// stored to) times what such a unit took lately in this process. The averages are kept by the
  /// calls themselves and begin with constants; what they are worth is measured in docs/history.md.
  /// No promise: a call that waits for the processor or a lock takes longer. Takes no memory,
  /// protects nothing. Thread safe. Cost: O(leaves with writable pages), with Mechanism::kernel its
  /// look at the region's page table.
  [[nodiscard]] CostEstimate estimate() const;
  /// The same for `restore(snapshot)`, by the pages that differ, or that were copied back by a
  /// restore and that the next one looks at again: they count for some restores more. Rounds of a
  /// loop that restores the same snapshot take less. Cost: O(page tables that differ). Throws
  /// std::invalid_argument for a snapshot of another family.
  [[nodiscard]] std::chrono::nanoseconds estimate_restore(const Snapshot& snapshot) const;

  /// Calls `when_reached(bytes_in_use)` each time that the memory of this region's family (what
  /// ProcessStats::bytes_in_use counts of it) passes `most_bytes` from below, and at once if it is
  /// above. Soft: no store is refused or held up. The call is made on a thread of libcow's own, one
  /// for the process, which the first limit makes; it may drop snapshots, trim, store to regions,
  /// call anything here, and take its time, while other limits wait for it. An exception from it
  /// ends the process, as from any thread's function. A family has one limit: the next call
  /// replaces it, and null for the function removes it; either waits until a running call has
  /// returned and that thread has let go of the family, unless it is made there. What the function
  /// captures must not keep a region or a snapshot of the family alive for ever. The limit is the
  /// family's, not this region's: it stays when only snapshots are left, and may be removed through
  /// a region made of one. When the last of the family goes the function is destroyed soon after,
  /// on that thread, and a call that has begun is not waited for: so remove the limit before what
  /// the function refers to goes. It is noticed when frames are taken, so soon after a fault;
  /// memory of pages that were opened together with a neighbour, and all stores with
  /// Mechanism::kernel, by the next fault that takes frames or the next control call. A child
  /// process made by fork() has no limits until it sets its own. Thread safe. Cost without a limit:
  /// one comparison for each frame that is taken; with one that was reached, an fstat for each
  /// control call that gives memory back. Throws std::system_error when no thread can be made,
  /// std::bad_alloc.
  void limit_family_bytes(std::size_t most_bytes,
                          std::function<void(std::size_t bytes_in_use)> when_reached);

  /// Counters of this region. Thread safe; stores wait meanwhile. Cost: O(page tables). Throws
  /// std::system_error where the kernel copies and refuses to say what.
  [[nodiscard]] RegionStats stats() const;

 private:
  friend std::string detail::check_invariants(const Region& region);
  friend std::string describe(const Region& region);
  friend Region attach(const std::string& name, const RegionOptions& options);
  friend Region attach(int descriptor, const RegionOptions& options);
  explicit Region(std::shared_ptr<detail::RegionState> state) noexcept;
  [[nodiscard]] detail::RegionState& state() const;
  bool apply_by_sharing(const std::vector<PageRange>& ranges, const Snapshot& from);
  void apply_by_copying(const std::vector<PageRange>& ranges, const Snapshot& from);

  std::shared_ptr<detail::RegionState> state_;  // shared with the leases alone
};

}  // namespace cow
