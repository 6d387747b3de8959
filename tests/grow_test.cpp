// Region::grow: longer at the same address, and what all the other calls make of different sizes.

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::PageRange;
using cow::Region;
using cow::Snapshot;

namespace {

using Ranges = std::vector<PageRange>;

cow::RegionOptions growing_to(std::size_t most_bytes) {
  cow::RegionOptions options = support::options();
  options.most_bytes = most_bytes;
  return options;
}

Region growing(std::size_t pages, std::size_t most_pages, std::uint64_t pattern) {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(pages * page, growing_to(most_pages * page));
  support::fill(region.bytes(), pattern);
  return region;
}

std::string refusal(const std::function<void()>& call) {
  return support::words_of<std::invalid_argument>(call);
}

}  // namespace

TEST_CASE("a region grows at its address, and the new bytes are zeros", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(3 * page - 7, growing_to(2000 * page));
  support::fill(region.bytes(), 1);
  const std::byte* const address = region.data();
  std::size_t size = region.size();
  for (const std::size_t to : {3 * page - 6, 3 * page, 4 * page + 1, 600 * page, 2000 * page}) {
    CAPTURE(to);
    const std::vector<std::byte> before = support::plain_copy(region.bytes());
    region.grow(to);
    CHECK(region.size() == to);
    CHECK(region.data() == address);
    CHECK(support::difference(before, region.bytes().first(size)) == "");
    CHECK(support::all_zero(region.bytes().subspan(size)));
    support::fill(region.bytes(), to);
    CHECK(support::shows(region.bytes(), to));
    CHECK(support::broken_invariant(region) == "");
    CHECK(region.stats().pages == (to + page - 1) / page);
    const cow::RegionStats stats = region.stats();
    CHECK(stats.pages_zero + stats.pages_shared + stats.pages_private == stats.pages);
    size = to;
  }
}

TEST_CASE("what was stored behind the end on its page is zeros when the region grows", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(page + 10, growing_to(4 * page));
  std::memset(region.data() + page + 10, 0x77, 100);  // belongs to libcow, but nothing stops it
  region.grow(3 * page);
  CHECK(support::all_zero(region.bytes()));
}

TEST_CASE("the room to grow takes no memory before it is stored to", "[api]") {
  const std::size_t page = support::page_bytes();
  const cow::ProcessStats before = cow::process_stats();
  Region region = Region::create(page, growing_to(std::size_t{1} << 36));
  support::store(region, 0, 1);
  region.grow(std::size_t{1} << 35);
  CHECK(cow::process_stats().bytes_in_use - before.bytes_in_use <= page);
  const Snapshot snapshot = region.snapshot();
  region.bytes()[region.size() - 1] = std::byte{1};
  CHECK(cow::process_stats().bytes_in_use - before.bytes_in_use <= 2 * page);
  CHECK(region.stats().mappings < 10);
}

TEST_CASE("a store behind the last page is a segmentation fault, before and after growing",
          "[api]") {
  for (const std::size_t to : {std::size_t{3}, std::size_t{5}, std::size_t{600}}) {
    CAPTURE(to);
    const auto result = support::run_in_child([&]() -> std::string {
      support::die_silently_of_faults();
      const std::size_t page = support::page_bytes();
      Region region = growing(3, 2000, 1);
      region.grow(to * page);
      support::fill(region.bytes(), 2);  // windows end at the end
      Region eager = region.clone(cow::CloneMode::eager);
      support::fill(eager.bytes(), 3);
      auto* const behind = reinterpret_cast<volatile std::byte*>(region.data() + to * page);
      if (*behind != std::byte{0}) return "a load behind the end shows something";
      *behind = std::byte{1};
      return "a store behind the end went through";
    });
    CHECK(result.complaint == "");
    CHECK(result.died_of(SIGSEGV));
  }
}

