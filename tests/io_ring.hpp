// io_uring without a library: one request at a time.
#pragma once

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

namespace support {

class IoRing {
 public:
  IoRing() {
    io_uring_params parameters{};
    descriptor_ = static_cast<int>(::syscall(SYS_io_uring_setup, entries, &parameters));
    // Kernels that map both rings at once are those that have what we need (5.4).
    if (descriptor_ < 0 || (parameters.features & IORING_FEAT_SINGLE_MMAP) == 0) return;
    ring_bytes_ = parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe);
    const std::size_t submission_ring_bytes =
        parameters.sq_off.array + parameters.sq_entries * sizeof(std::uint32_t);
    if (ring_bytes_ < submission_ring_bytes) ring_bytes_ = submission_ring_bytes;
    ring_ = map(ring_bytes_, IORING_OFF_SQ_RING);
    requests_ = map(requests_bytes, IORING_OFF_SQES);
    offsets_ = parameters;
  }
  ~IoRing() {
    if (ring_ != nullptr) ::munmap(ring_, ring_bytes_);
    if (requests_ != nullptr) ::munmap(requests_, requests_bytes);
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  IoRing(const IoRing&) = delete;
  IoRing& operator=(const IoRing&) = delete;

  /// False where the kernel, or the container, has no io_uring.
  [[nodiscard]] bool works() const { return ring_ != nullptr && requests_ != nullptr; }

  /// Pins `bytes` as buffer 0. False when that is refused.
  [[nodiscard]] bool pin(std::span<std::byte> bytes) const {
    const iovec buffer{bytes.data(), bytes.size()};
    return ::syscall(SYS_io_uring_register, descriptor_, IORING_REGISTER_BUFFERS, &buffer, 1) == 0;
  }
  [[nodiscard]] bool unpin() const {
    return ::syscall(SYS_io_uring_register, descriptor_, IORING_UNREGISTER_BUFFERS, nullptr, 0) ==
           0;
  }

  /// Starts to read `target.size()` bytes at `offset` of `file` into the pinned buffer.
  void start_fixed_read(int file, std::uint64_t offset, std::span<std::byte> target) const {
    start(IORING_OP_READ_FIXED, file, offset, target);
  }
  /// The same into any memory.
  void start_read(int file, std::uint64_t offset, std::span<std::byte> target) const {
    start(IORING_OP_READ, file, offset, target);
  }
  /// Waits until what was started is done: bytes, or minus an errno value.
  [[nodiscard]] long finish() const {
    std::uint32_t& head = ring_word(offsets_.cq_off.head);
    std::atomic_ref<std::uint32_t> tail(ring_word(offsets_.cq_off.tail));
    while (tail.load(std::memory_order_acquire) == head) {
      const long result =
          ::syscall(SYS_io_uring_enter, descriptor_, 0, 1, IORING_ENTER_GETEVENTS, nullptr, 0);
      if (result < 0 && errno != EINTR) return -errno;
    }
    const auto* const answers = reinterpret_cast<const io_uring_cqe*>(ring_ + offsets_.cq_off.cqes);
    const long result = answers[head & ring_word(offsets_.cq_off.ring_mask)].res;
    std::atomic_ref<std::uint32_t>(head).store(head + 1, std::memory_order_release);
    return result;
  }

 private:
  static constexpr unsigned entries = 4;
  static constexpr std::size_t requests_bytes = entries * sizeof(io_uring_sqe);

  [[nodiscard]] std::byte* map(std::size_t bytes, off_t what) const {
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                                descriptor_, what);
    return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
  }
  [[nodiscard]] std::uint32_t& ring_word(std::uint32_t offset) const {
    return *reinterpret_cast<std::uint32_t*>(ring_ + offset);
  }

  void start(std::uint8_t operation, int file, std::uint64_t offset,
             std::span<std::byte> target) const {
    std::uint32_t& tail = ring_word(offsets_.sq_off.tail);
    const std::uint32_t index = tail & ring_word(offsets_.sq_off.ring_mask);
    io_uring_sqe request{};
    request.opcode = operation;
    request.fd = file;
    request.off = offset;
    request.addr = reinterpret_cast<std::uintptr_t>(target.data());
    request.len = static_cast<std::uint32_t>(target.size());
    reinterpret_cast<io_uring_sqe*>(requests_)[index] = request;
    ring_word(offsets_.sq_off.array + index * std::uint32_t{sizeof(std::uint32_t)}) = index;
    std::atomic_ref<std::uint32_t>(tail).store(tail + 1, std::memory_order_release);
    ::syscall(SYS_io_uring_enter, descriptor_, 1, 0, 0, nullptr, 0);
  }

  int descriptor_ = -1;
  std::byte* ring_ = nullptr;
  std::byte* requests_ = nullptr;
  std::size_t ring_bytes_ = 0;
  io_uring_params offsets_{};
};

}  // namespace support
