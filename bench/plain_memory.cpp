#include "plain_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "machine.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

[[noreturn]] void refused(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

}  // namespace

PlainMemory::PlainMemory(int flags, int descriptor, std::size_t bytes) : bytes_(bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  if (memory == MAP_FAILED) {
    refused("mmap");
  }
  first_ = static_cast<std::byte*>(memory);
  // Fails where the kernel has no huge pages, which is what was asked for.
  static_cast<void>(::madvise(memory, bytes, MADV_NOHUGEPAGE));
}

PlainMemory PlainMemory::untouched(std::size_t bytes) {
  return PlainMemory(MAP_PRIVATE | MAP_ANONYMOUS, -1, bytes);
}

PlainMemory PlainMemory::anonymous(std::size_t bytes) {
  PlainMemory memory = untouched(bytes);
  store_to_all(memory.pages(), 1);
  return memory;
}

PlainMemory::PlainMemory(PlainMemory&& other) noexcept
    : first_(std::exchange(other.first_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

PlainMemory::~PlainMemory() {
  if (first_ != nullptr) {
    ::munmap(first_, bytes_);
  }
}

Pages PlainMemory::pages() const { return {first_, bytes_ / host_page_bytes(), host_page_bytes()}; }

FilledMemfd::FilledMemfd(std::size_t bytes)
    : descriptor_(::memfd_create("cow_bench", MFD_CLOEXEC)), bytes_(bytes) {
  if (descriptor_ < 0) {
    refused("memfd_create");
  }
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) {
    const int error = errno;
    ::close(descriptor_);
    throw std::system_error(error, std::generic_category(), "ftruncate");
  }
  store_to_all(map_shared().pages(), 1);
}

FilledMemfd::~FilledMemfd() { ::close(descriptor_); }

PlainMemory FilledMemfd::map_private() const {
  return PlainMemory(MAP_PRIVATE, descriptor_, bytes_);
}

PlainMemory FilledMemfd::map_shared() const { return PlainMemory(MAP_SHARED, descriptor_, bytes_); }

double time_private_rollback(const PlainMemory& memory, const std::vector<std::size_t>& pages,
                             std::uint64_t value) {
  const std::uint64_t start = now_ns();
  time_stores(memory.pages(), pages, value);
  if (::madvise(memory.data(), memory.size(), MADV_DONTNEED) != 0) {
    throw std::system_error(errno, std::generic_category(), "madvise");
  }
  return elapsed_ns(start);
}

}  // namespace cow_bench
