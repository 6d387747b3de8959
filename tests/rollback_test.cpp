// Restoring a region to one snapshot again and again: pages that are stored to in every round stay
// private and are put back by copying, pages that are not go back to being shared.

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::RegionStats;
using cow::Snapshot;

// A page that rests for longer than this is shared again.
constexpr unsigned many_rounds = 200;

Region filled(std::size_t pages, std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), pattern);
  return region;
}

/// One round: stores to these pages, then goes back.
void round(Region& region, const Snapshot& start, const std::vector<std::size_t>& pages,
           unsigned value) {
  for (const std::size_t page : pages) {
    support::store(region, page, value, value * 64 % support::page_bytes());
  }
  region.restore(start);
}

void rounds(unsigned count, Region& region, const Snapshot& start,
            const std::vector<std::size_t>& pages) {
  for (unsigned i = 1; i <= count; ++i) round(region, start, pages, i);
}

}  // namespace

TEST_CASE("rolling back pages that are stored to in every round takes no fault and no system call",
          "[mm][handler]") {
  if (support::has_sanitizer) {
    WARN("skipped: a sanitizer's runtime makes system calls of its own");
    return;
  }
  if (!support::has_call_filters()) {
    WARN("skipped: seccomp is not available here");
    return;
  }
  Region region = Region::create(2000 * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes().first(1500 * support::page_bytes()), 1);  // and 500 pages of zeros
  const Snapshot start = region.snapshot();
  const std::vector<std::byte> past = support::plain_copy(region.bytes());
  const std::vector<std::size_t> pages = {0, 1, 2, 77, 511, 512, 1499, 1500, 1501, 1999};
  rounds(4, region, start, pages);
  const RegionStats before = region.stats();
  rounds(1000, region, start, pages);
  CHECK(region.stats().faults == before.faults);
  CHECK(region.stats().mappings == before.mappings);

  const auto result = support::run_in_child([&]() -> std::string {
    rounds(4, region, start, pages);  // the child's own pages
    support::CallFilter filter;
    filter.allow(SYS_write).allow(SYS_exit_group).allow(SYS_close);  // to report
    if (!filter.install_killing()) return "the filter was refused";
    for (unsigned i = 0; i < 1000; ++i) {
      round(region, start, pages, i);
      if (std::memcmp(region.data(), past.data(), past.size()) != 0) return "not the past";
    }
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());

  CHECK(support::difference(past, region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a page that a rollback loop no longer stores to goes back to being shared",
          "[mm][handler]") {
  Region region = filled(600, 1);
  const Snapshot start = region.snapshot();
  const RegionStats at_start = region.stats();
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  rounds(5, region, start, {3, 4, 5, 100, 599});
  CHECK(region.stats().pages_private == 5);
  rounds(many_rounds, region, start, {100});
  CHECK(region.stats().pages_private == 1);
  CHECK(support::broken_invariant(region) == "");
  rounds(many_rounds, region, start, {});
  const RegionStats at_end = region.stats();
  CHECK(at_end.pages_private == 0);
  CHECK(at_end.pages_shared == at_start.pages_shared);
  CHECK(at_end.mappings == at_start.mappings);  // nothing has moved
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::shows(start.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("zero pages that a rollback loop no longer stores to take no memory again",
          "[mm][handler]") {
  Region region = Region::create(600 * support::page_bytes(), support::single_page_options());
  support::store(region, 10, 1);
  const Snapshot start = region.snapshot();
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  rounds(5, region, start, {3, 4, 300, 599});
  rounds(many_rounds, region, start, {});
  CHECK(region.stats().pages_private == 0);
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(support::broken_invariant(region) == "");
  support::store(region, 3, 9);
  CHECK(support::load(region.bytes(), 3) == 9);
  CHECK(support::load(region.bytes(), 4) == 0);
}

TEST_CASE("pages that others can see in their frames are shared again after a rollback loop, too",
          "[mm]") {
  Region region = filled(40, 1);
  const Snapshot start = region.snapshot();
  const Region clone = region.clone();
  REQUIRE(support::shows(start.bytes(), 1));  // mapped
  rounds(5, region, start, {3, 4, 39});
  CHECK(region.stats().pages_private == 3);
  rounds(many_rounds, region, start, {});
  CHECK(region.stats().pages_private == 0);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::shows(clone.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("whatever happens between two rounds, a rollback loop goes back to its snapshot",
          "[mm]") {
  Region region = filled(1100, 1);
  support::fill(region.bytes().subspan(700 * support::page_bytes(), 40), 9);
  const Snapshot start = region.snapshot();
  const std::vector<std::byte> past = support::plain_copy(region.bytes());
  const std::vector<std::size_t> pages = {1, 2, 700, 1099};
  std::optional<Region> clone;
  std::optional<Snapshot> other;
  const std::vector<std::function<void()>> events = {
      [&] { support::store(region, 500, 5); },
      [&] { clone = region.clone(); },
      [&] { support::store(*clone, 1, 77); },
      [&] { clone.reset(); },
      [&] { other = region.snapshot(); },
      [&] { region.restore(*other); },
      [&] { other.reset(); },
      [&] { (void)start.bytes(); },
      [&] {
        const cow::WriteLease lease = region.write_lease(0, 2 * support::page_bytes());
        support::store(region, 0, 3);
        region.restore(start);
      },
      [&] { (void)region.clone(cow::CloneMode::eager); },
      [&] { (void)Region::from_snapshot(start); },
      [&] {
        const auto result = support::run_in_child([&]() -> std::string {
          rounds(5, region, start, pages);
          return support::difference(past, region.bytes());
        });
        CHECK(result.complaint == "");
      },
      [&] { region = Region(std::move(region)); },
  };
  for (std::size_t i = 0; i < 3 * events.size(); ++i) {
    CAPTURE(i);
    rounds(3, region, start, pages);
    for (const std::size_t page : pages) support::store(region, page, 0xee);
    events[i % events.size()]();
    region.restore(start);
    REQUIRE(support::difference(past, region.bytes()) == "");
    REQUIRE(support::broken_invariant(region) == "");
  }
  CHECK(support::difference(past, start.bytes()) == "");
}

TEST_CASE("what the kernel wrote into hot pages is rolled back", "[mm]") {
  Region region = filled(20, 1);
  const Snapshot start = region.snapshot();
  rounds(5, region, start, {4, 5});
  const int zeros = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  REQUIRE(zeros >= 0);
  const std::size_t bytes = 2 * support::page_bytes();
  CHECK(::read(zeros, region.data() + 4 * support::page_bytes(), bytes) ==
        static_cast<ssize_t>(bytes));
  ::close(zeros);
  CHECK_FALSE(support::shows(region.bytes(), 1));
  region.restore(start);
  CHECK(support::shows(region.bytes(), 1));
}

TEST_CASE("two regions rolled back to one snapshot do not disturb each other", "[mm]") {
  Region a = filled(100, 1);
  const Snapshot start = a.snapshot();
  Region b = Region::from_snapshot(start);
  for (unsigned i = 0; i < many_rounds; ++i) {
    support::store(a, 7, i, i % 64);
    support::store(b, 7, i + 1, i % 61);
    support::store(b, i % 100, i);
    (i % 2 == 0 ? a : b).restore(start);
    (i % 2 == 0 ? b : a).restore(start);
    REQUIRE(support::shows(a.bytes(), 1));
    REQUIRE(support::shows(b.bytes(), 1));
  }
  CHECK(support::broken_invariant(a) == "");
  CHECK(support::broken_invariant(b) == "");
}

TEST_CASE("pages of a user's file come to rest, and the frames are counted right", "[mm]") {
  const support::Folder folder;
  const auto path = folder / "image";
  support::write_file(path, std::vector<std::byte>(3 * support::page_bytes()));
  Region region = Region::open(path, support::single_page_options());
  const Snapshot start = region.snapshot();
  rounds(3, region, start, {0, 1});
  rounds(many_rounds, region, start, {});
  CHECK(support::all_zero(region.bytes()));
  CHECK(support::broken_invariant(region) == "");
}
