// Clones: trees of any shape, written and dropped in any order, and what each store costs.

#include "catch.hpp"
#include "support.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

using cow::CloneMode;
using cow::Region;
using cow::RegionStats;

namespace {

/// A region of `pages` pages that are all stored to.
Region filled(std::size_t pages, std::uint64_t pattern,
              const cow::RegionOptions& options = support::single_page_options()) {
  return support::filled(pages, pattern, options);
}

/// A region and the bytes it must show.
struct Twin {
  Region region;
  std::vector<std::byte> plain;

  [[nodiscard]] Twin clone(CloneMode mode = CloneMode::lazy) const {
    return {region.clone(mode), plain};
  }
  void store(std::size_t page, unsigned value) {
    support::store(region, page, value, page % 61);
    plain[page * region.page_bytes() + page % 61] = static_cast<std::byte>(value);
  }
  [[nodiscard]] std::string complaint() const { return support::difference(plain, region.bytes()); }
};

Twin make_twin(std::size_t pages, std::uint64_t pattern) {
  Region region = filled(pages, pattern);
  std::vector<std::byte> plain = support::plain_copy(region.bytes());
  return {std::move(region), std::move(plain)};
}

}  // namespace

TEST_CASE("a lazy clone shows the same bytes at its own address and shares every page", "[mm]") {
  Region original = filled(700, 1);
  support::settle(original);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  Region clone = original.clone();
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(clone.size() == original.size());
  CHECK(clone.data() != original.data());
  CHECK(support::shows(clone.bytes(), 1));
  for (const Region* side : {&original, &clone}) {
    const RegionStats stats = side->stats();
    CHECK(stats.pages_shared == 700);
    CHECK(stats.pages_private == 0);
    CHECK(stats.pages_writable == 0);
    CHECK(support::broken_invariant(*side) == "");
  }
  CHECK(clone.stats().faults == 0);
}

TEST_CASE("a clone of a region that nobody stored to has no frames either", "[mm][handler]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  Region original = Region::create(600 * support::page_bytes(), support::options());
  Region clone = original.clone();
  CHECK(clone.stats().pages_zero == 600);
  support::store(clone, 599, 1);
  CHECK(clone.stats().pages_copied == 0);
  CHECK(original.stats().pages_zero == 600);
  CHECK(support::all_zero(original.bytes()));
  CHECK(cow::process_stats().bytes_in_use > before);
  CHECK(cow::process_stats().bytes_in_use <= before + support::page_bytes());
  CHECK(support::all_zero(clone.bytes().first(599 * support::page_bytes())));
}

TEST_CASE("the first store to a shared page copies exactly one page, the second none",
          "[mm][handler]") {
  Region original = filled(100, 1, support::options());
  Region clone = original.clone();
  const bool clone_first = GENERATE(true, false);
  CAPTURE(clone_first);
  Region& writer = clone_first ? clone : original;
  Region& other = clone_first ? original : clone;
  const RegionStats before = writer.stats();
  const std::size_t in_use = cow::process_stats().bytes_in_use;

  support::store(writer, 42, 0);
  RegionStats after = writer.stats();
  CHECK(after.faults == before.faults + 1);
  CHECK(after.pages_copied == before.pages_copied + 1);
  CHECK(after.pages_upgraded == before.pages_upgraded);
  CHECK(after.pages_zero_filled == before.pages_zero_filled);
  CHECK(after.pages_private == 1);
  CHECK(after.pages_writable == 1);
  CHECK(after.pages_shared == 99);
  CHECK(cow::process_stats().bytes_in_use == in_use + support::page_bytes());

  support::store(writer, 42, 0xff, 1);
  CHECK(writer.stats().faults == after.faults);
  CHECK(writer.stats().pages_copied == after.pages_copied);
  CHECK(support::shows(other.bytes(), 1));
  CHECK(support::broken_invariant(writer) == "");
  CHECK(support::broken_invariant(other) == "");
}

