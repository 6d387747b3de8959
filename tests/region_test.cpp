// A region by itself: its size, its zeros, its address, and what moving it does.

#include "catch.hpp"
#include "support.hpp"

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

using cow::Region;
using cow::RegionStats;

namespace {

std::vector<std::size_t> interesting_sizes() {
  const std::size_t page = support::page_bytes();
  return {1,
          2,
          page - 1,
          page,
          page + 1,
          2 * page,
          3 * page,
          511 * page + 9,
          512 * page,
          512 * page + 1,
          1100 * page + 17};
}

}  // namespace

TEST_CASE("a new region of any size is zero-filled and begins on a page", "[api]") {
  for (const std::size_t size : interesting_sizes()) {
    CAPTURE(size);
    const Region region = Region::create(size, support::options());
    CHECK(region.size() == size);
    CHECK(region.bytes().size() == size);
    CHECK(region.bytes().data() == region.data());
    CHECK(region.page_bytes() == support::page_bytes());
    CHECK(reinterpret_cast<std::uintptr_t>(region.data()) % region.page_bytes() == 0);
    CHECK(support::all_zero(region.bytes()));
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("a new region is one mapping and has neither frames nor faults", "[api]") {
  for (const std::size_t size : interesting_sizes()) {
    CAPTURE(size);
    const Region region = Region::create(size, support::options());
    const RegionStats stats = region.stats();
    CHECK(stats.pages == (size + region.page_bytes() - 1) / region.page_bytes());
    CHECK(stats.pages_zero == stats.pages);
    CHECK(stats.pages_shared == 0);
    CHECK(stats.pages_private == 0);
    CHECK(stats.pages_writable == 0);
    CHECK(stats.faults == 0);
    CHECK(stats.mappings == 1);
    CHECK(support::count_mappings(region) == 1);
  }
}

TEST_CASE("neither creating nor reading a region takes memory for frames", "[api][handler]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  const Region region = Region::create(300 * support::page_bytes(), support::options());
  CHECK(cow::process_stats().bytes_in_use == before);
  CHECK(support::all_zero(region.bytes()));
  CHECK(cow::process_stats().bytes_in_use == before);
  CHECK(region.stats().pages_zero == 300);
}

TEST_CASE("the first store to a page takes the memory of one page and copies nothing",
          "[api][handler]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  Region region = Region::create(40 * support::page_bytes(), support::options());
  support::store(region, 17, 0xab, 5);

  const RegionStats stats = region.stats();
  CHECK(stats.faults == 1);
  CHECK(stats.pages_zero_filled >= 1);
  CHECK(stats.pages_copied == 0);
  CHECK(stats.pages_upgraded == 0);
  CHECK(stats.pages_private == stats.pages_zero_filled);
  CHECK(stats.pages_writable == stats.pages_private);
  CHECK(stats.pages_shared == 0);
  CHECK(cow::process_stats().bytes_in_use > before);
  CHECK(cow::process_stats().bytes_in_use <= before + region.page_bytes());

  std::vector<std::byte> expected(region.size());
  expected[17 * region.page_bytes() + 5] = std::byte{0xab};
  CHECK(support::difference(expected, region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE(
    "reading a page table's leaf that nobody stored to takes no memory, whatever is beside it",
    "[api][handler]") {
  Region region = Region::create(1200 * support::page_bytes(), support::options());
  support::store(region, 17, 1);
  support::store(region, 1100, 1);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  const std::size_t leaf_bytes = 512 * support::page_bytes();
  CHECK(support::all_zero(region.bytes().subspan(leaf_bytes).first(leaf_bytes)));
  CHECK(cow::process_stats().bytes_in_use == in_use);
}

TEST_CASE("the second store to a page does not fault", "[api]") {
  Region region = Region::create(3 * support::page_bytes(), support::options());
  support::store(region, 1, 1);
  const std::uint64_t faults = region.stats().faults;
  for (std::size_t offset = 0; offset < region.page_bytes(); offset += 7) {
    support::store(region, 1, 2, offset);
  }
  CHECK(region.stats().faults == faults);
}

TEST_CASE("every byte can be stored to, up to the last one of a page that is not full", "[api]") {
  for (const std::size_t size : interesting_sizes()) {
    CAPTURE(size);
    Region region = Region::create(size, support::options());
    support::fill(region.bytes(), size);
    CHECK(support::shows(region.bytes(), size));
    support::settle(region);
    CHECK(region.stats().pages_zero == 0);
    CHECK(region.stats().pages_private == region.stats().pages);
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("a store that straddles two pages arrives whole and takes both", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(8 * page, support::single_page_options());
  const std::uint64_t word = 0x1122334455667788u;
  for (const std::size_t back : {1u, 3u, 4u, 7u}) {
    CAPTURE(back);
    const std::size_t at = (back % 7 + 1) * page - back;
    std::memcpy(region.data() + at, &word, sizeof(word));
    CHECK(support::read_word(region.bytes(), at) == word);
  }
  CHECK(support::broken_invariant(region) == "");

  support::fill(region.bytes(), 1);
  Region wide = region.clone();
  std::vector<std::byte> source(3 * page, std::byte{0x5a});
  std::memcpy(wide.data() + page / 2, source.data(), source.size());
  CHECK(wide.stats().faults == (support::kernel_copies() ? 0 : 4));
  support::settle(wide);
  CHECK(wide.stats().pages_copied == 4);
  CHECK(wide.stats().pages_private == 4);
  CHECK(support::same_bytes(wide.bytes().subspan(page / 2, source.size()), source));
}

TEST_CASE("a region keeps its address whatever is done to it", "[api]") {
  Region region = Region::create(20 * support::page_bytes(), support::options());
  const std::byte* const address = region.data();
  support::fill(region.bytes(), 1);
  CHECK(region.data() == address);

  const cow::Snapshot snapshot = region.snapshot();
  Region clone = region.clone();
  CHECK(region.data() == address);
  CHECK(clone.data() != address);

  support::fill(region.bytes(), 2);
  region.restore(snapshot);
  CHECK(region.data() == address);
  CHECK(support::shows(region.bytes(), 1));

  const Region moved = std::move(region);
  CHECK(moved.data() == address);
}

TEST_CASE("a region is moved, never copied", "[api]") {
  static_assert(!std::is_copy_constructible_v<Region>);
  static_assert(!std::is_copy_assignable_v<Region>);
  static_assert(std::is_nothrow_move_constructible_v<Region>);
  static_assert(std::is_nothrow_move_assignable_v<Region>);

  Region first = Region::create(5 * support::page_bytes(), support::options());
  support::fill(first.bytes(), 7);
  const RegionStats before = first.stats();
  Region second = std::move(first);
  CHECK(support::shows(second.bytes(), 7));
  CHECK(second.stats().faults == before.faults);
  support::store(second, 2, 0xee);
  CHECK(support::load(second.bytes(), 2) == 0xee);
}

TEST_CASE("a region that is assigned to gives its own frames back first", "[api]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  Region kept = Region::create(6 * support::page_bytes(), support::options());
  support::fill(kept.bytes(), 1);
  support::settle(kept);
  const std::size_t with_one = cow::process_stats().bytes_in_use;
  Region dropped = Region::create(9 * support::page_bytes(), support::options());
  support::fill(dropped.bytes(), 2);
  const std::size_t regions = cow::process_stats().regions;

  dropped = std::move(kept);
  CHECK(cow::process_stats().regions == regions - 1);
  CHECK(cow::process_stats().bytes_in_use == with_one);
  CHECK(support::shows(dropped.bytes(), 1));
  CHECK(with_one == before + dropped.size());
}

TEST_CASE("regions in a vector survive its growth", "[api]") {
  std::vector<Region> regions;
  for (std::size_t i = 0; i < 40; ++i) {
    regions.push_back(Region::create((i + 1) * 100, support::options()));
    support::fill(regions.back().bytes(), i);
  }
  for (std::size_t i = 0; i < regions.size(); ++i) CHECK(support::shows(regions[i].bytes(), i));
}

TEST_CASE("dropping a region gives back its frames, its mappings and its place in the counts",
          "[api]") {
  const cow::ProcessStats before = cow::process_stats();
  {
    Region first = Region::create(70 * support::page_bytes(), support::options());
    Region second = Region::create(3, support::options());
    support::fill(first.bytes(), 1);
    support::fill(second.bytes(), 2);
    support::settle(first);
    support::settle(second);
    const cow::ProcessStats during = cow::process_stats();
    CHECK(during.regions == before.regions + 2);
    CHECK(during.families == before.families + 2);
    // Of the second region's one page, only what three bytes need is sure to be there.
    CHECK(during.bytes_in_use > before.bytes_in_use + 70 * support::page_bytes());
    CHECK(during.bytes_in_use <= before.bytes_in_use + 71 * support::page_bytes());
    CHECK(during.mappings_in_use >= before.mappings_in_use + 2);
    CHECK(during.bytes_metadata > before.bytes_metadata);
  }
  const cow::ProcessStats after = cow::process_stats();
  CHECK(after.regions == before.regions);
  CHECK(after.families == before.families);
  CHECK(after.bytes_in_use == before.bytes_in_use);
  CHECK(after.frames_in_use == before.frames_in_use);
  CHECK(after.mappings_in_use == before.mappings_in_use);
  CHECK(after.bytes_metadata == before.bytes_metadata);
}

TEST_CASE("a fresh page never shows what a dropped region or clone had in memory", "[api]") {
  const std::size_t pages = 64;
  for (int round = 0; round < 5; ++round) {
    Region secret = Region::create(pages * support::page_bytes(), support::options());
    std::memset(secret.data(), 0xee, secret.size());
  }
  Region fresh = Region::create(pages * support::page_bytes(), support::options());
  CHECK(support::all_zero(fresh.bytes()));

  for (int round = 0; round < 5; ++round) {
    Region clone = fresh.clone();
    CHECK(support::all_zero(clone.bytes()));
    std::memset(clone.data(), 0xee, clone.size());
  }
  CHECK(support::all_zero(fresh.bytes()));
  std::vector<std::byte> expected(fresh.size());
  for (std::size_t page = 0; page < pages; page += 3) {
    support::store(fresh, page, 1);
    expected[page * fresh.page_bytes()] = std::byte{1};
  }
  CHECK(support::difference(expected, fresh.bytes()) == "");
}

TEST_CASE("a granule is what one store takes, from the host's page to 2 MiB", "[api]") {
  for (std::size_t granule = support::page_bytes(); granule <= (std::size_t{2} << 20);
       granule *= 2) {
    CAPTURE(granule);
    cow::RegionOptions options = support::single_page_options();
    options.granule_bytes = granule;
    Region region = Region::create(4 * granule + 1, options);
    CHECK(region.page_bytes() == granule);
    CHECK(region.stats().pages == 5);
    support::fill(region.bytes(), granule);
    Region clone = region.clone();
    clone.bytes()[2 * granule + granule / 2] ^= std::byte{0xff};
    const bool kernel_copies = clone.stats().mechanism == cow::Mechanism::kernel;
    if (kernel_copies) support::settle(clone);
    CHECK(clone.stats().pages_copied == 1);
    CHECK(clone.stats().pages_private == 1);
    clone.bytes()[2 * granule + granule / 2] ^= std::byte{0xff};
    CHECK(clone.stats().faults == (kernel_copies ? 0 : 1));
    CHECK(support::shows(clone.bytes(), granule));
    CHECK(support::shows(region.bytes(), granule));
    CHECK(support::broken_invariant(clone) == "");
  }
}
