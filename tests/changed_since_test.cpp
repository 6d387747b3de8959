// Region::changed_since: what diff would say of a snapshot taken now, which is not taken.

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "mm/space/address_space.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::PageRange;
using cow::Region;
using cow::Snapshot;

namespace {

using Ranges = std::vector<PageRange>;

Region filled(std::size_t pages, std::uint64_t pattern) {
  return support::filled(pages, pattern, support::single_page_options());
}

bool names(const Ranges& ranges, std::size_t page) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const PageRange& range) {
    return range.first_page <= page && page < range.first_page + range.page_count;
  });
}

}  // namespace

TEST_CASE("what was stored to since a snapshot is listed, and nothing else", "[mm]") {
  Region region = filled(1200, 1);
  const Snapshot snapshot = region.snapshot();
  CHECK(region.changed_since(snapshot) == Ranges{});
  for (const std::size_t page : {0u, 3u, 4u, 511u, 512u, 1100u}) support::flip(region, page);
  const Ranges expected{{0, 1}, {3, 2}, {511, 2}, {1100, 1}};
  CHECK(region.changed_since(snapshot) == expected);
  CHECK(cow::diff(snapshot, region.snapshot()) == expected);
  CHECK(region.changed_since(snapshot) == expected);
  CHECK(region.changed_since(region.snapshot()) == Ranges{});
}

TEST_CASE("to ask what has changed takes no frame, protects nothing and makes no store fault",
          "[mm]") {
  Region region = filled(700, 1);
  const Snapshot snapshot = region.snapshot();
  for (std::size_t page = 0; page < 20; ++page) support::flip(region, 30 * page);
  const cow::ProcessStats before = cow::process_stats();
  const cow::RegionStats region_before = region.stats();
  const std::uint64_t protections = cow::protections();
  for (int i = 0; i < 3; ++i) CHECK(region.changed_since(snapshot).size() == 20);
  CHECK(cow::protections() == protections);
  for (std::size_t page = 0; page < 20; ++page) support::flip(region, 30 * page);
  const cow::ProcessStats after = cow::process_stats();
  CHECK(after.faults == before.faults);
  CHECK(after.bytes_in_use == before.bytes_in_use);
  CHECK(after.mappings_in_use == before.mappings_in_use);
  CHECK(after.bytes_metadata == before.bytes_metadata);
  CHECK(region.stats().pages_writable == region_before.pages_writable);
}

