// Snapshots round after round of a region that is stored to between them, by however many threads:
// what pages cost that are stored to in many of the rounds, by counting.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "crew.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::RegionStats;
using cow::Snapshot;
using cow::SnapshotMode;

constexpr std::size_t kPages = 1100;

// In units of copying 4 KiB while a snapshot is taken: see "Rounds" in docs/windows.md.
constexpr double kFault = 13;

double price_of_store() { return kFault + support::copies_of_a_page(); }

// Of larger ones copies cost so much that they stay writable for few rounds, or none.
bool are_pages_small() { return support::copies_of_a_page() <= 1; }

Region filled(const cow::RegionOptions& options = support::single_page_options()) {
  Region region = Region::create(kPages * support::page_bytes(), options);
  support::fill(region.bytes(), 1);
  return region;
}

/// A thread that does nothing: a process that has it cannot know that nobody stores.
class SecondThread {
 public:
  SecondThread() {
    crew_.repeat([] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
  }
  ~SecondThread() { crew_.stop(); }

 private:
  support::Crew crew_;
};

struct Cost {
  double lazy = 0;    ///< every page that is stored to faults, in every round
  double eager = 0;   ///< every page that is ever stored to is copied, in every round
  double libcow = 0;  ///< as counted
};

/// Whether round `round` stores to the pages in question.
using Rounds = std::function<bool(unsigned round)>;

/// Pages that snapshots copied although nobody could fault on them are those that the region has
/// still writable.
Cost cost_of(const Rounds& stores_in, unsigned count, SnapshotMode mode,
             const std::vector<std::size_t>& pages) {
  Region region = filled();
  Snapshot last = region.snapshot(mode);
  const auto number = static_cast<double>(pages.size());
  Cost cost;
  for (unsigned round = 0; round < count; ++round) {
    const std::uint64_t faults_before = region.stats().faults;
    if (stores_in(round)) {
      for (const std::size_t page : pages) support::store(region, page, round % 256, round % 64);
      cost.lazy += number * price_of_store();
    }
    cost.eager += number * support::copies_of_a_page();
    last = region.snapshot(mode);
    const RegionStats now = region.stats();
    cost.libcow += static_cast<double>(now.faults - faults_before) * price_of_store();
    cost.libcow += static_cast<double>(now.pages_writable) * support::copies_of_a_page();
  }
  REQUIRE(support::broken_invariant(region) == "");
  return cost;
}

std::vector<std::size_t> run_of(std::size_t first, std::size_t count) {
  std::vector<std::size_t> pages;
  for (std::size_t i = 0; i < count; ++i) pages.push_back(first + i);
  return pages;
}

struct NamedRounds {
  std::string name;
  Rounds stores_in;
};

std::vector<NamedRounds> sequences(std::uint64_t seed) {
  std::vector<NamedRounds> all = {
      {"every round", [](unsigned) { return true; }},
      {"two rounds, then idle", [](unsigned round) { return round % 100 < 2; }},
      {"idle in between", [](unsigned round) { return round / 100 % 2 == 0; }},
      // Whoever knows the rule stores exactly when the page has just been protected.
      {"two rounds and then as seldom as pages are protected",
       [](unsigned round) { return round < 2 || round % 16 == 1; }},
  };
  for (const unsigned period : {2U, 3U, 5U, 8U, 12U, 13U, 14U, 15U, 16U, 20U, 40U, 64U}) {
    all.push_back({"one round in " + std::to_string(period),
                   [period](unsigned round) { return round % period == 0; }});
  }
  for (const unsigned one_in : {2U, 4U, 8U, 14U, 30U, 60U}) {
    const auto random = std::make_shared<support::Random>(seed + one_in);
    all.push_back({"at random, one round in " + std::to_string(one_in),
                   [random, one_in](unsigned) { return random->one_in(one_in); }});
  }
  return all;
}

}  // namespace

TEST_CASE("whatever the sequence of rounds, a page costs about twice the better of faulting and of "
          "copying it every time",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const std::vector<std::size_t> pages = {0, 5, 6, 7, 511, 512, 1000, 1099};
  for (const auto& [name, stores_in] : sequences(seed)) {
    const Cost cost = cost_of(stores_in, 1000, SnapshotMode::quiescent, pages);
    CAPTURE(name, cost.lazy, cost.eager, cost.libcow);
    // Two rounds go by before anything is known.
    const double beginning = static_cast<double>(2 * pages.size()) * price_of_store();
    CHECK(cost.libcow <= 2.1 * std::min(cost.lazy, cost.eager) + beginning);
  }
}

