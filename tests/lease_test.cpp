// Leases: what they promise, to whom, and for how long. What the kernel does with them is in
// tests/lease_kernel_test.cpp and tests/lease_pinned_test.cpp.

#include "catch.hpp"
#include "lease_support.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using cow::PageRange;
using cow::Region;
using cow::Snapshot;
using cow::WriteLease;
using support::kernel_fills;
using support::lease_pages;
using support::pages_of;

namespace {

Region filled(std::size_t pages, std::uint64_t pattern,
              const cow::RegionOptions& options = support::options()) {
  Region region = Region::create(pages * support::page_bytes(), options);
  support::fill(region.bytes(), pattern);
  return region;
}

/// The pages of `region` that are mapped writable.
std::vector<std::size_t> writable_pages(const Region& region) {
  const auto begin = reinterpret_cast<std::uintptr_t>(region.data());
  std::vector<std::size_t> found;
  for (const support::Mapping& mapping : support::mappings(region.data(), region.size())) {
    for (std::uintptr_t at = mapping.begin; mapping.writable && at < mapping.end;
         at += support::page_bytes()) {
      found.push_back((at - begin) / support::page_bytes());
    }
  }
  return found;
}

}  // namespace

TEST_CASE("a lease names the bytes that were asked for", "[mm]") {
  Region region = filled(5, 1);
  const WriteLease lease = region.write_lease(100, 2 * support::page_bytes());
  CHECK(lease.data() == region.data() + 100);
  CHECK(lease.size() == 2 * support::page_bytes());
  CHECK(lease.bytes().data() == lease.data());
  CHECK(lease.bytes().size() == lease.size());
  CHECK(region.stats().pages_leased == 3);
  CHECK(support::shows(region.bytes(), 1));
}

