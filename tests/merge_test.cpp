// merge: the changes of two sides since a common ancestor.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using cow::MergeConflict;
using cow::MergeOptions;
using cow::MergeResult;
using cow::PageRange;
using cow::Region;
using cow::Snapshot;

namespace {

using Bytes = std::vector<std::byte>;
using Ranges = std::vector<PageRange>;

struct Sides {
  explicit Sides(std::size_t bytes)
      : ours(Region::create(bytes, support::single_page_options())),
        base([&] {
          support::fill(ours.bytes(), 1);
          return ours.snapshot();
        }()),
        theirs(ours.clone()) {}

  MergeResult merge(const cow::MergeResolver& resolver = {}, const MergeOptions& options = {}) {
    return cow::merge(base, ours.snapshot(), theirs.snapshot(), resolver, options);
  }

  Region ours;
  Snapshot base;
  Region theirs;
};

/// Merges plain bytes. `changed` says for each page what the pages of both sides come to.
struct PlainMerge {
  Bytes merged;
  Ranges conflicts;
  std::map<std::size_t, std::size_t> asked;  ///< offset and length of each stretch
};

PlainMerge merge_plainly(const Bytes& base, const Bytes& ours, const Bytes& theirs,
                         std::size_t unit, bool resolve) {
  PlainMerge result{ours, {}, {}};
  const std::size_t page = support::page_bytes();
  const auto differ = [](const Bytes& a, const Bytes& b, std::size_t at, std::size_t n) {
    return std::memcmp(a.data() + at, b.data() + at, n) != 0;
  };
  for (std::size_t begin = 0; begin < base.size(); begin += page) {
    const std::size_t size = std::min(page, base.size() - begin);
    if (!differ(theirs, base, begin, size)) continue;
    if (!differ(ours, base, begin, size)) {
      std::memcpy(result.merged.data() + begin, theirs.data() + begin, size);
      continue;
    }
    if (!differ(ours, theirs, begin, size)) continue;
    if (!result.conflicts.empty() &&
        result.conflicts.back().first_page + result.conflicts.back().page_count == begin / page) {
      ++result.conflicts.back().page_count;
    } else {
      result.conflicts.push_back({begin / page, 1});
    }
    if (!resolve) continue;
    std::optional<std::size_t> open;  // where a stretch of conflict began
    for (std::size_t at = begin; at < begin + size; at += unit) {
      const std::size_t n = std::min(unit, begin + size - at);
      const bool by_us = differ(ours, base, at, n);
      const bool by_them = differ(theirs, base, at, n);
      const bool conflict = by_us && by_them && differ(ours, theirs, at, n);
      if (by_them && !by_us) std::memcpy(result.merged.data() + at, theirs.data() + at, n);
      if (conflict) {
        if (!open) open = at;
        result.asked[*open] = at + n - *open;
        for (std::size_t i = at; i < at + n; ++i) {  // what the tests' resolver does
          result.merged[i] = ours[i] ^ theirs[i];
        }
      } else {
        open.reset();
      }
    }
  }
  return result;
}

}  // namespace

TEST_CASE("pages that one side changed are taken from it, without copying a byte",
          "[api][handler]") {
  Sides sides(1300 * support::page_bytes());
  for (const std::size_t page : {1u, 2u, 600u}) support::flip(sides.ours, page);
  for (const std::size_t page : {3u, 700u, 1299u}) support::flip(sides.theirs, page);
  Bytes expected = support::plain_copy(sides.ours.bytes());
  for (const std::size_t page : {3u, 700u, 1299u}) {
    expected[page * support::page_bytes()] ^= std::byte{0xff};
  }
  MergeResult result = sides.merge();
  CHECK(support::difference(expected, result.merged.bytes()) == "");
  CHECK(result.conflicts.empty());
  CHECK(result.pages_from_ours == 3);
  CHECK(result.pages_from_theirs == 3);
  CHECK(result.stretches_resolved == 0);
  CHECK(result.merged.stats().pages_shared == 1300);
  CHECK(support::broken_invariant(result.merged) == "");
  const unsigned of_theirs = support::load(sides.theirs.bytes(), 3);
  support::flip(result.merged, 3);  // it is a region of its own
  CHECK(support::load(sides.theirs.bytes(), 3) == of_theirs);
  CHECK(support::broken_invariant(sides.ours) == "");
}

TEST_CASE("without a resolver, pages that both changed are reported and show ours", "[api]") {
  Sides sides(100 * support::page_bytes());
  for (const std::size_t page : {4u, 5u, 6u, 50u}) support::flip(sides.ours, page);
  for (const std::size_t page : {5u, 6u, 50u, 99u}) support::flip(sides.theirs, page, 9);
  support::flip(sides.theirs, 4);  // the same as ours
  support::flip(sides.ours, 99);
  support::flip(sides.ours, 99);  // back to what it was
  MergeResult result = sides.merge();
  CHECK(result.conflicts == Ranges{{5, 2}, {50, 1}});
  CHECK(support::load(result.merged.bytes(), 5) == support::load(sides.ours.bytes(), 5));
  CHECK(support::load(result.merged.bytes(), 5, 9) == support::load(sides.ours.bytes(), 5, 9));
  CHECK(support::load(result.merged.bytes(), 99, 9) == support::load(sides.theirs.bytes(), 99, 9));
  CHECK(result.pages_from_theirs == 1);
}