TEST_CASE("beside other threads runs of hot pages fault once in tens of rounds, too",
          "[mm][handler]") {
  if (!are_pages_small()) return;
  const SecondThread other;
  const std::vector<std::size_t> pages = run_of(500, 40);  // across two leaves
  Region region = filled();
  Snapshot last = region.snapshot();
  const auto rounds = [&](unsigned count) {
    const std::uint64_t before = region.stats().faults;
    for (unsigned i = 0; i < count; ++i) {
      for (const std::size_t page : pages) support::store(region, page, i % 256, i % 64);
      const std::vector<std::byte> bytes = support::plain_copy(region.bytes());
      last = region.snapshot();
      REQUIRE(support::broken_invariant(region) == "");
      for (const std::size_t page : pages) support::store(region, page, i % 256 + 1, i % 64);
      // What is read ends the copying for a while.
      if (i + 1 == count) REQUIRE(support::difference(bytes, last.bytes()) == "");
    }
    return region.stats().faults - before;
  };
  CHECK(rounds(3) >= 2 * pages.size());
  for (unsigned i = 0; i < 20; ++i) last = region.snapshot();
  const std::uint64_t faults = rounds(90);
  CHECK(faults <= 7 * pages.size());
  CHECK(faults > 0);  // else nobody would learn when they come to rest
}

TEST_CASE("what is hot in a region is not hot in a relative that gets it and has had no rounds",
          "[mm][handler]") {
  for (const SnapshotMode mode : {SnapshotMode::quiescent, SnapshotMode::concurrent}) {
    Region region = Region::create(kPages * support::page_bytes(), support::single_page_options());
    const Snapshot nothing = region.snapshot();
    const auto store_to_run = [](Region& to) {
      for (std::size_t page = 100; page < 116; ++page) support::flip(to, page);
    };
    for (int round = 0; round < 10; ++round) {
      (void)region.snapshot(mode);
      store_to_run(region);
    }
    (void)region.clone();  // shares what is hot
    const Snapshot hot = region.snapshot(mode);
    Region relative = Region::from_snapshot(nothing);
    support::flip(relative, 90);
    relative.apply({{100, 16}}, hot);
    store_to_run(relative);
    support::flip(relative, 90);
    const Snapshot snapshot = relative.snapshot(mode);
    CHECK(support::broken_invariant(relative) == "");
    const RegionStats before = relative.stats();
    CHECK(before.pages_writable == 0);
    store_to_run(relative);
    CHECK(relative.stats().faults - before.faults == 16);
    CHECK(support::load(snapshot.bytes(), 100) != support::load(relative.bytes(), 100));
  }
}

TEST_CASE("hot pages that come to rest are shared, and the region is one mapping again",
          "[mm][handler]") {
  if (!are_pages_small()) return;
  const SecondThread other;
  Region region = filled();
  Snapshot last = region.snapshot();
  for (unsigned i = 0; i < 5; ++i) {
    for (const std::size_t page : run_of(500, 40)) support::store(region, page, i, 0);
    last = region.snapshot();
  }
  CHECK(region.stats().pages_writable == 40);
  for (unsigned i = 0; i < 40; ++i) last = region.snapshot();
  CHECK(region.stats().pages_writable == 0);
  CHECK(region.stats().mappings == 1);
}

TEST_CASE("pages that differ from round to round are shared, never copied by a snapshot",
          "[mm][handler]") {
  Region region = filled();
  Snapshot last = region.snapshot();
  for (unsigned round = 0; round < 100; ++round) {
    for (std::size_t i = 0; i < 10; ++i) support::store(region, (round * 10 + i) * 7 % kPages, 3);
    last = region.snapshot();
    REQUIRE(region.stats().pages_writable == 0);
  }
}

