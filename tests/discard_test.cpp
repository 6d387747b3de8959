// Region::discard: whole pages show zeros and give their frames back, and nobody else notices.

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "discard_support.hpp"
#include "folder.hpp"
#include "lease_support.hpp"
#include "support.hpp"

using cow::CloneMode;
using cow::PageRange;
using cow::Region;
using cow::Snapshot;

using discarding::discard_pages;
using discarding::filled;
using discarding::pages;
using discarding::pages_in_use;
using discarding::with_zeros;

TEST_CASE("discard makes whole pages zero and leaves parts of pages alone, whatever the granule",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  for (const std::size_t factor : {1u, 4u, 16u}) {
    cow::RegionOptions options = support::single_page_options();
    options.granule_bytes = factor * support::page_bytes();
    const std::size_t page = options.granule_bytes;
    const std::size_t size = 20 * page + 100;
    for (int round = 0; round < 20; ++round) {
      Region region = Region::create(size, options);
      support::fill(region.bytes(), 1);
      std::vector<std::byte> expected = support::plain_copy(region.bytes());
      const std::size_t offset = random.one_in(4) ? random.below(21) * page : random.below(size);
      const std::size_t rest = size - offset;
      const std::size_t length = random.one_in(4) ? rest : random.below(rest + 1);
      CAPTURE(page, offset, length);
      region.discard(offset, length);
      for (std::size_t first = 0; first < size; first += page) {
        const std::size_t last = std::min(first + page, size);
        if (offset > first || last > offset + length) continue;
        std::fill(expected.begin() + static_cast<std::ptrdiff_t>(first),
                  expected.begin() + static_cast<std::ptrdiff_t>(last), std::byte{0});
      }
      REQUIRE(support::difference(expected, region.bytes()) == "");
      REQUIRE(support::broken_invariant(region) == "");
    }
  }
}

