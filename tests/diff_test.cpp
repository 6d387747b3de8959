// diff: exactly the pages that were stored to, found without comparing bytes.

#include "catch.hpp"
#include "support.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

using cow::PageRange;
using cow::Region;
using cow::Snapshot;
using support::filled;

namespace {

using Ranges = std::vector<PageRange>;
using Pages = std::set<std::size_t>;

Pages pages_of(const Ranges& ranges) {
  Pages pages;
  for (const PageRange& range : ranges) {
    for (std::size_t i = 0; i < range.page_count; ++i) pages.insert(range.first_page + i);
  }
  return pages;
}

/// Pages whose bytes are not alike.
Pages changed_pages(const Snapshot& from, const Snapshot& to) {
  Pages pages;
  const std::size_t page = from.page_bytes();
  for (std::size_t at = 0; at < from.size(); at += page) {
    const std::size_t length = std::min(page, from.size() - at);
    if (!support::same_bytes(from.bytes().subspan(at, length), to.bytes().subspan(at, length))) {
      pages.insert(at / page);
    }
  }
  return pages;
}

constexpr std::size_t none = SIZE_MAX;

/// The first page of `some` that is not one of `all`.
std::size_t first_without(const Pages& all, const Pages& some) {
  for (const std::size_t page : some) {
    if (all.count(page) == 0) return page;
  }
  return none;
}

bool includes(const Pages& all, const Pages& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

/// Ascending, no empty range, neighbours joined, nothing past the end.
bool well_formed(const Ranges& ranges, std::size_t pages) {
  std::size_t next_allowed = 0;
  for (const PageRange& range : ranges) {
    if (range.page_count == 0 || range.first_page < next_allowed) return false;
    if (range.first_page + range.page_count > pages) return false;
    next_allowed = range.first_page + range.page_count + 1;
  }
  return true;
}

}  // namespace

TEST_CASE("two snapshots with no store between them do not differ", "[mm]") {
  Region region = filled(1200, 1, support::options());
  const Snapshot first = region.snapshot();
  const Snapshot second = region.snapshot();
  const Snapshot copy = first;
  CHECK(cow::diff(first, second).empty());
  CHECK(cow::diff(first, first).empty());
  CHECK(cow::diff(first, copy).empty());
  CHECK(cow::diff(first, region.clone().snapshot()).empty());
  CHECK(cow::diff(first, Region::from_snapshot(first).snapshot()).empty());
}

TEST_CASE("diff names exactly the pages that were stored to, neighbours joined", "[mm]") {
  Region region = filled(1300, 1, support::options());
  const Snapshot before = region.snapshot();
  for (const std::size_t page : {0u, 5u, 6u, 7u, 9u, 511u, 512u, 1298u, 1299u}) {
    support::flip(region, page, 33);
  }
  const Snapshot after = region.snapshot();
  const Ranges expected{{0, 1}, {5, 3}, {9, 1}, {511, 2}, {1298, 2}};
  CHECK(cow::diff(before, after) == expected);
  CHECK(cow::diff(after, before) == expected);
}

TEST_CASE("diff of a region overwritten from end to end is one range", "[mm]") {
  Region region = filled(1300, 1, support::options());
  const Snapshot before = region.snapshot();
  support::fill(region.bytes(), 2);
  CHECK(cow::diff(before, region.snapshot()) == Ranges{{0, 1300}});
}

TEST_CASE("diff sees the first stores to a region that was all zeros", "[mm]") {
  Region region = Region::create(600 * support::page_bytes() + 1, support::options());
  const Snapshot empty = region.snapshot();
  CHECK(cow::diff(empty, region.snapshot()).empty());
  support::store(region, 0, 1);
  support::store(region, 300, 1);
  support::store(region, 600, 1);
  CHECK(cow::diff(empty, region.snapshot()) == Ranges{{0, 1}, {300, 1}, {600, 1}});
}

TEST_CASE("pages that a window took along without a store are not part of a diff", "[mm]") {
  Region region = filled(400, 1, support::options());
  const Snapshot before = region.snapshot();
  // Rewriting 100 pages in order makes windows grow past the end of the run.
  support::fill(region.bytes().subspan(0, 101 * support::page_bytes()), 2);
  const Snapshot after = region.snapshot();
  CHECK(cow::diff(before, after) == Ranges{{0, 101}});
  CHECK(support::shows(after.bytes().subspan(0, 101 * support::page_bytes()), 2));

  // Backwards, and from zero pages.
  Region fresh = Region::create(400 * support::page_bytes(), support::options());
  const Snapshot zeros = fresh.snapshot();
  for (std::size_t page = 300; page > 199; --page) support::store(fresh, page, 1);
  CHECK(cow::diff(zeros, fresh.snapshot()) == Ranges{{200, 101}});
}

TEST_CASE("a page a window took along counts from the store that changes it later on", "[mm]") {
  Region region = filled(400, 1, support::options());
  const Snapshot first = region.snapshot();
  for (std::size_t page = 0; page < 70; ++page) support::flip(region, page, page % 50);
  const Snapshot second = region.snapshot();
  for (std::size_t page = 60; page < 130; ++page) support::flip(region, page, 50 + page % 50);
  const Snapshot third = region.snapshot();
  CHECK(cow::diff(first, second) == Ranges{{0, 70}});
  CHECK(cow::diff(second, third) == Ranges{{60, 70}});
  CHECK(cow::diff(first, third) == Ranges{{0, 130}});
}

TEST_CASE("a store of what is there already is a store: frames are compared, not bytes", "[mm]") {
  Region region = Region::create(100 * support::page_bytes(), support::single_page_options());
  const Snapshot start = region.snapshot();
  support::flip(region, 10);
  support::flip(region, 20);
  const Snapshot before = region.snapshot();
  // What is stored to round after round a snapshot copies, and then compares.
  for (int rounds = 0; rounds < 50; ++rounds) (void)region.snapshot();
  support::store(region, 10, support::load(region.bytes(), 10));
  const Snapshot after = region.snapshot();
  CHECK(support::same_bytes(before.bytes(), after.bytes()));
  CHECK(cow::diff(before, after) == Ranges{{10, 1}});
  CHECK(cow::diff(start, after) == Ranges{{10, 1}, {20, 1}});
}

TEST_CASE("diff compares any two members of a family", "[mm]") {
  Region original = filled(100, 1, support::options());
  const Snapshot start = original.snapshot();
  Region left = original.clone();
  Region right = original.clone();
  support::flip(left, 10);
  support::flip(left, 20);
  support::flip(right, 20);
  support::flip(right, 30);
  const Snapshot of_left = left.snapshot();
  const Snapshot of_right = right.snapshot();
  CHECK(cow::diff(start, of_left) == Ranges{{10, 1}, {20, 1}});
  CHECK(cow::diff(start, of_right) == Ranges{{20, 1}, {30, 1}});
  CHECK(cow::diff(of_left, of_right) == Ranges{{10, 1}, {20, 1}, {30, 1}});
  CHECK(cow::diff(of_right, of_left) == Ranges{{10, 1}, {20, 1}, {30, 1}});
}

TEST_CASE("diff after a restore names no page that was never stored to", "[mm]") {
  Region region = filled(100, 1, support::options());
  const Snapshot start = region.snapshot();
  Pages ever_stored{3};
  for (std::size_t round = 0; round < 10; ++round) {
    ever_stored.insert(50 + round);
    support::flip(region, 3, 1);
    support::flip(region, 50 + round, 1);
    const Pages stored = pages_of(cow::diff(start, region.snapshot()));
    CHECK(includes(stored, {3, 50 + round}));
    CHECK(includes(ever_stored, stored));
    region.restore(start);
    const Snapshot restored = region.snapshot();
    CHECK(changed_pages(start, restored).empty());
    CHECK(includes(ever_stored, pages_of(cow::diff(start, restored))));
  }
}

TEST_CASE("snapshots of regions that are gone can still be compared", "[mm]") {
  Snapshot first = Region::create(1, support::options()).snapshot();
  Snapshot second = first;
  {
    Region region = filled(20, 1, support::options());
    first = region.snapshot();
    support::flip(region, 4);
    second = region.snapshot();
  }
  CHECK(cow::diff(first, second) == Ranges{{4, 1}});
}

TEST_CASE("diff holds every changed page, and of the unchanged ones only those stored to", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  for (std::size_t round = 0; round < support::scaled(40); ++round) {
    const bool windows = !random.one_in(2);
    CAPTURE(round, windows);
    const std::size_t pages = random.between(1, 700);
    Region region = Region::create(pages * support::page_bytes(),
                                   windows ? support::options() : support::single_page_options());
    if (!random.one_in(4)) support::fill(region.bytes(), random.word());
    const bool always_new = random.one_in(2);  // or stores may bring what is there already
    std::uint64_t value = 0;
    std::vector<Snapshot> history{region.snapshot()};
    std::vector<Pages> stored{Pages{}};  // stored[i]: between history[i-1] and history[i]
    for (int step = 0; step < 6; ++step) {
      Pages touched;
      for (std::size_t i = random.below(20); i > 0; --i) {
        const std::size_t first = random.below(pages);
        const std::size_t run = random.one_in(4) ? random.between(1, pages - first) : 1;
        for (std::size_t page = first; page < first + std::min<std::size_t>(run, 90); ++page) {
          value = always_new ? value + 1 : random.below(3);
          std::memcpy(&support::word_at(region, page), &value, sizeof(value));
          touched.insert(page);
        }
      }
      history.push_back(region.snapshot());
      stored.push_back(touched);
    }
    for (std::size_t from = 0; from < history.size(); ++from) {
      Pages touched;
      for (std::size_t to = from; to < history.size(); ++to) {
        if (to > from) touched.insert(stored[to].begin(), stored[to].end());
        const Ranges ranges = cow::diff(history[from], history[to]);
        const Pages found = pages_of(ranges);
        REQUIRE(well_formed(ranges, pages));
        CAPTURE(from, to);
        REQUIRE(first_without(found, changed_pages(history[from], history[to])) == none);
        REQUIRE(first_without(touched, found) == none);
        if (always_new) REQUIRE(first_without(found, touched) == none);
        REQUIRE(cow::diff(history[to], history[from]) == ranges);
      }
    }
  }
}

TEST_CASE("an eager clone that nobody stored to does not differ from its original", "[mm]") {
  Region region = Region::create(100 * support::page_bytes(), support::options());
  for (std::size_t page = 0; page < 100; page += 3) support::store(region, page, 4);
  const Region copy = region.clone(cow::CloneMode::eager);
  CHECK(cow::diff(region.snapshot(), copy.snapshot()).empty());
}
