// userfaultfd, PAGEMAP_SCAN and huge pages for shared memory.

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "measure/host/facts.hpp"
#include "measure/host/in_child.hpp"
#include "measure/host/pagemap_scan.hpp"
#include "measure/host/probes.hpp"

namespace cow::measure {

namespace {

int open_userfaultfd(int flags) {
  return static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags));
}

int of_user_mode() { return open_userfaultfd(kUserModeOnly) < 0 ? errno : 0; }
int of_all_faults() { return open_userfaultfd(0) < 0 ? errno : 0; }

constexpr std::uint64_t kUntouched = std::uint64_t{1} << 13;
constexpr std::uint64_t kOfKernelMechanism =
    kUserfaultWriteProtectFiles | kUntouched | kUserfaultAsynchronous;

/// The features that the kernel names, or nothing where it is not asked.
Number features(std::uint64_t asked) {
  const int descriptor = open_userfaultfd(kUserModeOnly);
  if (descriptor < 0) return std::nullopt;
  uffdio_api api{UFFD_API, asked, 0};
  if (::ioctl(descriptor, UFFDIO_API, &api) != 0) return std::nullopt;
  return api.features;
}

int ask_for_kernel_mechanism() {
  errno = 0;
  return features(kOfKernelMechanism) ? 0 : errno;
}

bool has_device() {
  const int device = ::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
  if (device >= 0) ::close(device);
  return device >= 0;
}

/// How much of the mapping at `address` huge pages map. Absent where that cannot be read.
Number shared_huge_kib(const std::byte* address) {
  bool is_there = false;
  char wanted[32];
  std::snprintf(wanted, sizeof wanted, "%lx-", reinterpret_cast<unsigned long>(address));
  for (const std::string& line : lines_of("/proc/self/smaps")) {
    if (line.starts_with(wanted)) is_there = true;
    constexpr std::string_view kKey = "ShmemPmdMapped:";
    if (is_there && line.starts_with(kKey)) {
      const std::size_t digits = line.find_first_of("0123456789");
      return digits == std::string::npos ? std::nullopt : leading_number(line.substr(digits));
    }
  }
  return std::nullopt;
}

/// 0 where a huge page is there, ENODATA where the memory is of small ones, ENOTSUP where the
/// kernel has none; another error where it cannot be told.
int ask_for_huge_page() {
  const std::size_t huge =
      number_in("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size").value_or(0);
  if (huge == 0) return ENOTSUP;
  const auto file = static_cast<int>(::syscall(SYS_memfd_create, "cow-doctor", 0));
  if (file < 0 || ::ftruncate(file, static_cast<off_t>(2 * huge)) != 0) return errno;
  void* const room = ::mmap(nullptr, 3 * huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return errno;
  auto* at = static_cast<std::byte*>(room);
  at += (huge - reinterpret_cast<std::uintptr_t>(at) % huge) % huge;
  if (::mmap(at, huge, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
    return errno;
  }
  ::madvise(at, huge, MADV_HUGEPAGE);  // an error shows in what follows
  *at = std::byte{1};
  const Number mapped_kib = shared_huge_kib(at);
  if (!mapped_kib) return ENOENT;
  return *mapped_kib > 0 ? 0 : ENODATA;
}

}  // namespace

int scan_own_page(void* address) {
  struct Arguments {
    std::uint64_t size, flags, start, end, walk_end, runs, run_count, most_pages, inverted, all_of,
        any_of, answer;
  };
  struct Run {
    std::uint64_t start, end, categories;
  } run{};
  const int pagemap = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return errno;
  std::memset(address, 1, 1);
  constexpr std::uint64_t kPresent = 1 << 3;
  Arguments scan{};
  scan.size = sizeof scan;
  scan.start = reinterpret_cast<std::uintptr_t>(address);
  scan.end = scan.start + host_page_bytes();
  scan.runs = reinterpret_cast<std::uintptr_t>(&run);
  scan.run_count = 1;
  scan.all_of = kPresent;
  scan.answer = kPresent;
  const int error = ::ioctl(pagemap, _IOWR('f', 16, Arguments), &scan) < 0 ? errno : 0;
  ::close(pagemap);
  return error;
}

UserfaultFacts userfault_facts() {
  UserfaultFacts facts;
  facts.of_user_mode = try_in_child(of_user_mode);
  facts.of_all_faults = try_in_child(of_all_faults);
  facts.unprivileged = number_in("/proc/sys/vm/unprivileged_userfaultfd");
  facts.has_device = has_device();
  if (!facts.of_user_mode.worked) return facts;
  facts.asynchronous_write = try_in_child(ask_for_kernel_mechanism);
  const ChildEnd end = in_child([] { return std::to_string(features(0).value_or(0)); });
  if (end.has_said) facts.features = leading_number(end.said);
  return facts;
}

Trial try_huge_pages() { return try_in_child(ask_for_huge_page); }

}  // namespace cow::measure
