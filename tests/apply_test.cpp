// apply: the pages that a diff names, taken from a snapshot into a region.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using cow::PageRange;
using cow::Region;
using cow::Snapshot;

namespace {

using Bytes = std::vector<std::byte>;
using Ranges = std::vector<PageRange>;

Region filled(std::size_t bytes, std::uint64_t pattern,
              const cow::RegionOptions& options = support::single_page_options()) {
  Region region = Region::create(bytes, options);
  support::fill(region.bytes(), pattern);
  return region;
}

/// What `apply` promises, on plain bytes.
Bytes applied(Bytes to, const Ranges& ranges, const Bytes& from) {
  for (const PageRange& range : ranges) {
    const std::size_t begin = range.first_page * support::page_bytes();
    const std::size_t end = std::min(begin + range.page_count * support::page_bytes(), to.size());
    std::copy(from.begin() + static_cast<std::ptrdiff_t>(begin),
              from.begin() + static_cast<std::ptrdiff_t>(end),
              to.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  return to;
}

Ranges random_ranges(support::Random& random, std::size_t pages) {
  Ranges ranges;
  for (std::size_t i = random.below(6); i > 0; --i) {
    const std::size_t first = random.below(pages);
    const std::size_t most =
        random.one_in(3) ? pages - first : std::min<std::size_t>(9, pages - first);
    ranges.push_back({first, random.below(most + 1)});
  }
  return ranges;
}

}  // namespace

TEST_CASE("applying the diff of two snapshots to the first gives the second, and shares its frames",
          "[api]") {
  Region region = filled(1300 * support::page_bytes(), 1);
  const Snapshot before = region.snapshot();
  for (const std::size_t page : {0u, 5u, 6u, 511u, 512u, 1299u}) support::flip(region, page);
  const Snapshot after = region.snapshot();
  Region copy = Region::from_snapshot(before);
  copy.apply(cow::diff(before, after), after);
  CHECK(support::difference(after.bytes(), copy.bytes()) == "");
  CHECK(cow::diff(copy.snapshot(), after).empty());
  CHECK(copy.stats().pages_copied == 0);
  CHECK(copy.stats().pages_shared == 1300);
  CHECK(support::broken_invariant(copy) == "");
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("apply leaves other pages as they are, stored to or not", "[api]") {
  Region region = filled(700 * support::page_bytes(), 2);
  const Snapshot past = region.snapshot();
  for (std::size_t page = 0; page < 700; page += 2) support::flip(region, page);
  Bytes expected = support::plain_copy(region.bytes());
  const Ranges ranges{{3, 4}, {600, 100}, {4, 5}, {20, 0}};
  expected = applied(expected, ranges, support::plain_copy(past.bytes()));
  const std::byte* const address = region.data();
  region.apply(ranges, past);
  CHECK(region.data() == address);
  CHECK(support::difference(expected, region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("random ranges applied among relatives match plain bytes", "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  constexpr std::size_t pages = 1100;
  Region region = Region::create(pages * support::page_bytes() - 50, support::options());
  Region clone = region.clone();
  Region* const sides[] = {&region, &clone};
  Bytes plain[] = {support::plain_copy(region.bytes()), support::plain_copy(clone.bytes())};
  std::vector<std::pair<Snapshot, Bytes>> pasts;
  pasts.emplace_back(region.snapshot(), plain[0]);
  std::string wrong;
  for (std::size_t round = 0; wrong.empty() && round < support::scaled(200); ++round) {
    const std::size_t side = random.below(2);
    for (std::size_t i = random.below(30); i > 0; --i) {
      const std::size_t page = random.below(pages);
      const auto value = static_cast<unsigned>(random.below(256));
      support::store(*sides[side], page, value, 3);
      plain[side][page * support::page_bytes() + 3] = static_cast<std::byte>(value);
    }
    if (random.one_in(3)) pasts.emplace_back(sides[side]->snapshot(), plain[side]);
    if (pasts.size() > 6) pasts.erase(pasts.begin() + static_cast<std::ptrdiff_t>(random.below(6)));
    const auto& [from, bytes] = pasts[random.below(pasts.size())];
    const Ranges ranges = random_ranges(random, pages);
    sides[side]->apply(ranges, from);
    plain[side] = applied(plain[side], ranges, bytes);
    wrong = support::difference(plain[side], sides[side]->bytes());
    if (wrong.empty() && round % 10 == 0) wrong = support::broken_invariant(*sides[side]);
  }
  CHECK(wrong == "");
  for (const auto& [snapshot, bytes] : pasts) {
    CHECK(support::difference(bytes, snapshot.bytes()) == "");
  }
}

TEST_CASE("a snapshot of another family is applied by copying", "[api]") {
  Region region = filled(600 * support::page_bytes() - 9, 3);
  Region other = filled(600 * support::page_bytes() - 9, 4);
  const Snapshot from = other.snapshot();
  const Ranges ranges{{599, 1}, {0, 3}, {510, 5}};
  const Bytes expected =
      applied(support::plain_copy(region.bytes()), ranges, support::plain_copy(from.bytes()));
  const Snapshot before = region.snapshot();
  region.apply(ranges, from);
  CHECK(support::difference(expected, region.bytes()) == "");
  CHECK(support::shows(before.bytes(), 3));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("while a lease lives, apply copies, and leased pages keep their frames", "[api]") {
  Region region = filled(40 * support::page_bytes(), 5);
  const Snapshot past = region.snapshot();
  support::fill(region.bytes(), 6);
  const cow::WriteLease lease = region.write_lease(0, 10 * support::page_bytes());
  const Ranges ranges{{5, 10}};
  const Bytes expected =
      applied(support::plain_copy(region.bytes()), ranges, support::plain_copy(past.bytes()));
  region.apply(ranges, past);
  CHECK(support::difference(expected, region.bytes()) == "");
  CHECK(region.stats().pages_leased == 10);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("apply refuses pages past the end and snapshots of another size, and changes nothing",
          "[api]") {
  Region region = filled(10 * support::page_bytes(), 7);
  const Snapshot own = region.snapshot();
  const Snapshot larger = filled(11 * support::page_bytes(), 8).snapshot();
  CHECK_THROWS_AS(region.apply({{0, 1}}, larger), std::invalid_argument);
  for (const PageRange past : {PageRange{10, 1}, PageRange{5, 6}, PageRange{11, 0},
                               PageRange{3, SIZE_MAX}, PageRange{SIZE_MAX, 2}}) {
    CHECK_THROWS_AS(region.apply({{0, 1}, past}, own), std::invalid_argument);
  }
  region.apply({}, own);
  region.apply({{10, 0}}, own);
  CHECK(support::shows(region.bytes(), 7));
}