TEST_CASE("sizes beyond the room, and smaller ones, are refused with everything as it was",
          "[api]") {
  const std::size_t page = support::page_bytes();
  Region fixed = Region::create(100, support::options());
  CHECK(refusal([&] { fixed.grow(101); }).find("most_bytes") != std::string::npos);
  fixed.grow(100);
  Region region = growing(3, 10, 1);
  CHECK(refusal([&] { region.grow(10 * page + 1); }).find("most_bytes") != std::string::npos);
  CHECK(refusal([&] { region.grow(3 * page - 1); }).find("shorter") != std::string::npos);
  CHECK(region.size() == 3 * page);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(refusal([&] { (void)Region::create(2 * page, growing_to(page)); }).find("most_bytes") !=
        std::string::npos);
  cow::RegionOptions kernel = growing_to(page);
  kernel.mechanism = cow::Mechanism::kernel;
  CHECK(refusal([&] { (void)Region::create(1, kernel); }).find("most_bytes") != std::string::npos);
  kernel.mechanism = cow::Mechanism::automatic;
  CHECK(Region::create(1, kernel).stats().mechanism == cow::Mechanism::handler);
  const support::Folder folder;
  support::write_file(folder / "file", std::vector<std::byte>(page));
  CHECK(refusal([&] {
          (void)Region::open(folder / "file", growing_to(2 * page));
        }).find("most_bytes") != std::string::npos);
}

TEST_CASE("a snapshot has the size of its time, and restore brings it back", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = growing(3, 700, 1);
  const Snapshot small = region.snapshot();
  region.grow(650 * page + 5);
  support::fill(region.bytes(), 2);
  const Snapshot large = region.snapshot();
  CHECK(small.size() == 3 * page);
  CHECK(support::shows(small.bytes(), 1));
  for (int round = 0; round < 3; ++round) {
    region.restore(small);
    CHECK(region.size() == 3 * page);
    CHECK(support::shows(region.bytes(), 1));
    region.grow(4 * page);
    CHECK(support::all_zero(region.bytes().subspan(3 * page)));
    support::fill(region.bytes(), 3);
    region.restore(large);
    CHECK(region.size() == 650 * page + 5);
    CHECK(support::shows(region.bytes(), 2));
    CHECK(support::broken_invariant(region) == "");
  }
  CHECK(support::shows(Region::from_snapshot(small).bytes(), 1));
  CHECK(Region::from_snapshot(large).size() == 650 * page + 5);
}

TEST_CASE("a rollback loop in which the region grows goes back to the smaller size", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = growing(3, 20, 1);
  const Snapshot snapshot = region.snapshot();
  for (std::size_t round = 0; round < 40; ++round) {
    region.grow((4 + round % 10) * page);
    CHECK(support::all_zero(region.bytes().subspan(3 * page)));
    support::fill(region.bytes(), round);
    region.restore(snapshot);
    REQUIRE(region.size() == 3 * page);
    REQUIRE(support::shows(region.bytes(), 1));
  }
}

TEST_CASE("clones grow each for itself", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = growing(3, 700, 1);
  Region lazy = region.clone();
  Region eager = region.clone(cow::CloneMode::eager);
  lazy.grow(600 * page);
  support::fill(lazy.bytes(), 2);
  eager.grow(5 * page);
  support::fill(eager.bytes(), 3);
  CHECK(region.size() == 3 * page);
  CHECK(support::shows(region.bytes(), 1));
  region.grow(600 * page);
  CHECK(support::all_zero(region.bytes().subspan(3 * page)));
  CHECK(support::shows(lazy.bytes(), 2));
  CHECK(support::shows(eager.bytes(), 3));
}

TEST_CASE("diff and changed_since list the pages that one side lacks", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = growing(3, 700, 1);
  const Snapshot small = region.snapshot();
  region.grow(5 * page + 1);
  support::flip(region, 1);
  const Ranges expected{{1, 1}, {3, 3}};
  CHECK(region.changed_since(small) == expected);
  const Snapshot large = region.snapshot();
  CHECK(cow::diff(small, large) == expected);
  CHECK(cow::diff(large, small) == expected);
  region.grow(6 * page);
  CHECK(region.changed_since(large) == Ranges{{5, 1}});  // it had a part of that page
}

