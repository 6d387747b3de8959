// An access that can never succeed ends the process: libcow does not resolve the same fault for
// ever. Each child has an alarm that ends it if it does.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "call_filter.hpp"
#include "catch.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

constexpr std::size_t pages = 10;
constexpr unsigned most_seconds = 300;

Region filled() {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  return region;
}

support::ChildResult run_until_alarm(const std::function<std::string()>& body) {
  return support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(most_seconds);
    return body();
  });
}

std::byte* page_of(Region& region, std::size_t page) {
  return region.data() + page * region.page_bytes();
}

void store(std::byte* at) { *static_cast<volatile std::byte*>(at) = std::byte{7}; }

void jump_to(std::byte* at) {
#if defined(__aarch64__)
  __builtin___clear_cache(reinterpret_cast<char*>(at), reinterpret_cast<char*>(at) + 4);
#endif
  reinterpret_cast<void (*)()>(at)();
}

}  // namespace

TEST_CASE("running code in a region dies of SIGSEGV, whatever state the page is in",
          "[fault][handler]") {
  const auto zero = run_until_alarm([]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), support::options());
    jump_to(page_of(region, 5));
    return "code ran in a region";
  });
  CHECK(zero.died_of(SIGSEGV));

  const auto private_page = run_until_alarm([]() -> std::string {
    Region region = filled();
    jump_to(page_of(region, 5));
    return "code ran in a region";
  });
  CHECK(private_page.died_of(SIGSEGV));

  const auto shared = run_until_alarm([]() -> std::string {
    Region region = filled();
    const Region clone = region.clone();
    jump_to(page_of(region, 5));
    return "code ran in a region";
  });
  CHECK(shared.died_of(SIGSEGV));
}

TEST_CASE("a store right behind a region dies of SIGSEGV", "[fault][handler]") {
  const auto result = run_until_alarm([]() -> std::string {
    Region region = filled();
    store(region.data() + region.size());
    return "there was no guard page";
  });
  CHECK(result.died_of(SIGSEGV));
}

TEST_CASE("a load from a page of a region that the program made inaccessible dies of SIGSEGV",
          "[fault][handler]") {
  if (support::is_emulated()) {
    WARN("skipped: this emulator does not tell a load from a store");
    return;
  }
  const auto result = run_until_alarm([]() -> std::string {
    Region region = filled();
    ::mprotect(page_of(region, 5), region.page_bytes(), PROT_NONE);
    const auto value = *static_cast<volatile std::byte*>(page_of(region, 5));
    return "the load was made: " + std::to_string(std::to_integer<int>(value));
  });
  CHECK(result.died_of(SIGSEGV));
}

TEST_CASE("a store to a part of a region that the program unmapped dies of SIGSEGV",
          "[fault][handler]") {
  const auto result = run_until_alarm([]() -> std::string {
    static Region region = filled();
    ::munmap(page_of(region, 5), region.page_bytes());
    store(page_of(region, 5));
    return "the store was made";
  });
  CHECK(result.died_of(SIGSEGV));
}

TEST_CASE("a store to a file that the program mapped over a region, read-only, ends the process",
          "[fault][handler]") {
  const auto result = run_until_alarm([]() -> std::string {
    static Region region = filled();
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const void* const mapped =
        ::mmap(page_of(region, 5), region.page_bytes(), PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
    if (mapped == MAP_FAILED) return "the file could not be mapped";
    store(page_of(region, 5));
    return "the store was made";
  });
  CHECK(result.complaint == "");
  CHECK((result.died_of(SIGSEGV) || result.died_of(SIGBUS)));
}

TEST_CASE("a store to a page with a protection key that forbids it dies of SIGSEGV",
          "[fault][handler]") {
  const auto result = run_until_alarm([]() -> std::string {
    const long key = ::syscall(SYS_pkey_alloc, 0, 2);  // PKEY_DISABLE_WRITE
    if (key < 0) return "no protection keys";
    static Region region = filled();
    if (::syscall(SYS_pkey_mprotect, page_of(region, 5), region.page_bytes(),
                  PROT_READ | PROT_WRITE, key) != 0) {
      return "no protection keys";
    }
    store(page_of(region, 5));
    return "the store was made";
  });
  if (result.complaint == "no protection keys") {
    WARN("skipped: this processor has no protection keys");
    return;
  }
  CHECK(result.died_of(SIGSEGV));
}

TEST_CASE("a store that goes on faulting although the page was made writable ends the process",
          "[fault][handler]") {
  if (!support::has_call_filters()) {
    WARN("skipped: no system call can be made to fail here");
    return;
  }
  const auto result = run_until_alarm([]() -> std::string {
    static Region region = filled();
    const Snapshot snapshot = region.snapshot();
    // As a kernel with an error would: it says that it did, and did not.
    support::CallFilter filter;
    constexpr std::uint32_t writable = PROT_READ | PROT_WRITE;
    if (!filter.refuse(SYS_mprotect, {support::is(2, writable)}, 0).install_allowing()) {
      return "the filter was refused";
    }
    store(page_of(region, 5));
    return "the store was made";
  });
  CHECK(result.complaint == "");
  CHECK_FALSE(result.died_of(SIGALRM));
}
