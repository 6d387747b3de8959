// What the rounds of a rollback loop cost, counted: faults, and pages that were copied or compared.
// It is bounded by what each round stores, however long the loop runs.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::RegionStats;
using cow::Snapshot;

using Pages = std::vector<std::size_t>;

constexpr std::size_t few_pages = 8192;

/// What rounds have cost since the last look.
struct Cost {
  std::uint64_t stored = 0;  ///< pages, counted once for each round
  std::uint64_t faults = 0;
  std::uint64_t pages = 0;  ///< copied by faults, compared or copied back by restore()
};

/// A region that returns to one snapshot, with windows on, as a program would have it.
class Loop {
 public:
  explicit Loop(std::size_t pages)
      : region_(Region::create(pages * support::page_bytes(), support::options())) {
    support::fill(region_.bytes(), 1);
    start_ = region_.snapshot();
    before_ = region_.stats();
    at_start_ = before_;
  }

  void round(Pages pages) {
    std::sort(pages.begin(), pages.end());
    pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
    for (const std::size_t page : pages) support::flip(region_, page);
    region_.restore(*start_);
    stored_ += pages.size();
  }

  Cost cost() {
    const RegionStats now = region_.stats();
    const auto work = [](const RegionStats& stats) {
      return stats.pages_copied + stats.pages_compared + stats.pages_restored;
    };
    const Cost cost{stored_, now.faults - before_.faults, work(now) - work(before_)};
    before_ = now;
    stored_ = 0;
    return cost;
  }

  /// The region shows its past, and it and the snapshot are as easy to map as they were. `left` is
  /// how many pages may still be hot.
  void check_end(std::size_t left) {
    CHECK(support::shows(region_.bytes(), 1));
    CHECK(support::broken_invariant(region_) == "");
    const RegionStats at_end = region_.stats();
    CHECK(at_end.pages_private <= left);
    CHECK(at_end.mappings <= at_start_.mappings + 2 * left);
    const Region past = Region::from_snapshot(*start_);
    CHECK(past.stats().mappings <= at_start_.mappings + 2 * left);
    CHECK(support::shows(past.bytes(), 1));
  }

  [[nodiscard]] Region& region() { return region_; }
  [[nodiscard]] const Snapshot& start() const { return *start_; }

 private:
  Region region_;
  std::optional<Snapshot> start_;
  RegionStats before_;
  RegionStats at_start_;
  std::uint64_t stored_ = 0;
};

/// `n`, scaled, but so many that ten of them make it known to be a loop, and others follow.
std::size_t rounds_of(std::size_t n) { return std::max<std::size_t>(20, support::scaled(n)); }

Pages random_pages(support::Random& random, std::size_t count, std::size_t of) {
  Pages pages(count);
  for (std::size_t& page : pages) page = random.below(of);
  return pages;
}

Pages run_of(std::size_t first, std::size_t count) {
  Pages pages(count);
  for (std::size_t i = 0; i < count; ++i) pages[i] = first + i;
  return pages;
}

/// The pages of `stored` that are hot by chance, or were taken along by a window: one in a hundred,
/// each compared and copied for nothing. A short loop may have a few more than its share.
std::uint64_t by_chance(std::uint64_t stored) { return stored / 50 + 64; }

/// A window may take a block of 64 pages along where many random pages meet in one: copied, and put
/// back. One loop in a hundred has one such block; four are room enough for any.
constexpr std::uint64_t blocks_by_chance = std::uint64_t{4} * 2 * 64;

/// The k-th multiple of `part` pages, in an order in which none comes again soon.
std::size_t next_part(std::size_t k, std::size_t part) {
  return k * 37 % (few_pages / part - 1) * part;
}

}  // namespace

TEST_CASE("rounds that store to other pages each time cost a fault and two pages for each",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const std::size_t count = GENERATE(as<std::size_t>{}, 16, 64, 256, 4096);
  CAPTURE(count);
  // 256 MiB, or less where pages are larger.
  const std::size_t of =
      std::min<std::size_t>(65536, (std::size_t{256} << 20) / support::page_bytes());
  if (count > of / 16) return;  // half of them would be stored to in every other round
  Loop loop(of);
  const std::size_t rounds = rounds_of(count < 1000 ? 3000 : 300);
  for (std::size_t i = 0; i < rounds; ++i) {
    loop.round(random_pages(random, count, of));
    if (i < 10) static_cast<void>(loop.cost());  // until it is known to be a loop
  }
  const Cost cost = loop.cost();
  CAPTURE(cost.stored, cost.faults, cost.pages);
  CHECK(cost.faults <= cost.stored);
  CHECK(cost.pages <= 2 * cost.stored + by_chance(cost.stored) + blocks_by_chance);
  loop.check_end(count / 8);
}

