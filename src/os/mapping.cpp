#include "os/mapping.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "base/refusal.hpp"
#include "os/host.hpp"
#include "os/syscall.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace cow::os {

namespace {

// A piece of metadata, and a page that nobody may touch at either end.
constexpr std::size_t kMappingsOfMetadata = 3;
std::atomic<std::size_t> g_metadata_mappings{0};

std::uintptr_t flags_of(Protection protection) noexcept {
  switch (protection) {
    case Protection::none: return PROT_NONE;
    case Protection::read_only: return PROT_READ;
    case Protection::read_write: return PROT_READ | PROT_WRITE;
  }
  __builtin_unreachable();
}

int map_fixed(std::byte* address, std::size_t bytes, std::uintptr_t protection,
              std::uintptr_t flags, long file, std::uint64_t offset) noexcept {
  const long result = raw_syscall(SYS_mmap, argument(address), bytes, protection, flags | MAP_FIXED,
                                  static_cast<std::uintptr_t>(file), offset);
  return result < 0 && result > -4096 ? static_cast<int>(-result) : 0;  // not a page size: errnos
}

// A mapping of its own, or one with others of the same advice: the kernel never has to split one
// for this, so there is nothing that it could lack.
void advise(std::byte* address, std::size_t bytes, Advice advice) noexcept {
  if (advice.keep_out_of_cores) {
    raw_syscall(SYS_madvise, argument(address), bytes, MADV_DONTDUMP);
  }
  if (advice.huge_pages) raw_syscall(SYS_madvise, argument(address), bytes, MADV_HUGEPAGE);
}

// libc's mmap, not the raw call, so that the sanitizers learn of every range we take and return.
std::byte* map_anonymous(std::size_t bytes, int protection, int more_flags) noexcept {
  void* const address =
      ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);
  return address == MAP_FAILED ? nullptr : static_cast<std::byte*>(address);
}

}  // namespace

AddressRange AddressRange::reserve(std::size_t bytes, std::size_t alignment_bytes, Advice advice) {
  const std::size_t guard = page_bytes();
  const std::size_t slack = alignment_bytes > guard ? alignment_bytes : 0;
  const auto refuse = [&](const char* call) {
    throw_refused(errno, call,
                  "no range of " + std::to_string(bytes) + " addresses could be had for a region");
  };
  if (bytes > SIZE_MAX - 2 * guard - slack) {
    errno = ENOMEM;
    refuse("mmap");
  }
  std::byte* const got = map_anonymous(bytes + slack + 2 * guard, PROT_NONE, MAP_NORESERVE);
  if (got == nullptr) refuse("mmap");
  const std::size_t lead = slack == 0 ? 0 : (0 - argument(got + guard)) & (alignment_bytes - 1);
  if (lead > 0) ::munmap(got, lead);
  AddressRange range(got + lead + guard, bytes);
  if (slack > lead) ::munmap(range.end() + guard, slack - lead);
  if (const int error = protect(range.begin(), bytes, Protection::read_only); error != 0) {
    errno = error;
    refuse("mprotect");
  }
  if (advice.keep_out_of_cores && ::madvise(range.begin(), bytes, MADV_DONTDUMP) != 0) {
    refuse("madvise");
  }
  return range;
}

AddressRange::AddressRange(std::byte* begin, std::size_t bytes) noexcept
    : begin_(begin), bytes_(bytes), guard_behind_(page_bytes()) {}

