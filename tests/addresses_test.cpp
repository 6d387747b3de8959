// What the user or the kernel does to the addresses of a region behind libcow's back, as told under
// "What not to do to a region" in docs/embedding.md.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "catch.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 16;

Region filled() {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  for (std::size_t page = 0; page < pages; ++page) support::store(region, page, 7);
  return region;
}

/// A byte to a page of this process as a debugger writes it: whatever its protection says.
bool write_by_force(const void* to, char value) {
  const int memory = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  const bool written =
      ::pwrite(memory, &value, 1, static_cast<off_t>(reinterpret_cast<std::uintptr_t>(to))) == 1;
  ::close(memory);
  return written;
}

bool can_write_by_force() {
  const long page = ::sysconf(_SC_PAGESIZE);
  void* const memory = ::mmap(nullptr, static_cast<std::size_t>(page), PROT_READ,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool written = !support::is_emulated() && write_by_force(memory, 'D');
  ::munmap(memory, static_cast<std::size_t>(page));
  if (!written) WARN("skipped: nobody writes to protected pages here");
  return written;
}

}  // namespace

TEST_CASE("MADV_REMOVE takes a page's bytes from snapshots and clones, and discard does not",
          "[os]") {
  const bool by_madvise = GENERATE(false, true);
  Region region = filled();
  const Snapshot past = region.snapshot();
  const Region clone = region.clone();
  const std::size_t bytes = 2 * region.page_bytes();
  if (by_madvise && (support::is_emulated() || ::madvise(region.data(), bytes, MADV_REMOVE) != 0)) {
    WARN("skipped: there is no MADV_REMOVE here");
    return;
  }
  if (!by_madvise) region.discard(0, bytes);
  const unsigned kept = by_madvise ? 0 : 7;
  CHECK(support::load(region.bytes(), 1) == 0);
  CHECK(support::load(past.bytes(), 1) == kept);
  CHECK(support::load(clone.bytes(), 1) == kept);
}

TEST_CASE("a guard page that the program makes in a region does not hold", "[os][handler]") {
  const bool stored_before = GENERATE(false, true);
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  if (stored_before) region = filled();
  const std::size_t page = region.page_bytes();
  REQUIRE(::mprotect(region.data() + 8 * page, page, PROT_NONE) == 0);
  support::store(region, 8, 9);  // is resolved like any first store
  CHECK(support::load(region.bytes(), 8) == 9);
}

TEST_CASE("a region of its own gives a stack guard pages that hold whatever shares it", "[os]") {
  Region region = filled();
  const Snapshot past = region.snapshot();
  const Region clone = region.clone();
  region.restore(past);
  region.discard(0, region.size());
  for (const bool below : {true, false}) {
    const auto result = support::run_in_child([&]() -> std::string {
      support::die_silently_of_faults();
      volatile std::byte* const end = region.data() + region.size();
      volatile std::byte* const begin = region.data();
      *(below ? begin - 1 : end) = std::byte{1};
      return "the store went through";
    });
    CHECK(result.complaint == "");
    CHECK(result.died_of(SIGSEGV));
  }
}

TEST_CASE("a debugger's write to a zero page does not last, and no snapshot has it",
          "[os][handler]") {
  if (!can_write_by_force()) return;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  REQUIRE(write_by_force(region.data(), 'D'));
  CHECK(support::load(region.bytes(), 0) == 'D');
  const Snapshot past = region.snapshot();
  CHECK(support::load(past.bytes(), 0) == 0);
  support::store(region, 1, 1);  // opens all zero pages around
  CHECK(support::load(region.bytes(), 0) == 0);
  support::store(region, 0, 1);  // once the program has stored, it is a page like any
  REQUIRE(write_by_force(region.data(), 'E'));
  const Snapshot now = region.snapshot();
  CHECK(support::load(region.bytes(), 0) == 'E');
  CHECK(support::load(now.bytes(), 0) == 'E');
}

TEST_CASE("a debugger's write is refused at shared pages, and changes one view of a snapshot",
          "[os][handler]") {
  if (!can_write_by_force()) return;
  const Region region = filled();
  const Snapshot past = region.snapshot();
  CHECK_FALSE(write_by_force(region.data(), 'D'));
  CHECK(support::load(region.bytes(), 0) == 7);
  REQUIRE(write_by_force(past.bytes().data(), 'D'));
  CHECK(support::load(past.bytes(), 0) == 'D');  // this mapping shows it, and nothing else
  CHECK(support::load(region.bytes(), 0) == 7);
  CHECK(support::load(Region::from_snapshot(past).bytes(), 0) == 7);
  CHECK(cow::diff(past, region.snapshot()).empty());
}

TEST_CASE("an alternate signal stack in a region needs a lease", "[os][handler]") {
  const bool leased = GENERATE(false, true);
  CAPTURE(leased);
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    static volatile sig_atomic_t handled = 0;
    constexpr std::size_t bytes = std::size_t{256} << 10;
    Region region = Region::create(bytes, support::options());
    for (std::size_t at = 0; at < bytes; at += region.page_bytes()) {
      region.bytes()[at] = std::byte{1};
    }
    std::optional<cow::WriteLease> lease;
    if (leased) lease.emplace(region.write_lease(0, bytes));
    stack_t stack{};
    stack.ss_sp = region.data();
    stack.ss_size = bytes;
    if (::sigaltstack(&stack, nullptr) != 0) return "refused";
    struct sigaction action {};
    action.sa_handler = [](int) { handled = 1; };
    action.sa_flags = SA_ONSTACK;
    ::sigaction(SIGUSR1, &action, nullptr);
    const Snapshot past = region.snapshot();
    ::raise(SIGUSR1);
    stack.ss_flags = SS_DISABLE;
    ::sigaltstack(&stack, nullptr);
    return handled == 1 ? "" : "the handler did not run";
  });
  CHECK(result.complaint == "");
  CHECK((leased ? result.exited() : result.died_of(SIGSEGV)));
}

TEST_CASE("a region that MADV_DONTFORK was said of is missing in a child, the parent goes on",
          "[os]") {
  Region region = filled();
  if (support::is_emulated() || ::madvise(region.data(), region.size(), MADV_DONTFORK) != 0) {
    WARN("skipped: there is no MADV_DONTFORK here");
    return;
  }
  const auto untouched = support::run_in_child([]() -> std::string { return ""; });
  CHECK(untouched.exited());
  const bool stores = GENERATE(false, true);
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    if (stores) support::store(region, 1, 8);
    return support::load(region.bytes(), 1) == 0 ? "it shows zeros" : "it shows bytes";
  });
  // A child that watches stores anew may map it again.
  if (!support::kernel_copies()) {
    CHECK(result.complaint == "");
    CHECK(result.died_of(SIGSEGV));
  }
  support::store(region, 1, 8);
  CHECK(support::load(region.bytes(), 1) == 8);
  CHECK(support::broken_invariant(region) == "");
}
