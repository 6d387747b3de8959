#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "os/descriptor.hpp"

namespace cow::os {

/// Pages side by side.
struct AddressRun {
  std::byte* begin = nullptr;
  std::byte* end = nullptr;
  friend bool operator==(const AddressRun&, const AddressRun&) = default;
};

/// What tells which pages of a private mapping were stored to since somebody looked, while nobody
/// keeps stores off: the kernel copies a page on its first store (MAP_PRIVATE), and notes in its
/// page table that it was written. An asynchronous write-protection of userfaultfd arms the page, a
/// scan of the page table (PAGEMAP_SCAN) finds what is not armed any more. Linux 6.7 and later, no
/// privilege.
///
/// Belongs to the process that opened it: a child of fork() needs its own, and its mappings are to
/// be watched anew. What takes addresses returns 0 or an errno value, EBADF if the program has
/// closed our descriptors. Signal context: yes, but for open() and the destructor.
class WriteWatch {
 public:
  /// Throws std::system_error, with a sentence that says which of the two the kernel refused.
  static WriteWatch open();

  /// Pages of `run` count as written from their first store on. Precondition: private mappings, or
  /// memory without a file.
  [[nodiscard]] int watch(AddressRun run) const noexcept;
  /// The pages of `run` count as stored to, whether they were or not.
  [[nodiscard]] int disarm(AddressRun run) const noexcept;

  struct Found {
    std::size_t runs = 0;      ///< how many of the caller's were filled in
    std::byte* end = nullptr;  ///< how far it looked
    int error = 0;
    bool in_memory = true;  ///< all that was found, if that was asked for: see find_copies()
  };
  enum class Then { arm_again, leave };
  /// Fills in which pages of `within` are not armed, in ascending order, and arms those, if told:
  /// pages that were stored to since they were armed, and those that were only loaded from and are
  /// not armed yet, but none that nobody touched. Ends early, at Found::end, when `runs` are full
  /// or `most_pages` were found; 0: any number. Cost: 3 ns a page that is in memory.
  [[nodiscard]] Found look(AddressRun within, std::span<AddressRun> runs, std::size_t most_pages,
                           Then then) const noexcept;

  /// Fills in which pages the kernel has copied, stored to since or not. `anywhere`: in swap space,
  /// too; but pages that are armed and were dropped, by the program or for want of memory, may
  /// count as such. So if not all that was found is in memory, some of it may be no copy. Cost: 60
  /// ns a page that is in memory.
  enum class Where { in_memory, anywhere };
  [[nodiscard]] Found find_copies(AddressRun within, std::span<AddressRun> runs,
                                  Where where) const noexcept;

  /// Stores to each page of the range what it holds, so that the kernel copies it. Does not lose
  /// what others store at the same time.
  static void note_store(std::byte* address, std::size_t bytes) noexcept;

 private:
  WriteWatch(Descriptor faults, Descriptor page_table) noexcept
      : faults_(std::move(faults)), page_table_(std::move(page_table)) {}

  Descriptor faults_;      ///< of userfaultfd; the watch ends with it
  Descriptor page_table_;  ///< /proc/self/pagemap
};

}  // namespace cow::os