TEST_CASE("a resolver is asked about exactly the bytes that both changed differently", "[api]") {
  Sides sides(10 * support::page_bytes());
  const std::size_t at = 3 * support::page_bytes();
  const auto put = [&](Region& region, std::size_t from, const char* text) {
    std::memcpy(region.data() + at + from, text, std::strlen(text));
  };
  put(sides.ours, 0, "........");
  put(sides.theirs, 0, "........");
  const Snapshot base = [&] {  // a base whose bytes are known
    Region region = Region::from_snapshot(sides.base);
    put(region, 0, "........");
    return region.snapshot();
  }();
  put(sides.ours, 0, "OOOO..O.");
  put(sides.theirs, 0, "..TT..OT");
  std::size_t calls = 0;
  MergeResult result = cow::merge(base, sides.ours.snapshot(), sides.theirs.snapshot(),
                                  [&](const MergeConflict& conflict) {
                                    ++calls;
                                    CHECK(conflict.offset == at + 2);
                                    CHECK(conflict.base.size() == 2);
                                    CHECK(conflict.base[0] == std::byte{'.'});
                                    CHECK(conflict.ours[1] == std::byte{'O'});
                                    CHECK(conflict.theirs[1] == std::byte{'T'});
                                    CHECK(conflict.result[0] == std::byte{'O'});
                                    conflict.result[0] = std::byte{'!'};
                                  });
  CHECK(calls == 1);
  CHECK(result.stretches_resolved == 1);
  CHECK(std::memcmp(result.merged.data() + at, "OO!O..OT", 8) == 0);
  CHECK(result.conflicts == Ranges{{3, 1}});
  CHECK(support::broken_invariant(result.merged) == "");
}

TEST_CASE("with units of eight bytes, numbers are never mixed", "[api]") {
  Sides sides(4 * support::page_bytes());
  support::word_at(sides.ours, 1, 16) ^= 0xff;
  support::word_at(sides.theirs, 1, 16) ^= 0xff00;
  support::word_at(sides.theirs, 1, 32) = 5;
  const std::uint64_t ours = support::word_at(sides.ours, 1, 16);
  std::size_t calls = 0;
  const auto resolver = [&](const MergeConflict& conflict) {
    ++calls;
    CHECK(conflict.result.size() == 8);
    CHECK(conflict.offset == support::page_bytes() + 16);
  };
  MergeResult words = sides.merge(resolver, {.unit_bytes = 8});
  CHECK(calls == 1);
  CHECK(support::word_at(words.merged, 1, 16) == ours);
  CHECK(support::word_at(words.merged, 1, 32) == 5);
  MergeResult bytes = sides.merge([](const MergeConflict&) { FAIL("the bytes do not overlap"); });
  CHECK(support::word_at(bytes.merged, 1, 16) == (ours ^ 0xff00));
}

TEST_CASE("random merges match merges of plain bytes", "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  for (std::size_t round = 0; round < support::scaled(60); ++round) {
    const std::size_t pages = random.between(1, 12);
    const std::size_t size = pages * support::page_bytes() - random.below(200);
    const std::size_t unit = std::size_t{1} << random.below(7);
    Sides sides(size);
    for (Region* const side : {&sides.ours, &sides.theirs}) {
      for (std::size_t i = random.below(30); i > 0; --i) {
        const std::size_t at = random.one_in(2) ? random.below(size) : random.below(64);
        std::memset(side->data() + at, static_cast<int>(random.below(4)),
                    std::min(size - at, random.below(40)));
      }
    }
    const bool resolve = random.one_in(4) ? false : true;
    const PlainMerge expected = merge_plainly(
        support::plain_copy(sides.base.bytes()), support::plain_copy(sides.ours.bytes()),
        support::plain_copy(sides.theirs.bytes()), unit, resolve);
    std::map<std::size_t, std::size_t> asked;
    const auto resolver = [&](const MergeConflict& conflict) {
      asked[conflict.offset] = conflict.result.size();
      for (std::size_t i = 0; i < conflict.result.size(); ++i) {
        conflict.result[i] = conflict.ours[i] ^ conflict.theirs[i];
      }
    };
    MergeResult result = resolve ? sides.merge(resolver, {.unit_bytes = unit}) : sides.merge();
    CAPTURE(round, pages, unit, resolve);
    REQUIRE(support::difference(expected.merged, result.merged.bytes()) == "");
    REQUIRE(result.conflicts == expected.conflicts);
    REQUIRE(asked == expected.asked);
    REQUIRE(support::broken_invariant(result.merged) == "");
  }
}

TEST_CASE("what a resolver throws ends the merge, and nothing is left of it", "[api]") {
  Sides sides(30 * support::page_bytes());
  support::flip(sides.ours, 2);
  support::store(sides.theirs, 2, support::load(sides.base.bytes(), 2) ^ 0x0fu);
  const cow::ProcessStats before = cow::process_stats();
  CHECK_THROWS_AS(sides.merge([](const MergeConflict&) { throw std::range_error("mine"); }),
                  std::range_error);
  CHECK(cow::process_stats().regions == before.regions);
  CHECK(support::broken_invariant(sides.ours) == "");
  CHECK(support::broken_invariant(sides.theirs) == "");
}

TEST_CASE("merge refuses strangers and units that make no sense", "[api]") {
  Sides sides(30 * support::page_bytes());
  const Snapshot stranger = Sides(30 * support::page_bytes()).base;
  const Snapshot ours = sides.ours.snapshot();
  CHECK_THROWS_AS(cow::merge(stranger, ours, ours), std::invalid_argument);
  CHECK_THROWS_AS(cow::merge(ours, ours, stranger), std::invalid_argument);
  for (const std::size_t unit : {std::size_t{0}, std::size_t{3}, 2 * support::page_bytes()}) {
    CHECK_THROWS_AS(cow::merge(ours, ours, ours, {}, {.unit_bytes = unit}), std::invalid_argument);
  }
}