TEST_CASE("apply, merge and deltas between different sizes are refused, images have their own",
          "[api]") {
  const support::Folder folder;
  const std::size_t page = support::page_bytes();
  Region region = growing(3, 20, 1);
  const Snapshot small = region.snapshot();
  region.grow(6 * page);
  support::fill(region.bytes(), 2);
  const Snapshot large = region.snapshot();
  CHECK(refusal([&] { region.apply({{0, 1}}, small); }).find("size") != std::string::npos);
  CHECK(refusal([&] { (void)cow::merge(small, large, small); }).find("size") != std::string::npos);
  CHECK(refusal([&] { large.save_delta(small, folder / "delta"); }).find("size") !=
        std::string::npos);
  small.save(folder / "small");
  large.save(folder / "large");
  CHECK(support::shows(Region::load(folder / "small").bytes(), 1));
  CHECK(support::shows(Region::load(folder / "large").bytes(), 2));
  CHECK(Region::load(folder / "small").size() == 3 * page);
  support::flip(region, 5);
  region.snapshot().save_delta(large, folder / "step");
  CHECK(support::same_bytes(Region::load({folder / "large", folder / "step"}).bytes(),
                            region.bytes()));
  region.apply({{5, 1}}, large);
  CHECK(support::shows(region.bytes(), 2));
}