TEST_CASE("once one side has copied a page, the other is its sole owner and copies nothing",
          "[mm][handler]") {
  Region original = filled(100, 1);
  Region clone = original.clone();
  const bool clone_first = GENERATE(true, false);
  CAPTURE(clone_first);
  Region& first = clone_first ? clone : original;
  Region& second = clone_first ? original : clone;
  support::store(first, 42, 0xaa);
  CHECK(second.stats().pages_private == 1);
  CHECK(second.stats().pages_writable == 0);

  const RegionStats before = second.stats();
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  support::store(second, 42, 0xbb);
  const RegionStats after = second.stats();
  CHECK(after.faults == before.faults + 1);
  CHECK(after.pages_copied == before.pages_copied);
  CHECK(after.pages_upgraded == before.pages_upgraded + 1);
  CHECK(after.pages_writable == 1);
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(support::load(first.bytes(), 42) == 0xaa);
  CHECK(support::load(second.bytes(), 42) == 0xbb);
}

TEST_CASE("when the sibling goes, the survivor's stores upgrade pages and copy none",
          "[mm][handler]") {
  Region survivor = filled(600, 1);
  {
    const Region clone = survivor.clone();
    CHECK(survivor.stats().pages_shared == 600);
  }
  RegionStats stats = survivor.stats();
  CHECK(stats.pages_shared == 0);
  CHECK(stats.pages_private == 600);
  CHECK(stats.pages_writable == 0);
  const std::uint64_t copied = stats.pages_copied;

  for (const std::size_t page : {0u, 300u, 511u, 512u, 599u}) support::store(survivor, page, 1);
  stats = survivor.stats();
  CHECK(stats.pages_copied == copied);
  CHECK(stats.pages_upgraded == 5);
  CHECK(stats.pages_writable == 5);
  CHECK(support::broken_invariant(survivor) == "");
}

TEST_CASE("a clone outlives the region it was made from", "[mm]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  {
    Region clone = [] {
      Region original = filled(80, 5);
      Region made = original.clone();
      support::store(original, 3, 0xcc);
      return made;
    }();
    CHECK(support::shows(clone.bytes(), 5));
    CHECK(clone.stats().pages_private == 80);
    CHECK(cow::process_stats().bytes_in_use == before + 80 * support::page_bytes());
    support::fill(clone.bytes(), 6);
    CHECK(clone.stats().pages_copied == 0);
    CHECK(support::shows(clone.bytes(), 6));
  }
  CHECK(cow::process_stats().bytes_in_use == before);
}

TEST_CASE("an eager clone owns every page and its stores never fault", "[mm]") {
  Region original = filled(130, 1);
  support::settle(original);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  const std::uint64_t copied = original.stats().pages_copied;
  Region clone = original.clone(CloneMode::eager);
  CHECK(cow::process_stats().bytes_in_use == in_use + original.size());
  CHECK(clone.stats().pages_private == 130);
  if (!support::kernel_copies()) CHECK(clone.stats().pages_writable == 130);
  CHECK(support::shows(clone.bytes(), 1));

  support::fill(clone.bytes(), 2);
  CHECK(clone.stats().faults == 0);
  CHECK(clone.stats().pages_copied == 0);
  CHECK(support::shows(original.bytes(), 1));
  support::fill(original.bytes(), 3);
  CHECK(original.stats().pages_copied == copied);
  CHECK(support::shows(clone.bytes(), 2));
  CHECK(support::broken_invariant(clone) == "");
  CHECK(support::broken_invariant(original) == "");
}

TEST_CASE("an eager clone of shared, private and never-stored pages is a true copy", "[mm]") {
  Region original = Region::create(50 * support::page_bytes() + 3, support::options());
  for (std::size_t page = 0; page < 51; page += 3) support::store(original, page, 0x11);
  const Region lazy = original.clone();
  for (std::size_t page = 0; page < 51; page += 5) support::store(original, page, 0x22, 1);
  const std::vector<std::byte> expected = support::plain_copy(original.bytes());
  Region eager = original.clone(CloneMode::eager);
  CHECK(support::difference(expected, eager.bytes()) == "");
  support::fill(eager.bytes(), 9);
  CHECK(support::difference(expected, original.bytes()) == "");
  CHECK(support::broken_invariant(eager) == "");
}