TEST_CASE("in rounds of which most pages are the same ones, only the others fault",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  constexpr std::size_t same_count = 230;
  constexpr std::size_t other_count = 26;
  Loop loop(few_pages);
  Pages same;
  for (std::size_t i = 0; i < same_count; ++i) same.push_back(next_part(i, 8));
  const auto rounds = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Pages pages = random_pages(random, other_count, few_pages);
      pages.insert(pages.end(), same.begin(), same.end());
      loop.round(pages);
    }
  };
  rounds(10);
  static_cast<void>(loop.cost());
  const std::size_t count = rounds_of(2000);
  rounds(count);
  const Cost cost = loop.cost();
  CAPTURE(cost.stored, cost.faults, cost.pages);
  CHECK(cost.faults <= count * other_count);
  CHECK(cost.pages <= 2 * cost.stored + by_chance(cost.stored));
  loop.check_end(same_count + other_count);
}

TEST_CASE("a block that is stored to at another place in every round is taken by a few faults",
          "[mm][handler]") {
  Loop loop(few_pages);
  constexpr std::size_t block = 64;
  const std::size_t count = rounds_of(3000);
  for (std::size_t i = 0; i < count; ++i) {
    loop.round(run_of(next_part(i, block), block));
    if (i < 10) static_cast<void>(loop.cost());
  }
  const Cost cost = loop.cost();
  CAPTURE(cost.stored, cost.faults, cost.pages);
  // Windows of 1, 1, 2, 4, 8, 16 and 32 pages, or up to as many as 256 KiB.
  CHECK(cost.faults <= cost.stored / block * (7 + block / support::longest_window()));
  CHECK(cost.pages <= 2 * cost.stored);
  loop.check_end(0);
}

TEST_CASE("a run that is stored to at another place in every round takes no more along in vain",
          "[mm][handler]") {
  Loop loop(few_pages);
  constexpr std::size_t length = 300;
  const std::size_t count = rounds_of(1000);
  for (std::size_t i = 0; i < count; ++i) {
    loop.round(run_of(next_part(i, 512), length));
    if (i < 10) static_cast<void>(loop.cost());
  }
  const Cost cost = loop.cost();
  CAPTURE(cost.stored, cost.faults, cost.pages);
  CHECK(cost.faults <= cost.stored / length * (7 + length / support::longest_window()));
  CHECK(cost.pages <= 2 * (cost.stored + cost.stored / length * 64));
  loop.check_end(0);
}

TEST_CASE("scattered stores to a block take all of it only when that is cheaper in rounds, too",
          "[mm][handler]") {
  // Faults of earlier rounds do not count: 8 of 64 pages are no reason, however often.
  Loop loop(few_pages);
  const std::size_t count = rounds_of(2000);
  for (std::size_t i = 0; i < count; ++i) {
    Pages pages;
    for (std::size_t k = 0; k < 8; ++k) pages.push_back(k * 8 + i % 4 * 2);
    loop.round(pages);
    if (i < 10) static_cast<void>(loop.cost());
  }
  const Cost cost = loop.cost();
  CAPTURE(cost.stored, cost.faults, cost.pages);
  CHECK(cost.faults <= cost.stored);
  CHECK(cost.pages <= 2 * cost.stored);
  loop.check_end(0);
}

TEST_CASE("pages that are stored to in every other round do not fault", "[mm][handler]") {
  Loop loop(few_pages);
  const Pages pages = {1, 2, 3, 500, 511, 512, 1000, 2047};
  const auto rounds = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) loop.round(i % 2 == 0 ? pages : Pages{});
  };
  rounds(4);
  static_cast<void>(loop.cost());
  rounds(400);
  const Cost cost = loop.cost();
  CHECK(cost.faults == 0);
  CHECK(cost.pages == 3 * cost.stored);  // compared in both rounds, copied in one
  for (int i = 0; i < 80; ++i) loop.round({});
  loop.check_end(0);
  // Of a region that has been in rounds for long, too.
  for (int i = 0; i < 5; ++i) {
    loop.round(pages);
    loop.round({});
  }
  static_cast<void>(loop.cost());
  rounds(400);
  CHECK(loop.cost().faults == 0);
}

TEST_CASE("a page that turns hot by chance is idle for two rounds and cold again",
          "[mm][handler]") {
  Loop loop(few_pages);
  for (int i = 0; i < 10; ++i) loop.round({});
  for (int i = 0; i < 3; ++i) loop.round({100});
  CHECK(loop.region().stats().pages_private == 1);
  static_cast<void>(loop.cost());
  loop.round({200});
  loop.round({300});
  CHECK(loop.region().stats().pages_private == 0);
  const Cost cost = loop.cost();
  CHECK(cost.faults == 2);
  CHECK(cost.pages == 2 * 2 + 2);
  loop.check_end(0);
}

