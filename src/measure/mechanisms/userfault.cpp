#include "measure/mechanisms/userfault.hpp"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <exception>

#include "measure/mechanisms/fault_handler.hpp"

namespace cow::measure {

namespace {

#if defined(UFFD_USER_MODE_ONLY)
constexpr int user_mode_only = UFFD_USER_MODE_ONLY;
#else
constexpr int user_mode_only = 1;  // Linux 5.11, newer than the headers
#endif

uffdio_range range_of(std::span<std::byte> pages) {
  return {.start = reinterpret_cast<std::uintptr_t>(pages.data()), .len = pages.size()};
}

int set_protection(int descriptor, std::span<std::byte> pages, std::uint64_t mode) noexcept {
  uffdio_writeprotect request{.range = range_of(pages), .mode = mode};
  int result = 0;
  do {
    result = ::ioctl(descriptor, UFFDIO_WRITEPROTECT, &request);
  } while (result != 0 && (errno == EAGAIN || errno == EINTR));
  return result;
}

void open_page(int descriptor, std::span<std::byte> pages, std::uint64_t mode) noexcept {
  if (set_protection(descriptor, pages, mode) != 0) {
    die_in_handler("UFFDIO_WRITEPROTECT: the kernel refused to open a page\n");
  }
}

// Before Linux 5.11 there is no such flag, nor a need of it: who has no privilege may have this.
int open_userfault() {
  const long descriptor = ::syscall(SYS_userfaultfd, O_CLOEXEC | user_mode_only);
  if (descriptor >= 0 || errno != EINVAL) return static_cast<int>(descriptor);
  return static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC));
}

}  // namespace

Userfault::Userfault(Told told) : descriptor_(open_userfault()) {
  if (descriptor_.number() < 0) refused("userfaultfd");
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP;
  if (told == Told::storing_thread) api.features |= UFFD_FEATURE_SIGBUS;
  if (::ioctl(descriptor_.number(), UFFDIO_API, &api) != 0) refused("UFFDIO_API");
}

void Userfault::watch(std::span<std::byte> pages) const {
  uffdio_register request{};
  request.range = range_of(pages);
  request.mode = UFFDIO_REGISTER_MODE_WP;
  if (::ioctl(descriptor_.number(), UFFDIO_REGISTER, &request) != 0) refused("UFFDIO_REGISTER");
}

void Userfault::protect(std::span<std::byte> pages) const {
  if (set_protection(descriptor_.number(), pages, UFFDIO_WRITEPROTECT_MODE_WP) != 0) {
    refused("UFFDIO_WRITEPROTECT");
  }
}

void Userfault::open(std::span<std::byte> pages) const noexcept {
  open_page(descriptor_.number(), pages, 0);
}

void Userfault::open_quietly(std::span<std::byte> pages) const noexcept {
  open_page(descriptor_.number(), pages, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
}

void Userfault::let_go_on(std::span<std::byte> pages) const noexcept {
  uffdio_range range = range_of(pages);
  if (::ioctl(descriptor_.number(), UFFDIO_WAKE, &range) != 0) {
    die_in_handler("UFFDIO_WAKE: the kernel refused to let a store go on\n");
  }
}

std::optional<const void*> Userfault::next_store() const {
  uffd_msg message{};
  const ssize_t got = ::read(descriptor_.number(), &message, sizeof message);
  if (got < 0 && errno != EAGAIN && errno != EINTR) refused("read: userfaultfd");
  if (got != sizeof message || message.event != UFFD_EVENT_PAGEFAULT) return std::nullopt;
  const auto address = static_cast<std::uintptr_t>(message.arg.pagefault.address);
  return reinterpret_cast<const void*>(address);
}

std::string why_no_userfault(Told told) {
  try {
    const Mapping page = plain_memory({.bytes = host_page_bytes()});
    const Userfault userfault(told);
    userfault.watch(page.bytes());
    userfault.protect(page.bytes());
  } catch (const std::exception& error) {
    return std::string("the kernel refuses write protection by userfaultfd: ") + error.what();
  }
  return {};
}

}  // namespace cow::measure