TEST_CASE("a clone made with pages already private shares those too", "[mm]") {
  Twin original = make_twin(64, 1);
  std::vector<Twin> clones;
  for (unsigned i = 0; i < 8; ++i) {
    original.store(i, i);  // private again before every clone
    clones.push_back(original.clone());
    CHECK(original.region.stats().pages_writable == 0);
  }
  for (unsigned i = 0; i < 8; ++i) clones[i].store(i + 1, 0x80 + i);
  CHECK(original.complaint() == "");
  CHECK(support::broken_invariant(original.region) == "");
  for (const Twin& clone : clones) CHECK(clone.complaint() == "");
}

TEST_CASE("sixteen clones that store to a page each cost sixteen pages", "[mm][handler]") {
  Region base = filled(256, 1);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  std::vector<Region> clones;
  for (unsigned i = 0; i < 16; ++i) clones.push_back(base.clone());
  CHECK(cow::process_stats().bytes_in_use == in_use);
  for (unsigned i = 0; i < 16; ++i) support::store(clones[i], 16 * i, 0);
  CHECK(cow::process_stats().bytes_in_use == in_use + 16 * support::page_bytes());
  for (const Region& clone : clones) CHECK(clone.stats().pages_copied == 1);
  CHECK(support::shows(base.bytes(), 1));
  clones.clear();
  CHECK(cow::process_stats().bytes_in_use == in_use);
}

TEST_CASE("the stores at both sides of a page table's leaf keep to their own page", "[mm]") {
  Twin original = make_twin(1300, 1);
  Twin clone = original.clone();
  unsigned value = 0;
  for (const std::size_t page : {0u, 1u, 510u, 511u, 512u, 513u, 1023u, 1024u, 1298u, 1299u}) {
    clone.store(page, ++value);
    if (!support::kernel_copies()) CHECK(clone.region.stats().pages_copied == value);
    if (value % 2 == 0) original.store(page, 0x80 + value);
  }
  CHECK(clone.complaint() == "");
  CHECK(original.complaint() == "");
  CHECK(support::broken_invariant(clone.region) == "");
  CHECK(support::broken_invariant(original.region) == "");
}

TEST_CASE("the last page of a region that does not fill it is copied like any other", "[mm]") {
  const std::size_t page = support::page_bytes();
  Region original = Region::create(2 * page + 1, support::options());
  support::fill(original.bytes(), 1);
  Region clone = original.clone();
  clone.bytes()[2 * page] ^= std::byte{0xff};
  support::settle(clone);
  CHECK(clone.stats().pages_copied == 1);
  CHECK(clone.bytes()[2 * page] != original.bytes()[2 * page]);
  CHECK(support::shows(original.bytes(), 1));

  Region tiny = Region::create(1, support::options());
  tiny.bytes()[0] = std::byte{1};
  Region tiny_clone = tiny.clone();
  tiny.bytes()[0] = std::byte{2};
  CHECK(tiny_clone.bytes()[0] == std::byte{1});
}

TEST_CASE("a chain of clones may be two hundred deep and dropped from either end",
          "[mm][handler]") {
  const bool oldest_first = GENERATE(true, false);
  CAPTURE(oldest_first);
  const std::size_t before = cow::process_stats().bytes_in_use;
  {
    std::vector<Twin> chain;
    chain.push_back(make_twin(20, 1));
    for (unsigned depth = 1; depth < 200; ++depth) {
      chain.push_back(chain.back().clone());
      chain.back().store(depth % 20, depth);
    }
    for (const Twin& link : chain) REQUIRE(link.complaint() == "");
    for (unsigned depth = 0; depth < 200; ++depth) {
      chain[depth].store((depth + 7) % 20, depth ^ 0xff);
    }
    for (const Twin& link : chain) REQUIRE(link.complaint() == "");
    while (chain.size() > 1) {
      chain.erase(oldest_first ? chain.begin() : chain.end() - 1);
      Twin& next = oldest_first ? chain.front() : chain.back();
      next.store(3, static_cast<unsigned>(chain.size()));
      REQUIRE(next.complaint() == "");
      if (chain.size() % 32 == 1) REQUIRE(support::broken_invariant(next.region) == "");
    }
    CHECK(chain.front().region.stats().pages_private == 20);
    CHECK(cow::process_stats().bytes_in_use == before + 20 * support::page_bytes());
  }
  CHECK(cow::process_stats().bytes_in_use == before);
}