TEST_CASE("leases and discards end where the region does", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = growing(3, 20, 1);
  CHECK_THROWS_AS(region.write_lease(2 * page, 2 * page), std::invalid_argument);
  CHECK(cow::write_lease(region.data() + 3 * page, 1).size() == 0);
  CHECK_THROWS_AS(region.discard(0, 4 * page), std::invalid_argument);
  const Snapshot snapshot = region.snapshot();
  region.grow(6 * page);
  {
    const cow::WriteLease lease = region.write_lease(2 * page, 4 * page);
    std::memset(lease.data(), 1, lease.size());
    region.restore(snapshot);  // a leased page stays where it is, behind the end as well
    CHECK(support::shows(region.bytes(), 1));
  }
  region.grow(6 * page);
  CHECK(support::all_zero(region.bytes().subspan(3 * page)));
  region.discard(0, region.size());
  CHECK(support::all_zero(region.bytes()));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("reserved frames are there for all that a region may grow to", "[api][handler]") {
  const std::size_t page = support::page_bytes();
  cow::RegionOptions options = growing_to(40 * page);
  options.reserve_frames = true;
  Region region = Region::create(page, options);
  const std::size_t before = cow::process_stats().bytes_in_use;
  region.grow(40 * page);
  support::fill(region.bytes(), 1);
  CHECK(cow::process_stats().bytes_in_use == before);
}

TEST_CASE("threads store while a region grows", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = growing(8, 600, 0);
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (std::size_t i = 0; i < 3; ++i) {
    writers.emplace_back([&, i, data = region.data()] {
      for (std::uint64_t n = 1; !stop; ++n) {
        std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(data + i * page))
            .store(n, support::release_order);
      }
    });
  }
  std::vector<Snapshot> kept;
  for (std::size_t pages = 9; pages <= 600; pages += 30) {
    region.grow(pages * page);
    CHECK(support::all_zero(region.bytes().subspan(8 * page)));
    kept.push_back(region.snapshot());
    CHECK(kept.back().size() == pages * page);
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a forked child and its parent grow each for itself", "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = growing(3, 20, 1);
  const auto result = support::run_in_child([&]() -> std::string {
    region.grow(10 * page);
    if (!support::all_zero(region.bytes().subspan(3 * page))) return "the new bytes are no zeros";
    support::fill(region.bytes(), 2);
    return support::shows(region.bytes(), 2) ? "" : "the child's stores are lost";
  });
  CHECK(result.complaint == "");
  region.grow(10 * page);
  CHECK(support::shows(region.bytes().first(3 * page), 1));
  CHECK(support::all_zero(region.bytes().subspan(3 * page)));
}

TEST_CASE("random operations on regions that grow match plain vectors", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const std::size_t page = support::page_bytes();
  const std::size_t most = (support::page_bytes() > 4096 ? 40 : 700) * page;
  struct Live {
    Region region;
    std::vector<std::byte> bytes;
  };
  struct Past {
    Snapshot snapshot;
    std::vector<std::byte> bytes;
  };
  std::vector<Live> regions;
  std::vector<Past> pasts;
  regions.push_back({Region::create(page + 3, growing_to(most)), std::vector<std::byte>(page + 3)});
  const auto compare = [&](const std::vector<std::byte>& from, const std::vector<std::byte>& to,
                           const Ranges& ranges) -> bool {
    const std::size_t pages = (std::max(from.size(), to.size()) + page - 1) / page;
    std::vector<bool> named(pages);
    for (const PageRange& range : ranges) {
      if (range.first_page + range.page_count > pages) return false;
      for (std::size_t i = 0; i < range.page_count; ++i) named[range.first_page + i] = true;
    }
    for (std::size_t i = 0; i < pages; ++i) {
      const auto part = [&](const std::vector<std::byte>& all) {
        const std::size_t begin = std::min(i * page, all.size());
        return std::span(all).subspan(begin, std::min(page, all.size() - begin));
      };
      const bool differs = !support::same_bytes(part(from), part(to));
      if (differs && !named[i]) return false;
    }
    return true;
  };
  for (std::size_t step = 0; step < support::scaled(6000); ++step) {
    CAPTURE(step);
    const std::size_t index = random.below(regions.size());
    Live& live = regions[index];
    const std::size_t size = live.bytes.size();
    const std::size_t dice = random.below(100);
    if (dice < 50) {
      const std::size_t at = random.below(size);
      const std::size_t length = std::min(random.between(1, 3 * page), size - at);
      const std::vector<std::byte> bytes(length, static_cast<std::byte>(random.word()));
      std::memcpy(live.region.data() + at, bytes.data(), length);
      std::memcpy(live.bytes.data() + at, bytes.data(), length);
    } else if (dice < 62) {
      const std::size_t more = random.one_in(4) ? most - size : 5 * page;
      const std::size_t to = std::min(most, size + random.below(more + 1));
      live.region.grow(to);
      live.bytes.resize(to);
    } else if (dice < 72 && pasts.size() < 8) {
      pasts.push_back({live.region.snapshot(), live.bytes});
    } else if (dice < 80 && !pasts.empty()) {
      const Past& past = pasts[random.below(pasts.size())];
      REQUIRE(compare(past.bytes, live.bytes, live.region.changed_since(past.snapshot)));
      live.region.restore(past.snapshot);
      live.bytes = past.bytes;
    } else if (dice < 85 && regions.size() < 5) {
      const auto mode = random.one_in(3) ? cow::CloneMode::eager : cow::CloneMode::lazy;
      Live clone{live.region.clone(mode), live.bytes};
      regions.push_back(std::move(clone));
    } else if (dice < 88 && !pasts.empty() && regions.size() < 5) {
      const Past& past = pasts[random.below(pasts.size())];
      regions.push_back({Region::from_snapshot(past.snapshot), past.bytes});
    } else if (dice < 91 && pasts.size() > 1) {
      const Past& from = pasts[random.below(pasts.size())];
      const Past& to = pasts[random.below(pasts.size())];
      REQUIRE(compare(from.bytes, to.bytes, cow::diff(from.snapshot, to.snapshot)));
      REQUIRE(support::difference(from.bytes, from.snapshot.bytes()) == "");
    } else if (dice < 94) {
      const std::size_t at = random.below(size) / page * page;
      live.region.discard(at, size - at);
      std::fill(live.bytes.begin() + static_cast<std::ptrdiff_t>(at), live.bytes.end(),
                std::byte{0});
    } else if (dice < 97 && !pasts.empty()) {
      pasts.erase(pasts.begin() + static_cast<std::ptrdiff_t>(random.below(pasts.size())));
    } else if (regions.size() > 1) {
      regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(index));
    }
    const Live& seen = regions[random.below(regions.size())];
    REQUIRE(support::difference(seen.bytes, seen.region.bytes()) == "");
    if (step % 16 == 0) REQUIRE(support::broken_invariant(seen.region) == "");
  }
}