AddressRange::AddressRange(AddressRange&& other) noexcept
    : begin_(std::exchange(other.begin_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      guard_behind_(std::exchange(other.guard_behind_, 0)) {}

AddressRange& AddressRange::operator=(AddressRange&& other) noexcept {
  std::swap(begin_, other.begin_);
  std::swap(bytes_, other.bytes_);
  std::swap(guard_behind_, other.guard_behind_);
  return *this;
}

AddressRange::~AddressRange() {
  const std::size_t guard = page_bytes();
  if (begin_ != nullptr) ::munmap(begin_ - guard, guard + bytes_ + guard_behind_);
}

void AddressRange::shrink(std::size_t bytes) noexcept {
  if (::munmap(begin_ + bytes, bytes_ - bytes + guard_behind_) != 0) return;
  bytes_ = bytes;
  guard_behind_ = 0;
}

int map_frames(std::byte* address, std::size_t bytes, const DescriptorName& file, FileOffset at,
               Protection protection, Populate populate, Advice advice, Look look) noexcept {
  if (look == Look::now && !file.is_intact()) return EBADF;
  const std::uintptr_t fill = populate == Populate::yes ? MAP_POPULATE : 0;
  const int error =
      map_fixed(address, bytes, flags_of(protection), MAP_SHARED | fill, file.number, at.bytes);
  if (error == 0) advise(address, bytes, advice);
  return error;
}

int map_frames_for_reading(std::byte* address, std::size_t bytes, const DescriptorName& file,
                           FileOffset at, Advice advice) noexcept {
  if (!file.is_intact()) return EBADF;
  const int error =
      map_fixed(address, bytes, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, file.number, at.bytes);
  if (error == 0) advise(address, bytes, {.keep_out_of_cores = advice.keep_out_of_cores});
  return error;
}

int map_frames_privately(std::byte* address, std::size_t bytes, const DescriptorName& file,
                         FileOffset at, Advice advice) noexcept {
  if (!file.is_intact()) return EBADF;
  const int error = map_fixed(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                              file.number, at.bytes);
  if (error == 0) advise(address, bytes, {.keep_out_of_cores = advice.keep_out_of_cores});
  return error;
}

int drop_copies(std::byte* address, std::size_t bytes) noexcept {
  if (::madvise(address, bytes, MADV_DONTNEED) == 0) return 0;
  constexpr int kDontNeedLocked = 24;  // of Linux 5.18: where mlockall() locks all memory
  return ::madvise(address, bytes, kDontNeedLocked) == 0 ? 0 : errno;
}

std::byte* map_frames_somewhere(std::size_t bytes, const DescriptorName& file, FileOffset at,
                                Advice advice) noexcept {
  if (!file.is_intact()) {
    errno = EBADF;
    return nullptr;
  }
  void* const address =
      ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.number, static_cast<off_t>(at.bytes));
  if (address == MAP_FAILED) return nullptr;
  auto* const mapped = static_cast<std::byte*>(address);
  advise(mapped, bytes, {.keep_out_of_cores = advice.keep_out_of_cores});
  return mapped;
}

void unmap_frames(const std::byte* address, std::size_t bytes) noexcept {
  constexpr std::size_t kFewestBytes = std::size_t{8} << 20;
  constexpr std::size_t kMostPieces = 8192;
  const std::size_t share = bytes / kMostPieces / page_bytes() * page_bytes();
  const std::size_t piece = std::max(kFewestBytes, share);
  for (std::size_t at = 0; at < bytes; at += piece) {
    forget_pages(address + at, std::min(piece, bytes - at));
  }
  ::munmap(const_cast<std::byte*>(address), bytes);  // NOLINT(*-const-cast): munmap's signature
}

void forget_pages(const std::byte* address, std::size_t bytes) noexcept {
  raw_syscall(SYS_madvise, argument(address), bytes, MADV_DONTNEED);
}

std::byte* map_frames_to_fill(std::size_t bytes, const DescriptorName& file, FileOffset at,
                              Advice advice) noexcept {
  const std::size_t guard = page_bytes();
  std::byte* const got = map_anonymous(bytes + 2 * guard, PROT_NONE, MAP_NORESERVE);
  if (got == nullptr) return nullptr;
  const int error =
      map_frames(got + guard, bytes, file, at, Protection::read_write, Populate::no, advice);
  if (error == 0) return got + guard;
  ::munmap(got, bytes + 2 * guard);
  errno = error;
  return nullptr;
}

void unmap_frames_to_fill(std::byte* address, std::size_t bytes) noexcept {
  const std::size_t guard = page_bytes();
  ::munmap(address - guard, bytes + 2 * guard);
}

#if defined(__x86_64__)

void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

void clear_bytes(std::byte* to, std::size_t bytes) noexcept {
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(0) : "memory");
}

#else

void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += 16) {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    asm volatile("ldp %0, %1, [%2]" : "=&r"(low), "=&r"(high) : "r"(from + at) : "memory");
    asm volatile("stp %0, %1, [%2]" : : "r"(low), "r"(high), "r"(to + at) : "memory");
  }
}

void clear_bytes(std::byte* to, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += 16) {
    asm volatile("stp xzr, xzr, [%0]" : : "r"(to + at) : "memory");
  }
}

#endif