TEST_CASE("a tree of clones of any shape keeps every member's bytes, dropped in any order",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const std::size_t pages = 40;
  const cow::ProcessStats before = cow::process_stats();
  for (std::size_t round = 0; round < support::scaled(10); ++round) {
    std::vector<Twin> tree;
    tree.push_back(make_twin(pages, round));
    while (tree.size() < 30) {
      const CloneMode mode = random.one_in(8) ? CloneMode::eager : CloneMode::lazy;
      tree.push_back(tree[random.below(tree.size())].clone(mode));
      for (int i = 0; i < 6; ++i) {
        tree[random.below(tree.size())].store(random.below(pages), random.word() & 0xff);
      }
    }
    while (!tree.empty()) {
      std::swap(tree[random.below(tree.size())], tree.back());
      tree.pop_back();
      if (!tree.empty()) {
        tree[random.below(tree.size())].store(random.below(pages), random.word() & 0xff);
      }
      for (const Twin& member : tree) REQUIRE(member.complaint() == "");
      if (!tree.empty()) REQUIRE(support::broken_invariant(tree.back().region) == "");
    }
    REQUIRE(cow::process_stats().bytes_in_use == before.bytes_in_use);
    REQUIRE(cow::process_stats().bytes_metadata == before.bytes_metadata);
  }
}

TEST_CASE("a page that many clones share is copied by all of them but the last", "[mm][handler]") {
  Region base = filled(8, 1);
  std::vector<Region> sharers;
  for (int i = 0; i < 9; ++i) sharers.push_back(base.clone());
  sharers.push_back(std::move(base));
  const std::uint64_t base_copied = sharers.back().stats().pages_copied;
  for (std::size_t i = 0; i < sharers.size(); ++i) {
    support::store(sharers[i], 4, static_cast<unsigned>(i));
  }
  std::uint64_t copied = 0;
  std::uint64_t upgraded = 0;
  for (std::size_t i = 0; i < sharers.size(); ++i) {
    copied += sharers[i].stats().pages_copied;
    upgraded += sharers[i].stats().pages_upgraded;
    CHECK(support::load(sharers[i].bytes(), 4) == i);
  }
  CHECK(copied - base_copied == 9);
  CHECK(upgraded == 1);
}

TEST_CASE("a sequential overwrite of a clone takes fewer faults than pages, and copies each once",
          "[mm][handler]") {
  Region original = filled(1024, 1, support::options());
  Region clone = original.clone();
  support::fill(clone.bytes(), 2);
  const RegionStats stats = clone.stats();
  CHECK(stats.pages_copied == 1024);
  CHECK(stats.pages_private == 1024);
  CHECK(stats.faults <= 6 + 1024 / support::longest_window());
  CHECK(support::shows(clone.bytes(), 2));
  CHECK(support::shows(original.bytes(), 1));
}

TEST_CASE("with windows off a fault never takes a neighbour along", "[mm][handler]") {
  Region original = filled(200, 1);
  Region clone = original.clone();
  support::fill(clone.bytes(), 2);
  CHECK(clone.stats().faults == 200);
  CHECK(clone.stats().pages_copied == 200);
}

TEST_CASE("a first store among pages that were never stored to copies none of the stored ones",
          "[mm][handler]") {
  Region original = Region::create(512 * support::page_bytes(), support::single_page_options());
  for (std::size_t page = 0; page < 100; ++page) support::store(original, page, 1);
  const Region copy = original.clone(CloneMode::eager);  // its other pages are zero pages
  Region clone = copy.clone();
  support::store(clone, 300, 2);
  CHECK(clone.stats().faults == 1);
  CHECK(clone.stats().pages_copied == 0);
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("a region with many live clones is still overwritten in windows", "[mm]") {
  constexpr std::size_t pages = 256;
  Region region = filled(pages, 1, support::options());
  std::vector<Region> clones;
  for (unsigned round = 0; round < 40; ++round) {
    clones.push_back(region.clone());
    const std::uint64_t before = region.stats().faults;
    support::fill(region.bytes(), round + 2);
    CHECK(region.stats().faults - before <= 6 + pages / support::longest_window());
    CHECK(region.stats().mappings <= 4);
  }
  for (unsigned round = 0; round < 40; ++round) {
    CHECK(support::shows(clones[round].bytes(), round + 1));
  }
}
