#pragma once

#include <cow/backup.hpp>

#include <atomic>
#include <exception>
#include <memory>

#include "api/backup_estimate.hpp"
#include "api/backup_target.hpp"
#include "api/region_state.hpp"
#include "mm/space/address_space.hpp"
#include "os/frame_window.hpp"
#include "os/own_thread.hpp"

namespace cow::detail {

/// What a Backup owns: the pages of one moment that are not saved yet, and the thread that saves
/// them.
class BackupState final : private PastLimit::Saving {
 public:
  BackupState(std::shared_ptr<Family> family, BackupOptions options);
  /// Cancels, and waits for the end.
  virtual ~BackupState();
  BackupState(const BackupState&) = delete;
  BackupState& operator=(const BackupState&) = delete;

  // Once each and in this order, by the call that makes the backup; each throws
  // std::system_error, begin() and take_stock() std::invalid_argument, too.

  /// From now on no other backup of the family begins.
  void begin(AddressSpace& source, std::unique_ptr<BackupTarget> target);
  /// The bytes of `source` now, all that it has by its size, are those to be saved.
  void cut(RegionState& source);
  /// What is needed is known: there is room for it, and for what the limit has to leave.
  void take_stock(AddressSpace& source);
  /// Begins to save. `begun_ns` is when the call began.
  void start(std::uint64_t begun_ns);

  // See Backup.
  BackupReport wait();
  [[nodiscard]] bool done() const noexcept { return is_done_.load() || !thread_.is_here(); }
  [[nodiscard]] BackupProgress progress() const noexcept;
  void cancel() noexcept { is_cancelled_.store(true); }
  /// For a target that waits for its reader.
  [[nodiscard]] const std::atomic<bool>& is_cancelled() const noexcept { return is_cancelled_; }

 private:
  [[noreturn]] void refuse_limit() const;
  void run() noexcept;
  void save_all();
  void end() noexcept;
  void leave() noexcept;
  void forget_in_child() noexcept override;
  [[nodiscard]] bool call_progress() const;
  void tell_progress(std::uint64_t pages_done);
  void check_cancelled();
  [[nodiscard]] bool is_limited() const noexcept;
  [[nodiscard]] std::size_t extra_bytes(std::uint64_t pages_kept) const noexcept;

  std::shared_ptr<Family> family_;
  std::uint64_t size_bytes_ = 0;  ///< of the region at the cut
  PageCount pages_{0};            ///< the same
  BackupOptions options_;
  os::Buffer books_;  ///< for PastLimit::Books
  KeptTable kept_;
  std::unique_ptr<BackupTarget> target_;
  os::DescriptorName descriptor_;            ///< the target's
  std::atomic<bool> has_descriptor_{false};  ///< it is open
  BackupNeed need_;
  std::uint64_t begun_ns_ = 0;
  bool has_begun_ = false;
  bool has_left_ = false;  ///< the table is given up, or being given up; under the family's lock

  std::atomic<bool> is_cancelled_{false};
  std::atomic<std::uint64_t> pages_done_{0};
  std::atomic<std::uint64_t> bytes_written_{0};

  // Written by the thread, and read by others once is_done_ says so.
  BackupReport report_;
  std::exception_ptr failure_;
  std::atomic<bool> is_done_{false};

  os::OwnThread thread_;
};

}  // namespace cow::detail
