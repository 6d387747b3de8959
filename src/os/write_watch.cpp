#include "os/write_watch.hpp"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/error.hpp"
#include "base/refusal.hpp"
#include "os/host.hpp"
#include "os/syscall.hpp"

namespace cow::os {

namespace {

// The kernel's interface, spelled out where it is newer than the headers of Debian 12.
constexpr std::uint64_t kWriteProtectFiles = std::uint64_t{1} << 12;
constexpr std::uint64_t kWriteProtectUntouched = std::uint64_t{1} << 13;
constexpr std::uint64_t kAsynchronous = std::uint64_t{1} << 15;
constexpr std::uint64_t kFeatures = kWriteProtectFiles | kWriteProtectUntouched | kAsynchronous;

enum PageIs : std::uint64_t {
  kWritten = 1 << 1,
  kOfFile = 1 << 2,
  kPresent = 1 << 3,
  kSwapped = 1 << 4,
  kZeros = 1 << 5
};

struct ScanArguments {
  std::uint64_t size, flags, start, end, walk_end, runs, run_count, most_pages, inverted, all_of,
      any_of, answer;
};
constexpr std::uint64_t kArmAgain = 1;
constexpr std::uint64_t kOnlyWatched = 2;
constexpr unsigned long kScan = _IOWR('f', 16, ScanArguments);

/// As the kernel fills it in.
struct ScannedRun {
  std::uint64_t start, end, categories;
};

long control(const Descriptor& descriptor, unsigned long request, void* argument_value) noexcept {
  return uninterrupted([&] {
    return raw_syscall(SYS_ioctl, descriptor.name().argument(), request, argument(argument_value));
  });
}

int error_of(long result) noexcept { return result < 0 ? static_cast<int>(-result) : 0; }

std::uint64_t number_of(const std::byte* address) noexcept {
  return reinterpret_cast<std::uintptr_t>(address);
}

uffdio_range range_of(AddressRun run) noexcept {
  return {number_of(run.begin), static_cast<std::uint64_t>(run.end - run.begin)};
}

/// Which pages of a range to find.
struct Scan {
  std::uint64_t flags = 0;
  std::size_t most_pages = 0;  ///< 0: any number
  std::uint64_t inverted = 0;  ///< categories that count where they do not hold
  std::uint64_t all_of = 0;
  std::uint64_t any_of = 0;
  std::uint64_t answer = 0;
};

WriteWatch::Found scan(const Descriptor& page_table, AddressRun within, std::span<AddressRun> runs,
                       const Scan& what) noexcept {
  constexpr std::size_t kAtOnce = 64;
  std::array<ScannedRun, kAtOnce> scanned{};
  WriteWatch::Found found{.end = within.begin};
  while (found.end < within.end && found.runs < runs.size()) {
    ScanArguments scan{};
    scan.size = sizeof scan;
    scan.flags = what.flags;
    scan.start = number_of(found.end);
    scan.end = number_of(within.end);
    scan.runs = reinterpret_cast<std::uintptr_t>(scanned.data());
    scan.run_count = std::min(kAtOnce, runs.size() - found.runs);
    scan.most_pages = what.most_pages;
    scan.inverted = what.inverted;
    scan.all_of = what.all_of;
    scan.any_of = what.any_of;
    scan.answer = what.answer;
    const long count = control(page_table, kScan, &scan);
    if (count < 0) {
      found.error = error_of(count);
      return found;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      std::byte* const begin = within.begin + (scanned[i].start - number_of(within.begin));
      std::byte* const end = begin + (scanned[i].end - scanned[i].start);
      if (found.runs > 0 && runs[found.runs - 1].end == begin) {
        runs[found.runs - 1].end = end;
      } else {
        runs[found.runs++] = {begin, end};
      }
      found.in_memory = found.in_memory && (scanned[i].categories & kPresent) != 0;
    }
    found.end = within.begin + (scan.walk_end - number_of(within.begin));
    if (what.most_pages > 0 && count > 0) break;
  }
  return found;
}

[[noreturn]] void throw_no_userfaultfd(int error) {
  switch (error) {
    case EINVAL:
      throw_system_error(
          error, "userfaultfd",
          "this kernel cannot watch stores without stopping them; Mechanism::kernel needs Linux "
          "6.7, and Mechanism::automatic takes the handler instead");
    case EPERM:
    case EACCES:
    case ENOSYS:
      throw_system_error(
          error, "userfaultfd",
          "the system allows no userfaultfd, a container's filter of system calls perhaps; allow "
          "it, or take Mechanism::automatic, which takes the handler instead");
    default: throw_refused(error, "userfaultfd", "stores could not be watched");
  }
}

[[noreturn]] void throw_no_pagemap(int error) {
  switch (error) {
    case EACCES:
      throw_system_error(
          error, "open",
          "/proc/self/pagemap, which tells what was stored to, cannot be opened by a "
          "process that has changed its user or was made undumpable; see "
          "prctl(PR_SET_DUMPABLE), or take Mechanism::automatic, which takes the "
          "handler instead");
    case ENOENT:
      throw_system_error(error, "open",
                         "/proc/self/pagemap, which tells what was stored to, is not there; mount "
                         "/proc, or take Mechanism::automatic, which takes the handler instead");
    default:
      throw_refused(error, "open",
                    "/proc/self/pagemap, which tells what was stored to, could not be opened");
  }
}

}  // namespace

WriteWatch WriteWatch::open() {
  const long faults = uninterrupted(
      [] { return raw_syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY); });
  if (faults < 0) throw_no_userfaultfd(error_of(faults));
  Descriptor watching(static_cast<int>(faults));
  uffdio_api api{UFFD_API, kFeatures, 0};
  if (const int error = error_of(control(watching, UFFDIO_API, &api)); error != 0) {
    throw_no_userfaultfd(error);
  }