TEST_CASE("snapshots, views, clones and children keep what they saw of discarded pages", "[mm]") {
  Region region = filled();
  const std::vector<std::byte> past = support::plain_copy(region.bytes());
  const Snapshot unread = region.snapshot();
  const Snapshot read = region.snapshot();
  REQUIRE(support::difference(past, read.bytes()) == "");
  const Region clone = region.clone();
  const Region copy = region.clone(CloneMode::eager);
  support::ForkedChild child([&](support::Peer& parent) -> std::string {
    static_cast<void>(parent.hear());
    return support::difference(past, std::as_const(region).bytes());
  });
  discard_pages(region, 3, 1000);
  CHECK(support::difference(with_zeros(past, 3, 1000), region.bytes()) == "");
  CHECK(support::difference(past, unread.bytes()) == "");
  CHECK(support::difference(past, read.bytes()) == "");
  CHECK(support::difference(past, clone.bytes()) == "");
  CHECK(support::difference(past, copy.bytes()) == "");
  child.peer().say();
  CHECK(child.wait().complaint == "");
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("a child discards pages of its own, and the parent keeps them", "[mm]") {
  Region region = filled();
  const auto result = support::run_in_child([&]() -> std::string {
    discard_pages(region, 0, 600);
    support::store(region, 5, 7);
    if (support::load(region.bytes(), 5) != 7 || support::load(region.bytes(), 6) != 0) {
      return "the child shows something else";
    }
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(support::shows(region.bytes(), 1));
}

TEST_CASE("a store to a discarded page faults like the first one to a page never touched",
          "[mm][handler]") {
  Region region = filled();
  discard_pages(region, 600, 20);  // in one leaf
  const cow::RegionStats before = region.stats();
  REQUIRE(before.pages_zero == 20);
  const std::span<std::byte> page = support::pages_of(region, 610);
  std::fill(page.begin(), page.end(), std::byte{9});
  const cow::RegionStats after = region.stats();
  CHECK(after.faults == before.faults + 1);
  CHECK(after.pages_zero_filled == before.pages_zero_filled + 20);  // those around go along
  CHECK(after.pages_copied == before.pages_copied);
  CHECK(after.mappings == 1);  // all of it is side by side again
  CHECK(pages_in_use() == pages - 20 + 1);
  CHECK(support::load(region.bytes(), 610) == 9);
  CHECK(support::load(region.bytes(), 611) == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a diff names the discarded pages and no page that was zero before", "[mm]") {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  for (std::size_t page = 0; page < 40; ++page) support::store(region, page, 1);
  const Snapshot before = region.snapshot();
  discard_pages(region, 30, 600);
  const Snapshot after = region.snapshot();
  const std::vector<PageRange> changed{{30, 10}};
  CHECK(cow::diff(before, after) == changed);
  CHECK(cow::diff(after, before) == changed);
  support::store(region, 35, 2);
  CHECK(cow::diff(after, region.snapshot()) == std::vector<PageRange>{{35, 1}});
}

TEST_CASE("restore brings discarded pages back, also in a loop that copies hot pages alone",
          "[mm]") {
  Region region = filled();
  const Snapshot past = region.snapshot();
  discard_pages(region, 10, 800);
  region.restore(past);
  CHECK(support::shows(region.bytes(), 1));
  const auto round = [&] {
    for (std::size_t page = 0; page < 8; ++page) support::flip(region, page);
    region.restore(past);
  };
  for (int i = 0; i < 10; ++i) round();
  const std::uint64_t faults = region.stats().faults;
  round();
  REQUIRE(region.stats().faults == faults);  // all of them are hot
  for (const std::size_t first : {0u, 4u, 100u}) {
    for (std::size_t page = 0; page < 8; ++page) support::flip(region, page);
    discard_pages(region, first, 6);
    CHECK(support::all_zero(support::pages_of(region, first, 6)));
    region.restore(past);
    CHECK(support::shows(region.bytes(), 1));
    CHECK(support::broken_invariant(region) == "");
    round();
    CHECK(support::shows(region.bytes(), 1));
  }
}

TEST_CASE("pages that snapshots copy since they are hot are discarded like others", "[mm]") {
  if (support::copies_of_a_page() > 1) return;  // too dear to be copied again and again
  Region region = filled();
  std::vector<Snapshot> snapshots;
  for (unsigned round = 1; round < 6; ++round) {
    for (std::size_t page = 0; page < 16; ++page) support::store(region, page, round);
    snapshots.push_back(region.snapshot(cow::SnapshotMode::quiescent));
  }
  const std::uint64_t faults = region.stats().faults;
  support::store(region, 3, 77);
  REQUIRE(region.stats().faults == faults);  // it is hot
  discard_pages(region, 2, 4);
  CHECK(support::all_zero(support::pages_of(region, 2, 4)));
  CHECK(support::load(region.bytes(), 1) == 5);
  CHECK(support::load(snapshots.back().bytes(), 3) == 5);
  const Snapshot after = region.snapshot(cow::SnapshotMode::quiescent);
  CHECK(support::all_zero(support::pages_of(after, 2, 4)));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("discarded pages of an opened file show zeros, never the file, whoever touched them",
          "[mm]") {
  const support::Folder folder;
  const std::size_t page = support::page_bytes();
  std::vector<std::byte> content(pages * page - 5);
  support::fill(content, 3);
  support::write_file(folder / "file", content);
  Region region = Region::open(folder / "file", support::single_page_options());
  const Snapshot past = region.snapshot();
  support::store(region, 4, 1);
  discard_pages(region, 4, 1);                 // stored to
  discard_pages(region, 600, 10);              // never touched
  region.discard(1190 * page, 10 * page - 5);  // up to the end, where a copy of the last page is
  const auto zero = [&](std::size_t first, std::size_t count) {
    return support::all_zero({region.data() + first * page, count * page});
  };
  CHECK(zero(4, 1));
  CHECK(zero(600, 10));
  CHECK(zero(1190, 10));
  CHECK(support::difference(content, past.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
  discard_pages(region, 0, pages - 1);
  CHECK(zero(0, pages));
  region.restore(past);
  CHECK(support::difference(content, region.bytes()) == "");
  CHECK(support::read_file(folder / "file") == content);
}

TEST_CASE("with frames reserved, discarded pages keep theirs, and no store needs another",
          "[mm][handler]") {
  cow::RegionOptions options = support::single_page_options();
  options.reserve_frames = true;
  Region region = filled(1, options);
  const Snapshot past = region.snapshot();
  support::fill(region.bytes().first(region.size() / 2), 2);
  const std::size_t in_use = pages_in_use();
  discard_pages(region, 10, 1000);
  CHECK(pages_in_use() == in_use);
  CHECK(support::all_zero(support::pages_of(region, 10, 1000)));
  CHECK(region.stats().mappings <= 3);
  for (std::size_t page = 0; page < pages; ++page) support::store(region, page, 9);
  CHECK(pages_in_use() == in_use);
  CHECK(support::shows(past.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a leased page that is discarded is zeros in its frame, and the lease holds", "[mm]") {
  Region region = filled();
  std::optional<cow::WriteLease> lease = support::lease_pages(region, 50, 4);
  const Snapshot past = region.snapshot();
  discard_pages(region, 40, 30);
  CHECK(support::all_zero(support::pages_of(region, 40, 30)));
  CHECK(region.stats().pages_leased == 4);
  CHECK(support::shows(past.bytes(), 1));
  const std::size_t in_use = pages_in_use();
  REQUIRE(support::kernel_fills(lease->bytes(), 8));  // and takes no memory for it
  CHECK(pages_in_use() == in_use);
  CHECK(support::shows(support::pages_of(region, 50, 4), 8));
  CHECK(support::all_zero(support::pages_of(region, 54, 16)));
  CHECK(support::broken_invariant(region) == "");
  CHECK(cow::diff(past, region.snapshot()) == std::vector<PageRange>{{40, 30}});
  lease.reset();
  discard_pages(region, 40, 30);
  CHECK(support::all_zero(support::pages_of(region, 40, 30)));
  CHECK(region.stats().pages_zero == 30);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("with huge pages a region discards single pages and all of them", "[mm][handler]") {
  cow::RegionOptions options = support::single_page_options();
  options.huge_pages = true;
  Region region = filled(1, options);
  const std::vector<std::byte> past = support::plain_copy(region.bytes());
  discard_pages(region, 7, 1);
  CHECK(support::difference(with_zeros(past, 7, 1), region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
  discard_pages(region, 0, pages);
  CHECK(support::all_zero(region.bytes()));
  CHECK(pages_in_use() == 0);
}

TEST_CASE("discarded pages are saved as zeros, in full and as a delta", "[mm]") {
  const support::Folder folder;
  Region region = filled();
  const Snapshot base = region.snapshot();
  base.save(folder / "full");
  discard_pages(region, 17, 600);
  const std::vector<std::byte> now = support::plain_copy(region.bytes());
  const Snapshot changed = region.snapshot();
  changed.save_delta(base, folder / "delta");
  changed.save(folder / "changed");
  CHECK(support::difference(now, Region::load({folder / "full", folder / "delta"}).bytes()) == "");
  CHECK(support::difference(now, Region::load(folder / "changed").bytes()) == "");
}

TEST_CASE("a loaded region that is discarded from is no base for what follows its image", "[mm]") {
  const support::Folder folder;
  const Region region = filled();
  const Snapshot full = region.snapshot();
  full.save(folder / "full");
  Region loaded = Region::load(folder / "full");
  discard_pages(loaded, 1, 3);
  loaded.snapshot().save_delta(loaded.snapshot(), folder / "delta");
  CHECK_THROWS_AS(Region::load({folder / "full", folder / "delta"}), std::system_error);
}

TEST_CASE("a discard past the end, or of a region that was moved from, is refused in words",
          "[mm]") {
  Region region = filled();
  const std::size_t size = region.size();
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  const std::pair<std::size_t, std::size_t> ranges[] = {{0, size + 1}, {size, 1}, {size + 1, 0},
                                                        {1, most},     {most, 1}, {most, most}};
  for (const auto& [offset, length] : ranges) {
    CAPTURE(offset, length);
    const std::size_t from = offset;
    const std::size_t bytes = length;
    const std::string words =
        support::words_of<std::invalid_argument>([&] { region.discard(from, bytes); });
    CHECK(support::is_sentence(words));
    CHECK(words.starts_with("Region::discard"));
  }
  region.discard(size, 0);
  region.discard(7, 0);
  CHECK(support::shows(region.bytes(), 1));
  const Region taken = std::move(region);
  CHECK_THROWS_AS(region.discard(0, 0), std::logic_error);  // NOLINT(*-use-after-move)
}