namespace {

constexpr std::size_t kBlockBytes = 64;

// A call of memcmp() would be a sanitizer's.
__attribute__((no_sanitize("thread"))) inline std::uint64_t word_at(const std::byte* at) noexcept {
  std::uint64_t word = 0;
  __builtin_memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

__attribute__((no_sanitize("thread"))) bool hold_same(const std::byte* one, const std::byte* other,
                                                      std::size_t bytes) noexcept {
  std::uint64_t differing = 0;
  for (std::size_t block = 0; block < bytes && differing == 0; block += kBlockBytes) {
    for (std::size_t at = block; at < block + kBlockBytes; at += sizeof differing) {
      differing |= word_at(one + at) ^ word_at(other + at);
    }
  }
  return differing == 0;
}

__attribute__((no_sanitize("thread"))) bool hold_zeros(const std::byte* at,
                                                       std::size_t bytes) noexcept {
  std::uint64_t set = 0;
  for (std::size_t block = 0; block < bytes && set == 0; block += kBlockBytes) {
    for (std::size_t i = block; i < block + kBlockBytes; i += sizeof set) set |= word_at(at + i);
  }
  return set == 0;
}

int map_zeros(std::byte* address, std::size_t bytes, Protection protection,
              Advice advice) noexcept {
  const int error = map_fixed(address, bytes, flags_of(protection),
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (error == 0) advise(address, bytes, {.keep_out_of_cores = advice.keep_out_of_cores});
  return error;
}

int protect(std::byte* address, std::size_t bytes, Protection protection) noexcept {
  return static_cast<int>(
      -raw_syscall(SYS_mprotect, argument(address), bytes, flags_of(protection)));
}

bool is_mapped(std::byte* address, std::size_t bytes) noexcept {
  return raw_syscall(SYS_msync, argument(address), bytes, MS_ASYNC) != -ENOMEM;
}

// A kernel that will not tell this process, or not at all, says that everything is, or fails.
bool is_resident(std::byte* address, std::size_t bytes) noexcept {
  std::array<unsigned char, 2048> in_memory;  // NOLINT(*-member-init): the kernel fills it
  const std::size_t step = in_memory.size() * page_bytes();
  for (std::size_t done = 0; done < bytes; done += step) {
    const std::size_t part = std::min(step, bytes - done);
    if (raw_syscall(SYS_mincore, argument(address + done), part, argument(in_memory.data())) < 0) {
      return false;
    }
    const auto end = in_memory.begin() + static_cast<std::ptrdiff_t>(part / page_bytes());
    if (!std::all_of(in_memory.begin(), end, [](unsigned char page) { return (page & 1) != 0; })) {
      return false;
    }
  }
  return true;
}

std::byte* map_spare_mappings(std::size_t count) noexcept {
  const std::size_t page = page_bytes();
  std::byte* const spare = map_anonymous(count * page, PROT_NONE, MAP_NORESERVE);
  if (spare == nullptr) return nullptr;
  // Every second page differs in protection, so that no two are one mapping.
  for (std::size_t i = 1; i < count; i += 2) ::mprotect(spare + i * page, page, PROT_READ);
  return spare;
}

void unmap_spare_mappings(std::byte* address, std::size_t count) noexcept {
  raw_syscall(SYS_munmap, argument(address), count * page_bytes());
}

std::byte* map_metadata(std::size_t bytes) noexcept {
  const std::size_t guard = page_bytes();
  if (bytes > SIZE_MAX - 2 * guard) {
    errno = ENOMEM;
    return nullptr;
  }
  std::byte* const got = map_anonymous(bytes + 2 * guard, PROT_NONE, MAP_NORESERVE);
  if (got == nullptr) return nullptr;
  if (::mprotect(got + guard, bytes, PROT_READ | PROT_WRITE) == 0) {
    g_metadata_mappings.fetch_add(kMappingsOfMetadata, std::memory_order_relaxed);
    return got + guard;
  }
  const int error = errno;
  ::munmap(got, bytes + 2 * guard);
  errno = error;
  return nullptr;
}

bool populate_metadata(std::byte* address, std::size_t bytes) noexcept {
  const long result = raw_syscall(SYS_madvise, argument(address), bytes, MADV_POPULATE_WRITE);
  if (result == 0) return true;
  if (result != -EINVAL) {
    errno = static_cast<int>(-result);
    return false;
  }
  // Before Linux 5.14. The memory is new: what is written is what is there.
  volatile std::byte* const memory = address;
  for (std::size_t at = 0; at < bytes; at += page_bytes()) memory[at] = std::byte{0};
  return true;
}

void unmap_metadata(std::byte* address, std::size_t bytes) noexcept {
  const std::size_t guard = page_bytes();
  ::munmap(address - guard, bytes + 2 * guard);
  g_metadata_mappings.fetch_sub(kMappingsOfMetadata, std::memory_order_relaxed);
}

std::size_t metadata_mappings() noexcept {
  return g_metadata_mappings.load(std::memory_order_relaxed);
}

}  // namespace cow::os
