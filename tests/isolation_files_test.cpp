// Isolation by what the kernel enforces: frame files that are sealed and cannot be executed, views
// of snapshots that cannot be written through, and guard pages.

#include "catch.hpp"
#include "process_view.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "os/mapping.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 40;

// Newer than some of the headers that this has to compile with.
constexpr int seal_exec = 0x20;
constexpr unsigned no_exec_seal = 0x8;

Region filled(std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), pattern);
  return region;
}

bool kernel_knows_no_exec() {
  const int file =
      static_cast<int>(::syscall(SYS_memfd_create, "probe", MFD_CLOEXEC | no_exec_seal));
  if (file >= 0) ::close(file);
  return file >= 0;
}

/// Stores to what only allows loads, by force: a program that was given a view and is hostile, or
/// has a bug. Each returns whether the byte is there afterwards.
using Force = bool (*)(const std::byte*, std::byte);

bool unprotect_and_store(const std::byte* target, std::byte value) {
  const auto host_page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto* const page =
      reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(target) & ~(host_page - 1));
  if (::mprotect(page, host_page, PROT_READ | PROT_WRITE) != 0) return false;
  *const_cast<volatile std::byte*>(target) = value;
  return *const_cast<const volatile std::byte*>(target) == value;
}

bool store_through_proc(const std::byte* target, std::byte value) {
  const int memory = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  if (memory < 0) return false;
  const auto count =
      ::pwrite(memory, &value, 1, static_cast<off_t>(reinterpret_cast<std::uintptr_t>(target)));
  ::close(memory);
  return count == 1;
}

const std::vector<std::pair<std::string, Force>>& forces() {
  static const std::vector<std::pair<std::string, Force>> all{
      {"mprotect", &unprotect_and_store}, {"/proc/self/mem", &store_through_proc}};
  return all;
}

/// Whether a child that touches this byte dies of it.
bool is_forbidden(const std::byte* target, bool by_store) {
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    if (by_store) {
      *const_cast<volatile std::byte*>(target) = std::byte{1};
    } else {
      (void)*const_cast<const volatile std::byte*>(target);
    }
    return "";
  });
  return result.died_of(SIGSEGV);
}

/// What may come to lie right beside a range: a writable line of /proc/self/maps that is there, or
/// one that the kernel would put there for whoever asks. Empty if nothing can.
std::string writable_neighbour(const std::byte* begin, std::size_t length) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  for (const process_view::Line& line : process_view::lines()) {
    if (!line.writable()) continue;
    if (line.end == first) return "before it: " + line.name;
    if (line.begin == first + length) return "behind it: " + line.name;
  }
  const auto host_page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto is_free = [&](std::uintptr_t address) {
    void* const wanted = reinterpret_cast<void*>(address);
    void* const got =
        ::mmap(wanted, host_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::munmap(got, host_page);
    return got == wanted;
  };
  if (is_free(first - host_page)) return "room for one before it";
  if (is_free(first + length)) return "room for one behind it";
  return "";
}

}  // namespace

TEST_CASE("frame files are sealed, close on exec, and cannot change their size", "[os]") {
  const Region region = filled(1);
  const Region other = filled(2);
  const std::vector<int> files = process_view::frame_files();
  REQUIRE(files.size() >= 2);
  for (const int file : files) {
    const int seals = ::fcntl(file, F_GET_SEALS);
    REQUIRE(seals >= 0);
    CHECK((seals & F_SEAL_SHRINK) != 0);
    CHECK((seals & F_SEAL_GROW) != 0);
    CHECK((seals & F_SEAL_SEAL) != 0);
    CHECK(::fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) == -1);
    CHECK((::fcntl(file, F_GETFD) & FD_CLOEXEC) != 0);
    struct stat status {};
    REQUIRE(::fstat(file, &status) == 0);
    for (const off_t size : {off_t{0}, status.st_size - 1, status.st_size + 1}) {
      errno = 0;
      CHECK(::ftruncate(file, size) == -1);
      CHECK(errno == EPERM);
    }
  }
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::shows(other.bytes(), 2));
}

