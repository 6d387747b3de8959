#pragma once

/// @file
/// Leases: ranges that the kernel may write to.

#include <cstddef>
#include <memory>
#include <span>

#include <cow/export.hpp>

namespace cow {

class Region;

namespace detail {
class RegionState;
}

/// A promise of libcow's that the kernel may write to a range of a region: read(2), recv(2),
/// O_DIRECT, io_uring, any system call that fills memory, and devices. The kernel does not fault on
/// our behalf, so such a call fails with EFAULT where a page is write-protected, or, behind pages
/// that are not, ends with a short count and no error; a leased page is never protected. A
/// snapshot, a clone or a child process made meanwhile gets its own copy of the leased pages at
/// once, so nothing the kernel writes fails, is lost, or reaches the past.
///
/// While a lease lives, its pages keep their frames: memory that is pinned for a device stays the
/// memory the region shows. Leases may nest and overlap, and be held, moved and ended by any
/// thread. The region's addresses stay valid until the last lease ends, also when the Region is
/// destroyed before. After fork() the child's leases hold for the child's own pages; one that
/// another thread held never ends there.
///
/// What threads store to leased pages raises no fault: a snapshot sees each leased page as it is at
/// some moment during the call, so only there it may cut between two stores of another thread.
class COW_API WriteLease {
 public:
  /// Holds no lease.
  WriteLease() noexcept = default;
  /// Takes the lease over; `other` then holds none.
  WriteLease(WriteLease&& other) noexcept;
  /// Ends the lease held so far and takes over that of `other`.
  WriteLease& operator=(WriteLease&& other) noexcept;
  WriteLease(const WriteLease&) = delete;
  WriteLease& operator=(const WriteLease&) = delete;
  /// Ends the lease. The pages stay writable until the next snapshot, clone or fork protects them.
  ~WriteLease();

  /// First byte of the range; null where there is none, as after a move.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  /// Bytes of the range, as asked for.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// The range, as a span.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  friend class Region;
  friend COW_API WriteLease write_lease(void* address, std::size_t length);
  WriteLease(std::shared_ptr<detail::RegionState> region, std::size_t offset, std::size_t length);

  std::shared_ptr<detail::RegionState> region_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The same for code that does not know of regions: a lease on the `length` bytes at `address`, in
/// whatever region they lie. Where they lie in none there is nothing to do, and the lease is empty
/// (`data()` is null); so it is with 0 bytes. What goes past the end of the region is cut off:
/// `size()` tells. A range that begins outside of a region is in none, as no page before a region
/// can be touched.
///
/// Thread safe, also beside snapshots, clones and destructors of other regions; the region of
/// `address` must not be destroyed before this returns (afterwards it may: its addresses then stay
/// as long as the lease). It works on a stack that lies in a region, too, and in a signal handler:
/// it calls malloc for nothing but an exception.
///
/// Cost: some tens of nanoseconds in no region, so that it may stand before every call. In a
/// region: some system calls, and that of a first store to each page that is shared; the whole
/// range, not only what the kernel will fill. Throws, in a region alone, std::system_error or
/// std::bad_alloc: without memory, a descriptor or the region itself (a child that fork() had to
/// leave without; a region whose files the program closed). Then everything is as it was.
[[nodiscard]] COW_API WriteLease write_lease(void* address, std::size_t length);

}  // namespace cow
