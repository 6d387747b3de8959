#include "demo/kernel/private_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "tool/store_one_byte.hpp"

namespace cow::demo {
namespace {

// Of the 64 bits that the kernel has for each page: see proc(5), /proc/pid/pagemap.
constexpr std::uint64_t is_present = std::uint64_t{1} << 63;
constexpr std::uint64_t is_exclusive = std::uint64_t{1} << 56;
constexpr std::uint64_t frame_bits = (std::uint64_t{1} << 55) - 1;  // 0 for who may not know

}  // namespace

PrivateMemory::PrivateMemory(std::size_t pages)
    : pages_(pages),
      page_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
      stored_(pages) {
  void* const memory = ::mmap(nullptr, pages_ * page_bytes_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  data_ = static_cast<std::byte*>(memory);
  // Small pages, so that they can be told apart.
  ::madvise(memory, pages_ * page_bytes_, MADV_NOHUGEPAGE);
  for (std::size_t i = 0; i < pages_; ++i) {
    std::memset(at(i), static_cast<int>('a' + i % 26), page_bytes_);
  }
}

PrivateMemory::~PrivateMemory() { ::munmap(data_, pages_ * page_bytes_); }

std::optional<RegionView> PrivateMemory::look(const std::string& name) const {
  const int file = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::vector<std::uint64_t> entries(pages_);
  const auto bytes = entries.size() * sizeof(entries.front());
  const auto address = reinterpret_cast<std::uintptr_t>(data_);
  const auto place = static_cast<off_t>(address / page_bytes_ * sizeof(entries.front()));
  const ssize_t count = ::pread(file, entries.data(), bytes, place);
  ::close(file);
  if (count != static_cast<ssize_t>(bytes)) return std::nullopt;
  RegionView view;
  view.name = name;
  view.address = address;
  view.pages = pages_;
  for (const std::uint64_t entry : entries) {
    PageView page;
    if ((entry & is_present) != 0) {
      const bool is_stored = stored_[view.shown.size()];
      page.look = PageLook::shared;
      if ((entry & is_exclusive) != 0) {
        page.look = is_stored ? PageLook::private_page : PageLook::sole_owner;
      }
      if ((entry & frame_bits) != 0) page.frame = FrameId{0, entry & frame_bits};
    }
    view.shown.push_back(page);
  }
  return view;
}

std::uint64_t PrivateMemory::store(std::size_t page, std::byte value) {
  // The stack and the function may fault as well, but once: not while it counts.
  std::byte elsewhere{};
  tool::store_one_byte(&elsewhere, value);
  static_cast<void>(minor_faults());
  const std::uint64_t before = minor_faults();
  tool::store_one_byte(at(page), value);
  const std::uint64_t faults = minor_faults() - before;
  stored_[page] = true;
  return faults;
}

std::uint64_t minor_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return static_cast<std::uint64_t>(usage.ru_minflt);
}

}  // namespace cow::demo
