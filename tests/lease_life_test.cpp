// Leases: longer than their region, in great number, and across fork().

#include "catch.hpp"
#include "lease_support.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;
using cow::WriteLease;
using support::ForkedChild;
using support::kernel_fills;
using support::lease_pages;
using support::pages_of;
using support::Peer;

namespace {

constexpr std::size_t pages = 40;

Region filled(std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), pattern);
  return region;
}

}  // namespace

TEST_CASE("memory under a lease stays when its region is destroyed, and goes with the lease",
          "[mm]") {
  const cow::ProcessStats before = cow::process_stats();
  std::optional<Region> region = filled(1);
  std::optional<Snapshot> past = region->snapshot();
  std::optional<Region> clone = region->clone();
  std::optional<WriteLease> first = lease_pages(*region, 3, 4);
  std::optional<WriteLease> second = lease_pages(*region, 5, 30);
  const std::byte* const data = region->data();
  region.reset();
  CHECK(cow::process_stats().regions == before.regions + 2);
  CHECK(kernel_fills(first->bytes(), 2));
  support::fill(second->bytes(), 3);
  CHECK(support::shows(second->bytes(), 3));
  CHECK(support::load({data, support::page_bytes()}, 0) ==
        support::load(past->bytes(), 0));  // all of it stays, not only what is leased
  *first->data() = std::byte{7};
  first.reset();
  CHECK(cow::process_stats().regions == before.regions + 2);
  CHECK(kernel_fills(second->bytes(), 4));
  CHECK(support::shows(second->bytes(), 4));
  CHECK(support::shows(clone->bytes(), 1));
  CHECK(support::broken_invariant(*clone) == "");
  second.reset();
  CHECK(cow::process_stats().regions == before.regions + 1);
  CHECK(support::shows(past->bytes(), 1));
  support::fill(clone->bytes(), 5);
  CHECK(support::broken_invariant(*clone) == "");
  past.reset();
  clone.reset();
  CHECK(cow::process_stats().regions == before.regions);
  CHECK(cow::process_stats().families == before.families);
  CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
  CHECK(cow::process_stats().mappings_in_use == before.mappings_in_use);
}

TEST_CASE("stores to pages beside a lease are served when the region is gone", "[mm]") {
  std::optional<Region> region = filled(1);
  const Snapshot past = region->snapshot();
  const WriteLease lease = lease_pages(*region, 3, 1);
  region.reset();
  std::byte* const beside = lease.data() + 2 * support::page_bytes();
  support::fill({beside, support::page_bytes()}, 2);
  CHECK(support::shows({beside, support::page_bytes()}, 2));
  CHECK(support::shows(past.bytes(), 1));
}

TEST_CASE("a region that is assigned to leaves its memory to its leases", "[mm]") {
  const std::size_t before = cow::process_stats().regions;
  {
    Region region = filled(1);
    const WriteLease lease = lease_pages(region, 3, 4);
    region = filled(2);
    CHECK(cow::process_stats().regions == before + 2);
    CHECK(kernel_fills(lease.bytes(), 3));
    CHECK(support::shows(lease.bytes(), 3));
    CHECK(support::shows(region.bytes(), 2));
    CHECK(region.stats().pages_leased == 0);
  }
  CHECK(cow::process_stats().regions == before);
}