TEST_CASE("a lease of no bytes is allowed everywhere and does nothing", "[mm]") {
  Region region = filled(5, 1);
  const Snapshot snapshot = region.snapshot();
  for (const std::size_t offset : {std::size_t{0}, std::size_t{77}, region.size()}) {
    const WriteLease lease = region.write_lease(offset, 0);
    CHECK(lease.size() == 0);
    CHECK(lease.bytes().empty());
    CHECK(region.stats().pages_leased == 0);
    CHECK(region.stats().pages_writable == 0);
  }
  CHECK(region.stats().pages_copied == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a lease past the end is refused with a sentence and changes nothing", "[mm]") {
  Region region = filled(5, 1);
  const Snapshot snapshot = region.snapshot();
  const std::size_t most = std::numeric_limits<std::size_t>::max();
  const std::pair<std::size_t, std::size_t> ranges[] = {
      {0, region.size() + 1}, {region.size(), 1}, {region.size() + 1, 0},
      {1, region.size()},     {1, most},          {most, 2}};
  for (const auto& [offset, length] : ranges) {
    CAPTURE(offset, length);
    std::string what;
    try {
      static_cast<void>(region.write_lease(offset, length));
    } catch (const std::invalid_argument& error) {
      what = error.what();
    }
    CHECK(support::is_sentence(what));
  }
  CHECK(region.stats().pages_leased == 0);
  CHECK(region.stats().pages_shared == 5);
  const Region moved = std::move(region);
  CHECK_THROWS_AS(region.write_lease(0, 1), std::logic_error);
}

TEST_CASE("a lease of n shared pages copies n pages and takes no fault", "[mm][handler]") {
  const bool shared_with_clone = GENERATE(false, true);
  CAPTURE(shared_with_clone);
  Region region = filled(40, 1, support::single_page_options());
  const Snapshot snapshot = region.snapshot();
  std::optional<Region> clone;
  if (shared_with_clone) clone = region.clone();
  const cow::RegionStats before = region.stats();
  const WriteLease lease = lease_pages(region, 10, 7);
  cow::RegionStats after = region.stats();
  CHECK(after.pages_copied == before.pages_copied + 7);
  CHECK(after.faults == before.faults);
  CHECK(after.pages_leased == 7);
  CHECK(after.pages_writable == 7);
  CHECK(after.pages_shared == 33);
  const WriteLease nested = lease_pages(region, 9, 3);
  after = region.stats();
  CHECK(after.pages_copied == before.pages_copied + 8);
  CHECK(after.pages_leased == 8);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a lease of pages that nobody shares copies nothing", "[mm]") {
  Region region = filled(40, 1);
  const cow::RegionStats before = region.stats();
  const bool protected_before = GENERATE(false, true);
  CAPTURE(protected_before);
  if (protected_before) static_cast<void>(region.snapshot());
  const WriteLease lease = lease_pages(region, 10, 7);
  CHECK(region.stats().pages_copied == before.pages_copied);
  CHECK(region.stats().pages_leased == 7);
}

TEST_CASE("a snapshot during a lease copies the leased pages, once each, and protects the others",
          "[mm][handler]") {
  Region region = filled(40, 1, support::single_page_options());
  const WriteLease lease = lease_pages(region, 10, 4);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  const Snapshot snapshot = region.snapshot();
  CHECK(cow::process_stats().bytes_in_use == in_use + 4 * support::page_bytes());
  CHECK(writable_pages(region) == std::vector<std::size_t>{10, 11, 12, 13});
  const cow::RegionStats before = region.stats();
  for (std::size_t page = 10; page < 14; ++page) support::store(region, page, 0xee);
  CHECK(region.stats().faults == before.faults);
  CHECK(region.stats().pages_copied == before.pages_copied);
  support::store(region, 9, 0xee);
  CHECK(region.stats().faults == before.faults + 1);
  CHECK(support::shows(snapshot.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("leased pages are ordinary pages again when the lease has ended", "[mm][handler]") {
  Region region = filled(40, 1, support::single_page_options());
  std::optional<WriteLease> lease = lease_pages(region, 10, 4);
  const Snapshot during = region.snapshot();
  lease.reset();
  CHECK(region.stats().pages_leased == 0);
  CHECK(writable_pages(region) == std::vector<std::size_t>{10, 11, 12, 13});
  support::store(region, 11, 0xee);
  const Snapshot behind = region.snapshot();
  CHECK(writable_pages(region).empty());
  const cow::RegionStats before = region.stats();
  support::store(region, 11, 0xdd);
  CHECK(region.stats().faults == before.faults + 1);
  CHECK(region.stats().pages_copied == before.pages_copied + 1);
  CHECK(support::shows(during.bytes(), 1));
  CHECK(support::load(behind.bytes(), 11) == 0xee);
  CHECK(support::load(region.bytes(), 11) == 0xdd);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("nested and overlapping leases hold until the last of each page ends, in any order",
          "[mm]") {
  constexpr std::size_t pages = 8;
  using Range = std::pair<std::size_t, std::size_t>;
  const std::array<Range, 5> ranges = {{{0, 8}, {1, 4}, {3, 6}, {2, 3}, {1, 4}}};
  std::vector<std::size_t> order(ranges.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  do {
    CAPTURE(order);
    Region region = filled(pages, 1);
    const Snapshot past = region.snapshot();
    std::vector<std::optional<WriteLease>> leases;
    for (const auto& [first, last] : ranges) {
      leases.emplace_back(lease_pages(region, first, last - first));
    }
    for (std::size_t ended = 0; ended < order.size(); ++ended) {
      leases[order[ended]].reset();
      std::vector<std::size_t> leased;
      for (std::size_t page = 0; page < pages; ++page) {
        const bool held =
            std::any_of(order.begin() + static_cast<std::ptrdiff_t>(ended) + 1, order.end(),
                        [&](auto i) { return ranges[i].first <= page && page < ranges[i].second; });
        if (held) leased.push_back(page);
      }
      const Snapshot snapshot = region.snapshot();
      REQUIRE(region.stats().pages_leased == leased.size());
      if (!support::kernel_copies()) REQUIRE(writable_pages(region) == leased);
      for (const std::size_t page : leased)
        REQUIRE(kernel_fills(pages_of(region, page), ended + 2));
      REQUIRE(support::broken_invariant(region) == "");
    }
    REQUIRE(support::shows(past.bytes(), 1));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("a lease that is moved goes on, and one that is assigned to has ended", "[mm]") {
  Region region = filled(8, 1);
  WriteLease first = lease_pages(region, 0, 2);
  WriteLease second(std::move(first));
  CHECK(first.data() == nullptr);
  CHECK(first.size() == 0);
  CHECK(second.data() == region.data());
  CHECK(region.stats().pages_leased == 2);
  WriteLease third = lease_pages(region, 4, 3);
  CHECK(region.stats().pages_leased == 5);
  second = std::move(third);
  CHECK(second.data() == region.data() + 4 * support::page_bytes());
  CHECK(third.data() == nullptr);
  CHECK(third.size() == 0);
  CHECK(region.stats().pages_leased == 3);
  second = lease_pages(region, 7, 1);
  CHECK(region.stats().pages_leased == 1);
  WriteLease& itself = second;
  second = std::move(itself);
  CHECK(region.stats().pages_leased == 1);
  std::vector<WriteLease> several;
  for (std::size_t page = 0; page < 7; ++page) several.push_back(lease_pages(region, page, 1));
  CHECK(region.stats().pages_leased == 8);
  several.clear();
  CHECK(region.stats().pages_leased == 1);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a lease of zero pages gives them memory, and only them", "[mm][handler]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  Region region = Region::create(1200 * support::page_bytes(), support::options());
  const Snapshot past = region.snapshot();
  std::optional<WriteLease> lease = lease_pages(region, 510, 4);  // in two page-table leaves
  CHECK(region.stats().pages_leased == 4);
  CHECK(cow::process_stats().bytes_in_use == before + 4 * support::page_bytes());
  CHECK(support::all_zero(region.bytes()));
  const Snapshot during = region.snapshot();
  CHECK(kernel_fills(lease->bytes(), 2));
  CHECK(support::all_zero(past.bytes()));
  CHECK(support::all_zero(during.bytes()));
  lease.reset();
  const Snapshot behind = region.snapshot();
  CHECK(support::shows(
      behind.bytes().subspan(510 * support::page_bytes(), 4 * support::page_bytes()), 2));
  CHECK(cow::diff(past, during).empty());
  CHECK(cow::diff(past, behind) == std::vector<PageRange>{{510, 4}});
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("diff reports the leased pages that were written, by whomever, and no others", "[mm]") {
  Region region = filled(600, 1);
  const Snapshot before = region.snapshot();
  std::optional<WriteLease> lease = lease_pages(region, 508, 8);
  REQUIRE(kernel_fills(pages_of(region, 511), 2));
  support::store(region, 513, 0xee);
  const Snapshot during = region.snapshot();
  CHECK(cow::diff(before, during) == std::vector<PageRange>{{511, 1}, {513, 1}});
  const Snapshot unchanged = region.snapshot();
  CHECK(cow::diff(during, unchanged).empty());
  REQUIRE(kernel_fills(pages_of(region, 509), 3));
  lease.reset();
  const Snapshot behind = region.snapshot();
  CHECK(cow::diff(unchanged, behind) == std::vector<PageRange>{{509, 1}});
  CHECK(cow::diff(behind, before) == std::vector<PageRange>{{509, 1}, {511, 1}, {513, 1}});
  lease = lease_pages(region, 508, 8);
  lease.reset();
  support::store(region, 510, 0xee);  // writable still: no fault tells of it
  const Snapshot last = region.snapshot();
  CHECK(cow::diff(behind, last) == std::vector<PageRange>{{510, 1}});
}

TEST_CASE("restore during a lease brings back the bytes and keeps the pages leased", "[mm]") {
  Region region = filled(600, 1);
  const Snapshot start = region.snapshot();
  const WriteLease lease = lease_pages(region, 300, 250);
  REQUIRE(kernel_fills(lease.bytes(), 2));
  support::fill(region.bytes().first(20 * support::page_bytes()), 3);
  const Snapshot later = region.snapshot();
  const std::vector<std::byte> later_bytes = support::plain_copy(region.bytes());
  REQUIRE(kernel_fills(lease.bytes(), 4));
  for (int round = 0; round < 3; ++round) {
    region.restore(start);
    CHECK(support::shows(region.bytes(), 1));
    CHECK(region.stats().pages_leased == 250);
    CHECK(kernel_fills(lease.bytes().first(100), 5));
    region.restore(later);
    CHECK(support::difference(later_bytes, region.bytes()) == "");
    CHECK(region.stats().pages_leased == 250);
    CHECK(support::broken_invariant(region) == "");
  }
  CHECK(support::shows(start.bytes(), 1));
  CHECK(support::difference(later_bytes, later.bytes()) == "");
}

TEST_CASE("a clone of a leased region is equal, takes no lease along, and then goes its own way",
          "[mm]") {
  const auto mode = GENERATE(cow::CloneMode::lazy, cow::CloneMode::eager);
  CAPTURE(mode);
  Region region = filled(600, 1);
  const WriteLease lease = lease_pages(region, 500, 20);
  REQUIRE(kernel_fills(lease.bytes(), 2));
  const std::vector<std::byte> at_clone = support::plain_copy(region.bytes());
  Region clone = region.clone(mode);
  CHECK(clone.stats().pages_leased == 0);
  CHECK(region.stats().pages_leased == 20);
  REQUIRE(kernel_fills(lease.bytes(), 3));
  CHECK(support::difference(at_clone, clone.bytes()) == "");
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  support::fill(clone.bytes(), 4);
  CHECK(support::difference(plain, region.bytes()) == "");
  const WriteLease of_clone = lease_pages(clone, 490, 100);
  REQUIRE(kernel_fills(of_clone.bytes(), 5));
  CHECK(support::difference(plain, region.bytes()) == "");
  support::fill(region.bytes(), 6);
  CHECK(support::shows(of_clone.bytes(), 5));
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("a region made from a snapshot can be leased, and the snapshot does not change", "[mm]") {
  const bool mapped = GENERATE(false, true);
  CAPTURE(mapped);
  std::optional<Region> first = filled(20, 1);
  const Snapshot snapshot = first->snapshot();
  if (mapped) static_cast<void>(snapshot.bytes());
  Region second = Region::from_snapshot(snapshot);
  const WriteLease lease = second.write_lease(0, second.size());
  REQUIRE(kernel_fills(lease.bytes(), 2));
  const WriteLease other = first->write_lease(0, first->size());
  REQUIRE(kernel_fills(other.bytes(), 3));
  CHECK(support::shows(second.bytes(), 2));
  CHECK(support::shows(snapshot.bytes(), 1));
  CHECK(support::broken_invariant(second) == "");
  first.reset();
  CHECK(support::shows(other.bytes(), 3));
}

TEST_CASE("a lease goes on when its region is moved, and ends afterwards", "[mm]") {
  Region region = filled(20, 1);
  const Snapshot past = region.snapshot();
  std::optional<WriteLease> lease = lease_pages(region, 3, 4);
  std::byte* const data = lease->data();
  auto moved = std::make_unique<Region>(std::move(region));
  REQUIRE(kernel_fills(lease->bytes(), 2));
  Region other = filled(1, 9);
  other = std::move(*moved);
  moved.reset();
  const Snapshot during = other.snapshot();
  CHECK(lease->data() == data);
  CHECK(data == other.data() + 3 * support::page_bytes());
  REQUIRE(kernel_fills(lease->bytes(), 3));
  CHECK(other.stats().pages_leased == 4);
  lease.reset();
  CHECK(other.stats().pages_leased == 0);
  CHECK(support::shows(other.bytes().subspan(3 * support::page_bytes(), 100), 3));
  CHECK(support::shows(during.bytes().subspan(3 * support::page_bytes(), 100), 2));
  CHECK(support::shows(past.bytes(), 1));
  CHECK(support::broken_invariant(other) == "");
}