TEST_CASE("pages of zeros between others are zeros again after a round, and take no mappings",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  constexpr std::size_t pages = 4096;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  for (std::size_t page = 0; page < pages / 2; page += 2) support::store(region, page, 1);
  const Snapshot start = region.snapshot();
  const std::vector<std::byte> past = support::plain_copy(region.bytes());
  const RegionStats at_start = region.stats();
  const std::size_t count = rounds_of(1000);
  constexpr std::size_t a_round = 32;
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::size_t page : random_pages(random, a_round, pages)) {
      support::store(region, page, static_cast<unsigned>(i) + 2);
    }
    region.restore(start);
  }
  // As many as one round's pages can take, and the window one of them may have opened in the first,
  // which is put back by a look at all; not those of hundreds.
  constexpr std::size_t widest_window = 64;
  const std::size_t few = at_start.mappings + 2 * a_round + widest_window;
  for (int i = 0; i < 4; ++i) region.restore(start);
  const RegionStats at_end = region.stats();
  CHECK(at_end.faults - at_start.faults <= count * a_round);
  CHECK(at_end.mappings <= few);
  CHECK(support::difference(past, region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
  const Region copy = Region::from_snapshot(start);
  CHECK(copy.stats().mappings <= few);
  CHECK(support::difference(past, copy.bytes()) == "");
  CHECK(support::broken_invariant(copy) == "");
}

TEST_CASE("a window that a round opens over pages of zeros between others leaves no mapping",
          "[mm][handler]") {
  constexpr std::size_t pages = 512;
  const std::size_t apart = GENERATE(2U, 3U, 5U, 9U);
  // To read a page that was never stored to touches its frame: one is looked at, and one works.
  Region region = Region::create(pages * support::page_bytes(), support::options());
  Region same = Region::create(pages * support::page_bytes(), support::options());
  for (std::size_t page = 0; page < pages; page += apart) {
    support::store(region, page, 1);
    support::store(same, page, 1);
  }
  const Snapshot start = region.snapshot();
  region.restore(start);
  const std::size_t mappings = region.stats().mappings;
  for (unsigned round = 1; round <= 8; ++round) {
    // The sixth fault of a run opens more than are stored to.
    const std::size_t first = 50 * round;
    for (std::size_t page = first; page < first + 17; ++page) support::store(region, page, round);
    region.restore(start);
    CAPTURE(apart, round);
    CHECK(region.stats().mappings == mappings);
  }
  CHECK(support::difference(support::plain_copy(same.bytes()), region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
  CHECK(Region::from_snapshot(start).stats().mappings <= mappings + 1);
}

TEST_CASE("beside a snapshot that is read, a round's page costs one fault and one copy",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  Loop loop(few_pages);
  REQUIRE(support::shows(loop.start().bytes(), 1));
  const std::size_t count = rounds_of(1000);
  for (std::size_t i = 0; i < count; ++i) {
    loop.round(random_pages(random, 16, few_pages));
    if (i < 10) static_cast<void>(loop.cost());
  }
  const Cost cost = loop.cost();
  CAPTURE(cost.stored, cost.faults, cost.pages);
  CHECK(cost.faults <= cost.stored);
  CHECK(cost.pages <= cost.stored + by_chance(cost.stored));
  loop.check_end(8);
}

TEST_CASE("what happens to relatives between rounds makes no round dearer", "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  Loop loop(few_pages);
  const Region relative = Region::from_snapshot(loop.start());
  std::vector<Snapshot> others;
  const std::size_t count = rounds_of(1000);
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 3 == 0) others.push_back(relative.snapshot());
    if (i % 3 == 1 && others.size() > 4) others.erase(others.begin());
    if (i % 3 == 2) {
      Region copy = Region::from_snapshot(loop.start());
      support::store(copy, random.below(few_pages), 7);
    }
    loop.round(random_pages(random, 16, few_pages));
    if (i < 10) static_cast<void>(loop.cost());
  }
  const Cost cost = loop.cost();
  CAPTURE(cost.stored, cost.faults, cost.pages);
  CHECK(cost.faults <= cost.stored);
  CHECK(cost.pages <= 2 * cost.stored + by_chance(cost.stored));
  loop.check_end(8);
}

TEST_CASE("a lease that lasts adds its own pages to a round, and no others", "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  Loop loop(few_pages);
  constexpr std::size_t leased = 10;
  const cow::WriteLease lease = loop.region().write_lease(0, leased * support::page_bytes());
  const std::size_t count = rounds_of(1000);
  for (std::size_t i = 0; i < count; ++i) {
    loop.round(random_pages(random, 16, few_pages));
    if (i < 10) static_cast<void>(loop.cost());
  }
  const Cost cost = loop.cost();
  const std::size_t rounds = count - std::min<std::size_t>(count, 10);
  CAPTURE(cost.stored, cost.faults, cost.pages);
  CHECK(cost.faults <= cost.stored);
  CHECK(cost.pages <= 2 * cost.stored + by_chance(cost.stored) + rounds * leased);
  CHECK(loop.region().stats().pages_private <= leased + 8);
}