TEST_CASE("thousands of small leases are counted page by page", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  constexpr std::size_t many_pages = 1100;
  const std::size_t page = support::page_bytes();
  Region region = Region::create(many_pages * page, support::options());
  std::vector<WriteLease> leases;
  std::vector<std::size_t> holders(many_pages);
  const auto count = [&](const WriteLease& lease, std::size_t change) {
    const auto offset = static_cast<std::size_t>(lease.data() - region.data());
    for (std::size_t at = offset / page; at <= (offset + lease.size() - 1) / page; ++at) {
      holders[at] += change;
    }
  };
  const auto as_counted = [&] {
    std::size_t leased = 0;
    for (const std::size_t holder : holders) leased += holder != 0;
    return region.stats().pages_leased == leased;
  };
  const std::size_t total = support::scaled(3000);
  for (std::size_t i = 0; i < total; ++i) {
    leases.push_back(region.write_lease(random.below(region.size() - 100), random.between(1, 100)));
    count(leases.back(), 1);
    if (i % 500 == 0) CHECK(as_counted());
  }
  CHECK(as_counted());
  const Snapshot zeros = region.snapshot();
  for (const WriteLease& lease : leases) lease.data()[0] = std::byte{1};
  for (const std::size_t i : random.permutation(total)) {
    count(leases[i], std::size_t{0} - 1);
    { const WriteLease ended(std::move(leases[i])); }
    if (i % 500 == 0) {
      CHECK(as_counted());
      static_cast<void>(region.snapshot());
    }
  }
  CHECK(region.stats().pages_leased == 0);
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::all_zero(zeros.bytes()));
}