  const long pagemap = uninterrupted([] {
    return raw_syscall(SYS_openat, static_cast<std::uintptr_t>(AT_FDCWD),
                       argument("/proc/self/pagemap"), O_RDONLY | O_CLOEXEC);
  });
  if (pagemap < 0) throw_no_pagemap(error_of(pagemap));
  Descriptor page_table(static_cast<int>(pagemap));
  page_table.mark();
  return {std::move(watching), std::move(page_table)};
}

int WriteWatch::watch(AddressRun run) const noexcept {
  if (!faults_.is_intact()) return EBADF;
  uffdio_register request{range_of(run), UFFDIO_REGISTER_MODE_WP, 0};
  return error_of(control(faults_, UFFDIO_REGISTER, &request));
}

int WriteWatch::disarm(AddressRun run) const noexcept {
  if (!faults_.is_intact()) return EBADF;
  uffdio_writeprotect request{range_of(run), 0};
  return error_of(control(faults_, UFFDIO_WRITEPROTECT, &request));
}

WriteWatch::Found WriteWatch::look(AddressRun within, std::span<AddressRun> runs,
                                   std::size_t most_pages, Then then) const noexcept {
  if (!page_table_.is_intact()) return {0, within.begin, EBADF};
  // To ask whether it is a page of the file, too, would take ten times as long.
  return scan(page_table_, within, runs,
              {.flags = kOnlyWatched | (then == Then::arm_again ? kArmAgain : 0),
               .most_pages = most_pages,
               .all_of = kWritten,
               .any_of = kPresent | kSwapped,
               .answer = kWritten});
}

WriteWatch::Found WriteWatch::find_copies(AddressRun within, std::span<AddressRun> runs,
                                          Where where) const noexcept {
  if (!page_table_.is_intact()) return {0, within.begin, EBADF};
  return scan(page_table_, within, runs,
              {.inverted = kOfFile | kZeros,
               .all_of = kOfFile | kZeros,
               .any_of = where == Where::anywhere ? kPresent | kSwapped : kPresent,
               .answer = kPresent});
}

void WriteWatch::note_store(std::byte* address, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += page_bytes()) {
    // Not an atomic "or" of nothing: a compiler may leave out the store of that.
    auto* const byte = reinterpret_cast<unsigned char*>(address + at);
    unsigned char held = __atomic_load_n(byte, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(byte, &held, held, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED)) {
    }
  }
}

}  // namespace cow::os
