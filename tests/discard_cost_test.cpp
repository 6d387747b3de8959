// What Region::discard gives back and what it takes: frames, mappings, and the time of others.

#include <algorithm>
#include <atomic>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "discard_support.hpp"
#include "eaten_mappings.hpp"
#include "lease_support.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "mm/resources/piece.hpp"
#include "mm/space/family.hpp"
#include "support.hpp"

using cow::PageRange;
using cow::Region;
using cow::Snapshot;

using discarding::discard_pages;
using discarding::filled;
using discarding::pages;
using discarding::pages_in_use;
using discarding::with_zeros;

namespace {

/// Makes libcow think that it has used up its mappings.
class FewMappings {
 public:
  FewMappings() : claimed_(static_cast<std::int64_t>(cow::mapping_budget::limit())) {
    cow::mapping_budget::add(claimed_);
  }
  ~FewMappings() { cow::mapping_budget::add(-claimed_); }
  FewMappings(const FewMappings&) = delete;
  FewMappings& operator=(const FewMappings&) = delete;

 private:
  std::int64_t claimed_;
};

}  // namespace

TEST_CASE("discarded pages give back their frames at once, and none of them is kept for others",
          "[mm]") {
  Region region = filled();
  support::settle(region);
  REQUIRE(pages_in_use() == pages);
  discard_pages(region, 100, 700);
  CHECK(pages_in_use() == pages - 700);
  CHECK(cow::process_stats().bytes_recycled == 0);
  CHECK(region.stats().pages_zero == 700);
  const std::size_t metadata = region.stats().bytes_metadata;
  discard_pages(region, 0, pages);
  CHECK(pages_in_use() == 0);
  CHECK(region.stats().pages_zero == pages);
  CHECK(region.stats().bytes_metadata < metadata);
  CHECK(support::all_zero(region.bytes()));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("threads that store to other pages lose nothing while pages are discarded", "[mm]") {
  Region region = filled(1, support::options());
  const std::size_t rounds = support::scaled(2000);
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> wrong{0};
  const auto count_up = [&](std::size_t first) {
    for (std::uint64_t n = 1; !stop.load(); ++n) {
      for (std::size_t page = first; page < pages; page += 8) {
        std::uint64_t& word = support::word_at(region, page);
        if (n > 1 && word != n - 1) ++wrong;
        word = n;
      }
    }
  };
  std::thread even([&] { count_up(0); });
  std::thread odd([&] { count_up(4); });
  support::Random random(support::seed());
  std::vector<Snapshot> snapshots;
  for (std::size_t i = 0; i < rounds; ++i) {
    const std::size_t first = random.below(pages / 4) * 4 + 1;
    support::store(region, first, 1);
    discard_pages(region, first, random.between(1, 3));
    if (!support::all_zero(support::pages_of(region, first))) ++wrong;
    if (i % 16 == 0) snapshots.push_back(region.snapshot());
    if (snapshots.size() > 4) snapshots.erase(snapshots.begin());
  }
  stop = true;
  even.join();
  odd.join();
  CHECK(wrong == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a discard takes at most two mappings more, and none where it joins zeros",
          "[mm][handler]") {
  Region region = filled();
  REQUIRE(region.stats().mappings == 1);
  discard_pages(region, 100, 50);
  CHECK(region.stats().mappings == 3);
  discard_pages(region, 150, 100);
  CHECK(region.stats().mappings == 3);
  discard_pages(region, 0, 101);
  CHECK(region.stats().mappings == 2);
  for (std::size_t page = 301; page < 801; page += 2) discard_pages(region, page, 1);
  REQUIRE(region.stats().mappings > 400);
  CHECK(support::count_mappings(region) == region.stats().mappings);
  discard_pages(region, 250, pages - 250);
  CHECK(region.stats().mappings == 1);
  CHECK(support::count_mappings(region) == 1);
}

TEST_CASE("short of mappings, a discard takes none: the frames are emptied where they are",
          "[mm][handler]") {
  Region region = filled();
  const std::vector<std::byte> past = support::plain_copy(region.bytes());
  const Snapshot unread = region.snapshot();
  support::store(region, 101, 1);
  const std::size_t mappings = region.stats().mappings;
  {
    const FewMappings few;
    discard_pages(region, 100, 50);
    CHECK(region.stats().mappings <= mappings);
    CHECK(support::difference(with_zeros(past, 100, 50), region.bytes()) == "");
    // Nobody else has this: it goes back.
    support::store(region, 300, 1);
    const std::size_t in_use = pages_in_use();
    discard_pages(region, 300, 1);
    CHECK(pages_in_use() == in_use - 1);
    CHECK(support::all_zero(support::pages_of(region, 300)));
  }
  CHECK(support::difference(past, unread.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
  const std::vector<PageRange> changed{{100, 50}, {300, 1}};
  CHECK(cow::diff(unread, region.snapshot()) == changed);
}

TEST_CASE("with every mapping used up by others, pages are discarded all the same", "[mm]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = filled();
    Region relative = region.clone();
    for (std::size_t page = 0; page < pages; page += 2) support::store(region, page, 1);
    const std::vector<std::byte> past = support::plain_copy(region.bytes());
    const std::vector<std::byte> theirs = support::plain_copy(relative.bytes());
    std::vector<std::byte> expected = past;
    {
      const support::EatenMappings eaten(support::spared_by_all);
      for (std::size_t page = 5; page < pages; page += 12) {
        discard_pages(region, page, 3);
        expected = with_zeros(std::move(expected), page, std::min<std::size_t>(3, pages - page));
      }
    }
    std::string wrong = support::difference(expected, region.bytes());
    if (wrong.empty()) wrong = support::difference(theirs, relative.bytes());
    return wrong.empty() ? support::broken_invariant(region) : wrong;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("rounds of snapshots, discards and stores leave no more pieces, homes or frames",
          "[mm][handler]") {
  Region region = filled();
  std::optional<Snapshot> last;
  std::size_t most_mappings = 0;
  std::size_t metadata = 0;
  for (int round = 0; round < 60; ++round) {
    last = region.snapshot();
    discard_pages(region, 40, 1000);
    for (std::size_t page = 40; page < 1040; page += 3) support::store(region, page, 1);
    most_mappings = std::max(most_mappings, region.stats().mappings);
    if (round == 20) metadata = region.stats().bytes_metadata;
  }
  CHECK(most_mappings <= 8);
  CHECK(region.stats().bytes_metadata <= metadata);
  CHECK(pages_in_use() <= 2 * pages);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("what was discarded goes in pieces: no store waits for all of it", "[mm]") {
  Region region = Region::create(8192 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  cow::FamilyList& all = cow::FamilyList::instance();
  all.for_each([](cow::Family& family) { family.set_most_slots_in_a_hold(0); });
  region.discard(0, region.size());
  std::uint64_t most = 0;
  all.for_each([&](cow::Family& family) { most = std::max(most, family.most_slots_in_a_hold()); });
  if (!support::kernel_copies()) CHECK(most > 0);
  CHECK(most <= cow::Piece::kMostFrames + cow::Piece::kMostLooks + cow::Extent::kGroupSlots);
  CHECK(pages_in_use() == 0);
}

TEST_CASE("a discard of what was never touched costs nothing, however large it is", "[mm]") {
  // An emulator keeps a record of every page, touched or not.
  const std::size_t bytes = std::size_t{1} << (support::is_emulated() ? 34 : 40);
  Region region = Region::create(bytes, support::options());
  const std::size_t metadata = region.stats().bytes_metadata;
  region.discard(0, region.size());
  CHECK(region.stats().bytes_metadata == metadata);
  support::store(region, 70'000, 1);
  region.discard(0, region.size());
  CHECK(support::load(region.bytes(), 70'000) == 0);
  CHECK(pages_in_use() == 0);
}