TEST_CASE("leased pages are copied in pieces where the frames of snapshots have gaps", "[mm]") {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 1);
  constexpr std::size_t rounds = 512;  // as many as fill the first extent for such frames
  std::vector<std::optional<Snapshot>> history;
  for (unsigned i = 0; i < rounds; ++i) {
    history.emplace_back(region.snapshot());
    support::store(region, 7, i, 3);
  }
  for (std::size_t i = 0; i < rounds; i += 2) history[i].reset();
  const WriteLease lease = lease_pages(region, 2, 36);
  std::vector<std::vector<std::byte>> expected;
  std::vector<Snapshot> during;
  for (std::uint64_t pattern = 2; pattern < 5; ++pattern) {
    CHECK(kernel_fills(lease.bytes(), pattern));
    expected.push_back(support::plain_copy(region.bytes()));
    during.push_back(region.snapshot());
  }
  support::fill(lease.bytes(), 5);
  for (std::size_t i = 0; i < during.size(); ++i) {
    CHECK(support::difference(expected[i], during[i].bytes()) == "");
  }
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a child's kernel writes arrive in the child alone, its leases hold there, too", "[mm]") {
  Region region = filled(1);
  const Snapshot past = region.snapshot();
  std::optional<WriteLease> lease = lease_pages(region, 3, 4);
  const auto result = support::run_in_child([&]() -> std::string {
    if (!support::shows(region.bytes(), 1)) return "the child sees other bytes";
    if (region.stats().pages_leased != 4) return "the child's pages are not leased";
    std::string broken = support::broken_invariant(region);
    if (!broken.empty()) return broken;
    if (!kernel_fills(lease->bytes(), 2)) return "the kernel refuses in the child";
    const Snapshot own = region.snapshot();
    if (!kernel_fills(lease->bytes(), 3)) return "the kernel refuses after a snapshot";
    if (!support::shows(pages_of(own, 3, 4), 2)) return "the child's snapshot changed";
    region.restore(past);
    if (!support::shows(region.bytes(), 1)) return "restore in the child is wrong";
    if (!kernel_fills(lease->bytes(), 4)) return "the kernel refuses after a restore";
    broken = support::broken_invariant(region);
    if (!broken.empty()) return broken;
    lease.reset();
    if (region.stats().pages_leased != 0) return "the child's lease does not end";
    support::fill(region.bytes(), 5);
    if (!support::shows(own.bytes().first(100), 1)) return "the child's snapshot changed later";
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::shows(past.bytes(), 1));
  CHECK(region.stats().pages_leased == 4);
  CHECK(kernel_fills(lease->bytes(), 6));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("what the kernel writes for the parent after a fork is not seen by the child", "[mm]") {
  const bool shared_before = GENERATE(false, true);
  const bool zero_pages = GENERATE(false, true);
  CAPTURE(shared_before, zero_pages);
  Region region = Region::create(pages * support::page_bytes(), support::options());
  if (!zero_pages) support::fill(region.bytes(), 1);
  const auto untouched = [&](std::span<const std::byte> bytes) {
    return zero_pages ? support::all_zero(bytes) : support::shows(bytes, 1);
  };
  std::optional<Snapshot> past;
  if (shared_before) past = region.snapshot();
  std::optional<WriteLease> lease = lease_pages(region, 3, 4);
  std::optional<WriteLease> nested = lease_pages(region, 5, 30);
  const std::uint64_t faults = region.stats().faults;
  ForkedChild child([&](Peer& parent) -> std::string {
    if (!parent.hear()) return "the parent is gone";
    if (!untouched(region.bytes())) return "the child sees the parent's kernel write";
    if (!kernel_fills(nested->bytes(), 3)) return "the kernel refuses in the child";
    parent.say();
    if (!parent.hear()) return "the parent is gone";
    if (!support::shows(nested->bytes(), 3)) return "the child's kernel write is lost";
    if (past && !untouched(past->bytes())) return "the snapshot changed in the child";
    return support::broken_invariant(region);
  });
  CHECK(region.stats().pages_leased == 32);
  CHECK(kernel_fills(nested->bytes(), 2));
  CHECK(region.stats().faults == faults);
  CHECK(support::broken_invariant(region) == "");
  child.peer().say();
  child.peer().hear();
  CHECK(support::shows(nested->bytes(), 2));
  lease.reset();
  nested.reset();
  support::fill(region.bytes(), 4);
  child.peer().say();
  const auto result = child.wait();
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::shows(region.bytes(), 4));
  if (past) CHECK(untouched(past->bytes()));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("leases hold in grandchildren, each on frames of its own", "[mm]") {
  Region region = filled(1);
  const WriteLease lease = region.write_lease(100, region.size() - 200);
  const auto result = support::run_in_child([&]() -> std::string {
    if (!kernel_fills(lease.bytes(), 2)) return "the kernel refuses in the child";
    ForkedChild grandchild([&](Peer& parent) -> std::string {
      if (!parent.hear()) return "the child is gone";
      if (!support::shows(lease.bytes(), 2)) return "the grandchild sees a later write";
      if (!kernel_fills(lease.bytes(), 4)) return "the kernel refuses in the grandchild";
      const std::string broken = support::broken_invariant(region);
      return broken.empty() && !support::shows(lease.bytes(), 4) ? "a write is lost" : broken;
    });
    if (!kernel_fills(lease.bytes(), 3)) return "the kernel refuses after the second fork";
    grandchild.peer().say();
    const auto inner = grandchild.wait();
    if (!inner.complaint.empty() || !inner.exited()) return "grandchild: " + inner.complaint;
    if (!support::shows(lease.bytes(), 3)) return "the child sees a write of the grandchild";
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::shows(region.bytes(), 1));
}

TEST_CASE("many forks with leases keep nothing once the children are gone", "[mm]") {
  Region region = filled(1);
  const WriteLease lease = lease_pages(region, 3, 20);
  REQUIRE(kernel_fills(lease.bytes(), 1));
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  for (std::uint64_t round = 2; round < 22; ++round) {
    ForkedChild child([&](Peer& parent) -> std::string {
      if (!parent.hear()) return "the parent is gone";
      return support::shows(lease.bytes(), round - 1) ? "" : "the child sees other bytes";
    });
    CHECK(kernel_fills(lease.bytes(), round));
    child.peer().say();
    const auto result = child.wait();
    REQUIRE(result.complaint == "");
    REQUIRE(result.exited());
  }
  static_cast<void>(region.snapshot());  // a control call notices that the children are gone
  static_cast<void>(region.snapshot());
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(support::shows(lease.bytes(), 21));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a lease of a region that is gone holds in a child", "[mm]") {
  std::optional<Region> region = filled(1);
  std::optional<WriteLease> lease = lease_pages(*region, 3, 4);
  region.reset();
  const auto expected = support::plain_copy(lease->bytes());
  const auto result = support::run_in_child([&]() -> std::string {
    const std::string difference = support::difference(expected, lease->bytes());
    if (!difference.empty()) return difference;
    if (!kernel_fills(lease->bytes(), 2)) return "the kernel refuses";
    lease.reset();
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::difference(expected, lease->bytes()) == "");
}
