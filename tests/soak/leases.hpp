// Leases, and a kernel that writes through them.
#pragma once

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "soak/shared_region.hpp"
#include "support.hpp"

namespace soak {

/// Has system calls write known bytes to memory. Belongs to one thread.
class KernelWriter {
 public:
  KernelWriter();
  ~KernelWriter();
  KernelWriter(const KernelWriter&) = delete;
  KernelWriter& operator=(const KernelWriter&) = delete;

  static constexpr std::size_t most_bytes = std::size_t{32} << 10;  // a pipe takes more

  /// Writes `bytes` to the `pieces`, which are of one size and together as large, one after the
  /// other. Empty if every call did what it should, and the bytes are there.
  [[nodiscard]] std::string write(std::span<const std::byte> bytes,
                                  std::span<std::byte* const> pieces, support::Random& random);
  /// Random bytes, from getrandom(2).
  [[nodiscard]] std::string write_random(std::span<std::byte> target);

 private:
  [[nodiscard]] std::string write_by_readv(int file, std::span<const std::byte> bytes,
                                           std::span<std::byte* const> pieces);
  [[nodiscard]] std::string write_by_pread(std::span<const std::byte> bytes,
                                           std::span<std::byte* const> pieces);

  int file_ = -1;
  int pipe_[2] = {-1, -1};
};

/// A lease of a stretch of a shared region, through which one worker's fills are written.
class SharedLease {
 public:
  static constexpr std::size_t most_pages = 12;

  /// Precondition: the region's gate is held, as in all that follows. Throws what write_lease does.
  SharedLease(SharedRegion& shared, WorkerIndex worker, PageIndex first, std::size_t pages);
  ~SharedLease();
  SharedLease(const SharedLease&) = delete;
  SharedLease& operator=(const SharedLease&) = delete;

  [[nodiscard]] SharedRegion& shared() { return shared_; }
  /// Whether the region is still the one that was leased.
  [[nodiscard]] bool is_current() const { return incarnation_ == shared_.incarnation(); }
  [[nodiscard]] PageIndex first() const { return first_; }
  [[nodiscard]] std::size_t pages() const { return pages_; }

  /// Has the kernel write the next version of every fill. Empty if all went well.
  [[nodiscard]] std::string write_fills(KernelWriter& kernel, support::Random& random);

 private:
  [[nodiscard]] std::uint64_t next_version(PageIndex page);

  SharedRegion& shared_;
  std::uint64_t incarnation_;
  WorkerIndex worker_;
  PageIndex first_;
  std::size_t pages_;
  cow::WriteLease lease_;
};

}  // namespace soak
