#pragma once

/// @file
/// Backups: the bytes of one moment, saved while the program goes on storing.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>

#include <cow/export.hpp>

namespace cow {

class Region;

namespace detail {
class BackupState;
}

/// How far a backup is.
struct BackupProgress {
  std::uint64_t pages_done = 0;     ///< pages looked at: saved, or found to be zeros
  std::uint64_t pages_total = 0;    ///< pages of the region
  std::uint64_t bytes_written = 0;  ///< to the file or descriptor so far
  /// Memory that there is because of the backup, now. With Mechanism::kernel without the copies
  /// that the kernel makes for stores, of which libcow is not told.
  std::size_t extra_bytes = 0;
};

/// Choices for `Region::backup`.
struct BackupOptions {
  /// The most memory that there may be because of the backup: pages that it keeps from before a
  /// store, page tables that the store copied, and the books and buffers of the backup itself.
  /// Stores that would need more wait until their page is saved. docs/backup.md says what counts.
  std::size_t most_extra_bytes = std::numeric_limits<std::size_t>::max();
  /// The destination takes nothing for so long: the backup fails (ETIMEDOUT), and stores go on.
  /// For descriptors that can make a writer wait; a file is written by calls that end. Negative:
  /// std::invalid_argument; milliseconds::max() waits for ever.
  std::chrono::milliseconds longest_stall{10'000};
  /// Called on the backup's own thread after every few pages, and once at the end. Returning false
  /// cancels the backup; what it throws comes out of `Backup::wait`. It may store to the region:
  /// such a store does not wait, and its copies may pass the limit. It must not wait for a thread
  /// that stores, nor for a lock that such a thread may hold: that thread may wait for the backup.
  /// It may fork, but the child must call exec or _exit: if it returns, or throws, the child ends
  /// with a sentence on stderr and SIGBUS.
  std::function<bool(const BackupProgress&)> progress;
};

/// How long stores waited because of `BackupOptions::most_extra_bytes`; see docs/backup.md. The
/// percentiles are upper bounds that are no more than an eighth too high.
struct StoreWaits {
  std::uint64_t count = 0;  ///< stores that waited at all
  std::chrono::nanoseconds p50{};
  std::chrono::nanoseconds p99{};
  std::chrono::nanoseconds max{};
  std::chrono::nanoseconds total{};
};

/// What became of a backup that succeeded.
struct BackupReport {
  std::uint64_t pages = 0;  ///< with data, in the image
  /// All of the image, header and lists included. To a path, pages of zeros are holes, and there is
  /// one behind the header: the file is longer, and this is what was written to it.
  std::uint64_t bytes_written = 0;
  std::chrono::nanoseconds duration{};  ///< from the call of `Region::backup` to the end
  std::chrono::nanoseconds cut{};       ///< of it, the moment for which all stores waited
  StoreWaits waits;
  std::size_t peak_extra_bytes = 0;  ///< the most of BackupProgress::extra_bytes
};

/// What a backup would take if it began now: see Region::estimate_backup.
struct BackupEstimate {
  std::uint64_t pages = 0;          ///< with a frame; fewer if some hold zeros alone
  std::uint64_t bytes_at_most = 0;  ///< BackupReport::bytes_written is no more
  /// A smaller limit is refused, and with Mechanism::kernel any.
  std::size_t least_extra_bytes = 0;
  std::size_t most_extra_bytes =
      0;                           ///< no more is taken without a limit, if each page is stored to
  std::chrono::nanoseconds cut{};  ///< for how long all stores would wait, about
  /// Of all of it, to a path, about: at the pace of this process's last ones, so the first one says
  /// little. A stream takes as long as its reader.
  std::chrono::nanoseconds duration{};
};

/// A backup that goes on, or has ended. The destructor cancels it and waits for its end.
///
/// Thread safety: as a std::future's: one thread at a time, but for `cancel`, `done` and
/// `progress`, which any thread may call while no other moves or destroys the handle.
class COW_API Backup {
 public:
  /// Takes over the backup of `other`, which is empty then: only assigning and destroying are
  /// allowed, and `cancel`, which does nothing; all else is a std::logic_error.
  Backup(Backup&& other) noexcept;
  /// Cancels the backup that this handle had, waits for its end, and takes over that of `other`.
  Backup& operator=(Backup&& other) noexcept;
  Backup(const Backup&) = delete;
  Backup& operator=(const Backup&) = delete;
  ~Backup();

  /// Waits for the end. Throws what made the backup fail: std::system_error with a sentence
  /// (ECANCELED after `cancel` or if `progress` returned false, ETIMEDOUT if the destination took
  /// nothing, or the errno of the call that was refused), or what `progress` threw. Then the file
  /// at the path is what it was before. May be called again. In a child process that was forked
  /// meanwhile it throws std::system_error (ESRCH): the backup is the parent's. Within the backup's
  /// own `progress` function it throws, too (EDEADLK); there the handle must not be destroyed.
  BackupReport wait();
  /// Whether `wait` would return, or throw, at once. True in a child that was forked meanwhile.
  [[nodiscard]] bool done() const;
  /// How far it is. Cost: O(1); no store waits for it.
  [[nodiscard]] BackupProgress progress() const;
  /// Asks it to end; what waits for it goes on soon. `wait` then throws, unless the last step, the
  /// one that completes the image, had begun.
  void cancel() noexcept;

 private:
  friend class Region;
  explicit Backup(std::shared_ptr<detail::BackupState> state) noexcept;
  [[nodiscard]] detail::BackupState& state() const;

  std::shared_ptr<detail::BackupState> state_;
};

}  // namespace cow