TEST_CASE("a snapshot is a consistent cut through stores to pages that it copies",
          "[mm][handler]") {
  // The next thread passes on what it sees: at every moment a >= b >= c >= d, and a - b is 0 or 1.
  // All are in runs that every round stores to.
  Region region = filled();
  const auto word = [&](std::size_t page) { return support::shared_word(region, page); };
  for (std::size_t page = 0; page < kPages; ++page) word(page).store(0);
  support::Crew crew;
  crew.repeat([&, k = std::uint64_t{0}]() mutable {
    ++k;
    for (std::size_t i = 0; i < 8; ++i) word(10 + i).store(k, support::release_order);
    for (std::size_t i = 0; i < 8; ++i) word(600 + i).store(k, support::release_order);
  });
  const auto pass_on = [&](std::size_t from, std::size_t to) {
    const std::uint64_t seen = word(from).load(std::memory_order_acquire);
    for (std::size_t i = 0; i < 8; ++i) word(to + i).store(seen, support::release_order);
  };
  crew.repeat([&] { pass_on(607, 30); });
  crew.repeat([&] { pass_on(37, 1080); });

  std::size_t torn = 0;
  std::uint64_t hot_rounds = 0;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < support::scaled(600); ++i) {
    // Where snapshots are read none is copied into: so most are not.
    for (unsigned unread = 0; unread < 24; ++unread) {
      (void)region.snapshot();
      const std::uint64_t then = word(607).load();
      while (word(607).load() == then) std::this_thread::yield();
    }
    const Snapshot snapshot = region.snapshot();
    hot_rounds += region.stats().pages_writable >= 4;
    const auto seen = [&](std::size_t page) {
      return support::read_word(snapshot.bytes(), page * support::page_bytes());
    };
    std::vector<std::uint64_t> in_order;
    for (const std::size_t first : {10U, 600U, 30U, 1080U}) {
      for (std::size_t page = first; page < first + 8; ++page) in_order.push_back(seen(page));
    }
    torn += in_order[0] - in_order[15] > 1 || in_order[0] < last;
    for (std::size_t n = 1; n < in_order.size(); ++n) torn += in_order[n - 1] < in_order[n];
    last = in_order[0];
  }
  crew.stop();
  CHECK(torn == 0);
  CHECK((hot_rounds > 0 || !are_pages_small()));
  CHECK(support::broken_invariant(region) == "");
}

// A page can be a hole that a window opened, and warm from the stores before it became one.
TEST_CASE("a hole among hot pages is no copy: what is stored to it reaches every later snapshot",
          "[mm]") {
  constexpr std::size_t hole = 16;
  constexpr std::size_t elsewhere = 40;
  Region region = Region::create(64 * support::page_bytes(), support::options());
  for (std::size_t page = 0; page < 64; ++page) {
    if (page != hole) support::store(region, page, 1);
  }
  const Snapshot past = region.snapshot();
  support::store(region, hole, 7);
  support::store(region, elsewhere, 7);
  {
    const Snapshot warm = region.snapshot();
    const cow::WriteLease lease =
        region.write_lease(hole * support::page_bytes(), support::page_bytes());
    region.restore(past);
  }
  for (unsigned i = 0; i < 4; ++i) region.restore(past);
  for (const std::size_t page : {hole - 3, hole - 2, hole - 1, elsewhere}) {
    support::store(region, page, 5);
  }
  (void)region.snapshot();
  support::store(region, hole, 0xAB);
  for (unsigned i = 0; i < 40; ++i) {
    const Snapshot snapshot = region.snapshot();
    REQUIRE(support::broken_invariant(region) == "");
    const Region clone = Region::from_snapshot(snapshot);
    REQUIRE(support::load(clone.bytes(), hole) == 0xAB);
    REQUIRE(support::load(snapshot.bytes(), hole) == 0xAB);
  }
}

TEST_CASE(
    "while snapshots are read they copy no hot pages, and each stays in as few mappings as the "
    "region",
    "[mm][handler]") {
  Region region = filled();
  for (unsigned round = 0; round < 60; ++round) {
    for (const std::size_t page : {3U, 4U, 5U, 700U}) support::store(region, page, round);
    const Snapshot snapshot = region.snapshot();
    const std::size_t mappings = support::count_mappings(snapshot.bytes());
    if (round > 2) REQUIRE(mappings <= 5);
  }
  CHECK(support::broken_invariant(region) == "");
}
