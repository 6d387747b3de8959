// Leases by address, for code that does not know of regions: cow::write_lease(address, length).

#include "catch.hpp"
#include "lease_support.hpp"

#include <array>
#include <atomic>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;
using cow::WriteLease;
using support::kernel_fills;
using support::pages_of;

namespace {

constexpr std::size_t pages = 8;

/// A region that ends in the middle of its last page.
Region filled(std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes() - 100, support::options());
  support::fill(region.bytes(), pattern);
  return region;
}

bool is_empty(const WriteLease& lease) { return lease.data() == nullptr && lease.size() == 0; }

}  // namespace

TEST_CASE("a lease by address is that of the region it lies in", "[api]") {
  Region first = filled(1);
  Region second = filled(2);
  Region clone = second.clone();
  const std::size_t page = support::page_bytes();
  for (Region* const region : {&first, &second, &clone}) {
    const Snapshot past = region->snapshot();
    const std::vector<std::byte> before = support::plain_copy(region->bytes());
    {
      const WriteLease lease = cow::write_lease(region->data() + page + 5, 2 * page);
      CHECK(lease.data() == region->data() + page + 5);
      CHECK(lease.size() == 2 * page);
      CHECK(first.stats().pages_leased + second.stats().pages_leased + clone.stats().pages_leased ==
            3);
      CHECK(region->stats().pages_leased == 3);
      CHECK(kernel_fills(lease.bytes(), 7));
      const Snapshot meanwhile = region->snapshot();
      CHECK(kernel_fills(lease.bytes(), 8));
      CHECK(support::shows(meanwhile.bytes().subspan(page + 5, 2 * page), 7));
    }
    CHECK(region->stats().pages_leased == 0);
    CHECK(support::difference(before, past.bytes()) == "");
    CHECK(support::broken_invariant(*region) == "");
  }
}

TEST_CASE("a lease on an address in no region is empty", "[api]") {
  std::array<std::byte, 64> local{};
  const std::vector<std::byte> heap(64);
  CHECK(is_empty(cow::write_lease(local.data(), local.size())));
  CHECK(is_empty(cow::write_lease(nullptr, 64)));
  CHECK(is_empty(cow::write_lease(nullptr, std::numeric_limits<std::size_t>::max())));
  Region region = filled(1);
  const Snapshot snapshot = region.snapshot();
  CHECK(is_empty(cow::write_lease(local.data(), local.size())));
  CHECK(is_empty(cow::write_lease(const_cast<std::byte*>(heap.data()), heap.size())));
  // The bytes of a snapshot are nobody's to write to.
  CHECK(is_empty(cow::write_lease(const_cast<std::byte*>(snapshot.bytes().data()), 64)));
  std::byte* const gone = [] { return Region::create(support::page_bytes()).data(); }();
  CHECK(is_empty(cow::write_lease(gone, 64)));
  CHECK(region.stats().pages_leased == 0);
}

TEST_CASE("a lease by address has the bytes that are in the region and no others", "[api]") {
  Region region = filled(1);
  const Snapshot past = region.snapshot();
  const std::size_t page = support::page_bytes();
  std::byte* const begin = region.data();
  std::byte* const end = begin + region.size();
  CHECK(is_empty(cow::write_lease(begin + page, 0)));
  CHECK(is_empty(cow::write_lease(begin - 1, page)));  // a guard page lies before it
  CHECK(is_empty(cow::write_lease(end, 1)));           // the rest of the last page
  CHECK(is_empty(cow::write_lease(end + 99, 1)));
  CHECK(is_empty(cow::write_lease(end + 100, 1)));
  CHECK(region.stats().pages_leased == 0);
  for (const std::size_t length :
       {std::size_t{21}, std::size_t{1} << 30, std::numeric_limits<std::size_t>::max()}) {
    const WriteLease lease = cow::write_lease(end - 20, length);
    CHECK(lease.data() == end - 20);
    CHECK(lease.size() == 20);
    CHECK(region.stats().pages_leased == 1);
    CHECK(kernel_fills(lease.bytes(), 2));
  }
  const WriteLease all = cow::write_lease(begin, std::numeric_limits<std::size_t>::max());
  CHECK(all.size() == region.size());
  CHECK(region.stats().pages_leased == pages);
  CHECK(support::shows(past.bytes(), 1));
}

TEST_CASE("a lease by address outlives its region, and another region's end", "[api]") {
  const std::size_t page = support::page_bytes();
  std::optional<Region> region = filled(1);
  std::byte* const begin = region->data();
  WriteLease lease = cow::write_lease(begin, 2 * page);
  { const Region other = filled(2); }
  region.reset();
  CHECK(kernel_fills(lease.bytes(), 3));
  CHECK(cow::write_lease(begin, page).size() == page);  // the memory is there still
  lease = WriteLease();
  CHECK(is_empty(lease));
  CHECK(is_empty(cow::write_lease(begin, page)));
}

TEST_CASE("leases by address beside snapshots: each of the kernel's writes arrives whole",
          "[api]") {
  Region region = Region::create(64 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  std::atomic<unsigned> running{3};
  std::atomic<std::uint64_t> failed{0};
  const auto work = [&](std::size_t which) {
    const auto mine = pages_of(region, which * 20, 20);
    for (std::uint64_t round = 0; round < support::scaled(300); ++round) {
      const auto part = mine.subspan(round * 61 % 4000, support::page_bytes() * (1 + round % 15));
      const WriteLease lease = cow::write_lease(part.data(), part.size());
      failed +=
          lease.size() != part.size() || !kernel_fills(part, round) || !support::shows(part, round);
    }
    --running;
  };
  std::vector<std::thread> threads;
  for (std::size_t which = 0; which < 3; ++which) threads.emplace_back(work, which);
  while (running > 0) {
    const Snapshot snapshot = region.snapshot();
    const Region clone = region.clone();
    const Region another = Region::create(support::page_bytes());  // the registry changes
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(region.stats().pages_leased == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a lease by address copies what it has to and nothing twice", "[api][handler]") {
  Region region = Region::create(32 * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 1);
  const Snapshot past = region.snapshot();
  const std::uint64_t copied = region.stats().pages_copied;
  const std::uint64_t faults = region.stats().faults;
  for (int round = 0; round < 5; ++round) {
    const WriteLease lease =
        cow::write_lease(pages_of(region, 3).data(), 4 * support::page_bytes());
    CHECK(region.stats().pages_leased == 4);
  }
  CHECK(region.stats().pages_copied - copied == 4);
  CHECK(region.stats().faults == faults);
}