TEST_CASE("to ask what has changed makes no system call that maps, protects or writes", "[mm]") {
  if (support::has_sanitizer || !support::has_call_filters()) {
    WARN("skipped: a sanitizer's own calls would be counted, and some systems allow no filter");
    return;
  }
  const auto result = support::run_in_child([&]() -> std::string {
    Region own = filled(700, 1);
    const Snapshot past = own.snapshot();
    for (std::size_t page = 0; page < 20; ++page) support::flip(own, 30 * page);
    (void)own.changed_since(past);  // the heap has what the call takes of it
    support::CallFilter filter;
    for (const long call : {SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise,
                            SYS_pwrite64, SYS_pwritev, SYS_fallocate}) {
      filter.refuse(call, {}, ENOSYS);
    }
    if (!filter.install_allowing()) return "no filter can be installed here";
    return own.changed_since(past).size() == 20 ? "" : "not what has changed";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("pages that only a window opened are not listed, and a store of zeros is none", "[mm]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(1100 * page, support::options());
  const Snapshot empty = region.snapshot();
  support::store(region, 5, 1);
  support::store(region, 600, 1);
  (void)support::load(region.bytes(), 9);
  const std::size_t before = cow::process_stats().bytes_in_use;
  CHECK(region.changed_since(empty) == Ranges{{5, 1}, {600, 1}});
  CHECK(cow::process_stats().bytes_in_use == before);
}

TEST_CASE("after restore and discard the bytes that differ are listed", "[mm]") {
  Region region = filled(64, 1);
  const Snapshot first = region.snapshot();
  support::flip(region, 3);
  const Snapshot second = region.snapshot();
  region.restore(first);
  CHECK(region.changed_since(first) == Ranges{});
  CHECK(region.changed_since(second) == Ranges{{3, 1}});
  region.discard(10 * region.page_bytes(), 2 * region.page_bytes());
  CHECK(region.changed_since(first) == Ranges{{10, 2}});
}

TEST_CASE("what the kernel writes under a lease is listed", "[mm]") {
  const support::Folder folder;
  Region region = filled(64, 1);
  const Snapshot snapshot = region.snapshot();
  const std::vector<std::byte> content(100, std::byte{0x5a});
  support::write_file(folder / "file", content);
  const cow::WriteLease lease =
      region.write_lease(7 * region.page_bytes(), 4 * region.page_bytes());
  CHECK(region.changed_since(snapshot) == Ranges{});
  const int file = ::open((folder / "file").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  CHECK(::pread(file, lease.data() + 2 * region.page_bytes(), 100, 0) == 100);
  ::close(file);
  CHECK(region.changed_since(snapshot) == Ranges{{9, 1}});
}

TEST_CASE("a leased page that holds a snapshot's bytes again is not listed", "[mm]") {
  Region region = filled(64, 1);
  const Snapshot first = region.snapshot();
  const cow::WriteLease lease = region.write_lease(7 * region.page_bytes(), region.page_bytes());
  *lease.data() ^= std::byte{1};
  const Snapshot second = region.snapshot();
  CHECK(region.changed_since(first) == Ranges{{7, 1}});
  *lease.data() ^= std::byte{1};
  CHECK(region.changed_since(first) == Ranges{});
  CHECK(region.changed_since(second) == Ranges{{7, 1}});
}

TEST_CASE("a clone says what has changed since its parent's snapshot", "[mm]") {
  Region region = filled(64, 1);
  const Snapshot snapshot = region.snapshot();
  Region clone = region.clone();
  support::flip(clone, 4);
  CHECK(clone.changed_since(snapshot) == Ranges{{4, 1}});
  CHECK(region.changed_since(snapshot) == Ranges{});
  const Region other = filled(64, 1);
  const std::string words =
      support::words_of<std::invalid_argument>([&] { (void)other.changed_since(snapshot); });
  CHECK(words.find("Region::changed_since") != std::string::npos);
}

TEST_CASE("what was stored before the call is listed while threads store", "[mm]") {
  Region region = filled(600, 0);
  const Snapshot snapshot = region.snapshot();
  std::atomic<std::size_t> stored{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::size_t page = 0; page < 600 && !stop; ++page) {
      std::atomic_ref<std::uint64_t>(support::word_at(region, page))
          .store(page + 12345, support::release_order);
      stored.store(page + 1);
    }
  });
  std::string complaint;
  while (stored < 600 && complaint.empty()) {
    const std::size_t before = stored;
    const Ranges ranges = region.changed_since(snapshot);
    for (std::size_t page = 0; page < before; ++page) {
      if (!names(ranges, page)) complaint = "page " + std::to_string(page) + " is missing";
    }
    if (names(ranges, 599) && stored < 599) complaint = "a page was listed before its store";
  }
  stop = true;
  writer.join();
  CHECK(complaint == "");
  CHECK(region.changed_since(snapshot) == Ranges{{0, 600}});
}

TEST_CASE("a rollback loop that asks what has changed has the faults it has without", "[mm]") {
  const auto faults_of_loop = [](bool asks) {
    Region region = filled(64, 1);
    const Snapshot snapshot = region.snapshot();
    const std::uint64_t before = cow::process_stats().faults;
    for (std::size_t round = 0; round < 50; ++round) {
      support::flip(region, 3);
      support::flip(region, 4 + round % 60);
      if (asks && region.changed_since(snapshot).empty()) return std::uint64_t{0} - 1;
      region.restore(snapshot);
    }
    return cow::process_stats().faults - before;
  };
  CHECK(faults_of_loop(true) == faults_of_loop(false));
}