TEST_CASE("a frame file cannot be executed, nor can it be made executable", "[os]") {
  Region region = filled(1);
  const char program[] = "#!/bin/true\n";
  std::memcpy(region.data(), program, sizeof(program));
  const bool sealed = kernel_knows_no_exec();
  if (!sealed) WARN("skipped in part: this kernel cannot seal a file against execution");
  for (const int file : process_view::frame_files()) {
    struct stat status {};
    REQUIRE(::fstat(file, &status) == 0);
    CHECK((status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0);
    if (sealed) {
      CHECK((::fcntl(file, F_GET_SEALS) & seal_exec) != 0);
      CHECK(::fchmod(file, status.st_mode | S_IXUSR) == -1);
    }
    const std::string path = process_view::path_of(file);
    const auto result = support::run_in_child([&]() -> std::string {
      ::execl(path.c_str(), path.c_str(), static_cast<char*>(nullptr));
      return errno == EACCES ? "" : "exec failed with errno " + std::to_string(errno);
    });
    CHECK(result.complaint == "");
  }
}

TEST_CASE("no page that shows frames is executable", "[os]") {
  Region region = filled(1);
  const Snapshot snapshot = region.snapshot();
  (void)snapshot.bytes();
  for (std::size_t page = 0; page < pages; page += 3) support::store(region, page, 1);
  const Region clone = region.clone();
  const Region zeros = Region::create(pages * support::page_bytes(), support::options());
  std::size_t frames = 0;
  for (const process_view::Line& line : process_view::lines()) {
    if (!line.shows_frames()) continue;
    ++frames;
    CHECK_FALSE(line.executable());
  }
  CHECK(frames >= 3);
  for (const auto& line : process_view::lines_of(zeros.data(), zeros.size())) {
    CHECK_FALSE(line.executable());
  }
}

TEST_CASE("a child that stores by force to a view of a snapshot does not reach its parent",
          "[os]") {
  Region region = filled(1);
  const Snapshot snapshot = region.snapshot();
  support::fill(region.bytes().first(region.size() / 2), 2);
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  const std::span<const std::byte> view = snapshot.bytes();
  for (const auto& [name, force] : forces()) {
    CAPTURE(name);
    const auto result = support::run_in_child([&, by_force = force]() -> std::string {
      for (std::size_t page = 0; page < pages; ++page) {
        (void)by_force(view.data() + page * support::page_bytes() + 5, std::byte{0xab});
      }
      // The same for a view that is made in the child.
      const Snapshot own = region.snapshot();
      for (std::size_t page = 0; page < pages; ++page) {
        (void)by_force(own.bytes().data() + page * support::page_bytes() + 6, std::byte{0xcd});
      }
      return support::difference(plain, region.bytes());  // nor does it reach the child's region
    });
    CHECK(result.complaint == "");
    CHECK(support::shows(snapshot.bytes(), 1));
    CHECK(support::shows(Region::from_snapshot(snapshot).bytes(), 1));
    CHECK(support::difference(plain, region.bytes()) == "");
  }
}

TEST_CASE("a store by force to a view changes the snapshot for nobody else", "[os]") {
  Region region = filled(1);
  const Snapshot snapshot = region.snapshot();
  support::store(region, 3, 0xff);
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  const std::byte* const view = snapshot.bytes().data();
  std::size_t offset = 5;
  for (const auto& [name, force] : forces()) {
    CAPTURE(name);
    for (std::size_t page = 0; page < pages; ++page) {
      (void)force(view + page * support::page_bytes() + offset, std::byte{0xab});
    }
    ++offset;
    CHECK(support::difference(plain, region.bytes()) == "");
    CHECK(support::shows(Region::from_snapshot(snapshot).bytes(), 1));
    // A snapshot of the same moment that was made from it shows the right bytes, too.
    Region past = Region::from_snapshot(snapshot);
    const Snapshot again = past.snapshot();
    CHECK(support::shows(again.bytes(), 1));
    CHECK(cow::diff(snapshot, again).empty());
    CHECK(cow::diff(snapshot, region.snapshot()) == std::vector<cow::PageRange>{{3, 1}});
    past.restore(snapshot);
    CHECK(support::shows(past.bytes(), 1));
    Region back = region.clone();
    back.restore(snapshot);
    CHECK(support::shows(back.bytes(), 1));
    // Nor does a store to the region pick the forged bytes up when the snapshot's go elsewhere.
    for (std::size_t page = 0; page < pages; ++page) support::flip(back, page);
    CHECK(support::shows(Region::from_snapshot(snapshot).bytes(), 1));
  }
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE(
    "a store by force is possible to a plain private page, so that the tests above say something",
    "[os]") {
  const std::size_t bytes = std::size_t{1} << 16;
  void* const page = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  CHECK(unprotect_and_store(static_cast<std::byte*>(page) + 7, std::byte{9}));
  if (!store_through_proc(static_cast<std::byte*>(page) + 8, std::byte{9})) {
    WARN("/proc/self/mem cannot be written to here");
  }
  ::munmap(page, bytes);
}

TEST_CASE("the bytes before and behind a region and a view are out of bounds", "[os]") {
  for (const std::size_t granule : {std::size_t{0}, std::size_t{1} << 16, std::size_t{1} << 21}) {
    CAPTURE(granule);
    cow::RegionOptions options;
    options.granule_bytes = granule;
    Region region = Region::create(3 * std::max(granule, support::page_bytes()) - 5, options);
    const std::size_t page = region.page_bytes();
    const std::size_t whole = (region.size() + page - 1) / page * page;
    region.bytes().back() = std::byte{1};
    const Snapshot snapshot = region.snapshot();
    for (const std::byte* begin : {std::as_const(region).data(), snapshot.bytes().data()}) {
      CHECK(is_forbidden(begin + whole, true));
      CHECK(is_forbidden(begin + whole, false));
      CHECK(is_forbidden(begin - 1, true));
      CHECK(is_forbidden(begin - 1, false));
    }
    // Up to the end of the last page there are bytes, as behind a file that is mapped.
    CHECK_FALSE(is_forbidden(std::as_const(region).data() + whole - 1, false));
  }
}

TEST_CASE("nothing writable can lie right beside a region, a view or page tables", "[os]") {
  const std::size_t host_page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (const std::size_t granule : {std::size_t{0}, std::size_t{1} << 16, std::size_t{1} << 21}) {
    CAPTURE(granule);
    cow::RegionOptions options;
    options.granule_bytes = granule;
    std::vector<Region> regions;
    std::vector<Snapshot> snapshots;
    for (std::uint64_t i = 0; i < 4; ++i) {
      regions.push_back(Region::create(3 * std::max(granule, host_page), options));
      regions.back().bytes()[i] = std::byte{1};
      snapshots.push_back(regions.back().snapshot());
      (void)snapshots.back().bytes();
    }
    for (const Region& region : regions) {
      CHECK(writable_neighbour(region.data(), region.size()) == "");
    }
    for (const Snapshot& snapshot : snapshots) {
      CHECK(writable_neighbour(snapshot.bytes().data(), snapshot.size()) == "");
    }
  }
  for (const std::size_t metadata_bytes : {host_page, 5 * host_page}) {
    std::byte* const tables = cow::os::map_metadata(metadata_bytes);
    REQUIRE(tables != nullptr);
    CHECK(writable_neighbour(tables, metadata_bytes) == "");
    CHECK(is_forbidden(tables - 1, true));
    CHECK(is_forbidden(tables + metadata_bytes, true));
    cow::os::unmap_metadata(tables, metadata_bytes);
  }
}
