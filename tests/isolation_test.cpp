// Isolation: no byte gets to where nobody put it, neither into another family nor into a page that
// is new, nor does a frame that was given up keep what it held.

#include "catch.hpp"
#include "process_view.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;

namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t pages = 48;
constexpr std::uint64_t secret = 0x5ec2e7'5ec2e7'5ec2;

Region zeroed() { return Region::create(pages * support::page_bytes(), support::options()); }

void write_secret(std::span<std::byte> bytes) {
  for (std::size_t at = 0; at + sizeof(secret) <= bytes.size(); at += sizeof(secret)) {
    std::memcpy(bytes.data() + at, &secret, sizeof(secret));
  }
}

/// Writes the secret to some pages, in an order that makes windows of every kind.
void write_secrets(Region& region, support::Random& random) {
  const std::size_t page = support::page_bytes();
  for (std::size_t run = 0; run < 4; ++run) {
    const std::size_t first = random.below(pages);
    const std::size_t count = std::min(random.between(1, 20), pages - first);
    write_secret(region.bytes().subspan(first * page, count * page));
  }
}

/// How many words of all frame files hold the secret, as somebody would find them who has the file.
std::size_t secrets_in_frame_files() {
  std::size_t found = 0;
  std::vector<std::uint64_t> words(std::size_t{1} << 13);
  const std::size_t room = words.size() * sizeof(std::uint64_t);
  for (const int descriptor : process_view::frame_files()) {
    const int file = ::open(process_view::path_of(descriptor).c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0);
    off_t data = 0;
    while ((data = ::lseek(file, data, SEEK_DATA)) >= 0) {
      const off_t end = ::lseek(file, data, SEEK_HOLE);
      while (data < end) {
        const ssize_t count =
            ::pread(file, words.data(), std::min(room, static_cast<std::size_t>(end - data)), data);
        REQUIRE(count > 0);
        const auto read = words.begin() + count / static_cast<ssize_t>(sizeof(std::uint64_t));
        found += static_cast<std::size_t>(std::count(words.begin(), read, secret));
        data += count;
      }
    }
    ::close(file);
  }
  return found;
}

/// Puts the secret through all that moves bytes: windows, clones, snapshots seen and unseen,
/// restores, leases, children. Everything that ever held it is dropped at the end.
void churn(const Region& base, support::Random& random) {
  std::vector<Region> regions;
  std::vector<Snapshot> snapshots;
  regions.push_back(base.clone());
  for (std::size_t step = 0; step < 60; ++step) {
    Region& region = regions[random.below(regions.size())];
    switch (random.below(8)) {
      case 0:
      case 1: write_secrets(region, random); break;
      case 2: regions.push_back(region.clone()); break;
      case 3: regions.push_back(region.clone(cow::CloneMode::eager)); break;
      case 4: snapshots.push_back(region.snapshot()); break;
      case 5:
        if (!snapshots.empty()) region.restore(snapshots[random.below(snapshots.size())]);
        break;
      case 6:
        if (!snapshots.empty()) (void)snapshots[random.below(snapshots.size())].bytes();
        break;
      default: {
        const std::size_t offset = random.below(region.size() / 2);
        const cow::WriteLease lease = region.write_lease(offset, region.size() / 3);
        write_secret(lease.bytes());
        snapshots.push_back(region.snapshot());
      }
    }
    if (regions.size() > 6) regions.erase(regions.begin() + static_cast<long>(random.below(6)));
    if (snapshots.size() > 6) snapshots.erase(snapshots.begin());
  }
}

}  // namespace

TEST_CASE("what everybody dropped is in no frame any more after trim()", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  Region base = zeroed();
  support::fill(base.bytes().first(base.size() / 2), 1);
  const Bytes plain = support::plain_copy(base.bytes());
  for (std::size_t round = 0; round < support::scaled(60); ++round) {
    churn(base, random);
    cow::trim();
    REQUIRE(secrets_in_frame_files() == 0);
  }
  // The search does find what is there, in a frame that only a snapshot holds, too.
  std::optional<Snapshot> snapshot;
  {
    Region region = base.clone();
    write_secrets(region, random);
    support::settle(region);
    CHECK(secrets_in_frame_files() > 0);
    snapshot = region.snapshot();
    support::fill(region.bytes(), 2);
  }
  CHECK(secrets_in_frame_files() > 0);
  snapshot.reset();
  cow::trim();
  CHECK(secrets_in_frame_files() == 0);
  CHECK(support::difference(plain, base.bytes()) == "");
}

TEST_CASE("what only children held is in no frame any more after trim() when they are gone",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const Region base = zeroed();
  for (std::size_t round = 0; round < support::scaled(20); ++round) {
    {
      Region region = base.clone();
      write_secrets(region, random);
      support::ForkedChild child([&](support::Peer& parent) -> std::string {
        write_secrets(region, random);
        Region clone = region.clone();
        write_secrets(clone, random);
        return parent.hear() ? "" : "the parent is gone";
      });
      support::fill(region.bytes(), 2);
      const Snapshot after = region.snapshot();
      write_secrets(region, random);
      child.peer().say();
      REQUIRE(child.wait().exited());
    }
    (void)cow::process_stats();
    cow::trim();
    REQUIRE(secrets_in_frame_files() == 0);
  }
}

TEST_CASE("a new region shows zeros, whatever the frames before it held", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const Region base = zeroed();
  const Snapshot zeros = base.snapshot();
  for (std::size_t round = 0; round < support::scaled(60); ++round) {
    churn(base, random);
    // Of the same family, whose frames are used again, and of a new one.
    std::vector<Region> all;
    all.push_back(base.clone());
    all.push_back(base.clone(cow::CloneMode::eager));
    all.push_back(Region::from_snapshot(zeros));
    all.push_back(zeroed());
    for (Region& fresh : all) {
      REQUIRE(support::all_zero(fresh.bytes()));
      // A store opens a whole window; what lies beside it is still zero.
      const std::size_t at = random.below(fresh.size());
      fresh.bytes()[at] = std::byte{1};
      REQUIRE(support::all_zero(fresh.bytes().first(at)));
      REQUIRE(support::all_zero(fresh.bytes().subspan(at + 1)));
      const Snapshot one = fresh.snapshot();
      fresh.bytes()[at] = std::byte{0};
      REQUIRE(support::all_zero(fresh.bytes()));
      REQUIRE(support::all_zero(one.bytes().first(at)));
    }
  }
  CHECK(support::all_zero(base.bytes()));
}

TEST_CASE("a region that goes back to zeros keeps nothing of what it held", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  Region region = zeroed();
  const Snapshot zeros = region.snapshot();
  for (std::size_t round = 0; round < support::scaled(100); ++round) {
    std::optional<Snapshot> shared;
    std::optional<Region> clone;
    write_secrets(region, random);
    if (random.one_in(2)) shared = region.snapshot();
    if (random.one_in(2)) clone = region.clone();
    write_secrets(region, random);
    region.restore(zeros);
    REQUIRE(support::all_zero(region.bytes()));
    shared.reset();
    clone.reset();
    cow::trim();  // what is recycled may hold secrets until it is filled again
    REQUIRE(secrets_in_frame_files() == 0);
    // A page that is stored to again holds that one byte and zeros.
    const std::size_t page = random.below(pages);
    support::store(region, page, 1);
    const auto bytes = region.bytes();
    REQUIRE(support::all_zero(bytes.first(page * support::page_bytes())));
    REQUIRE(support::all_zero(bytes.subspan(page * support::page_bytes() + 1)));
    support::store(region, page, 0);
  }
}

TEST_CASE("what one family does leaves every byte of the others as it was", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  struct Family {
    Region region;
    Bytes plain;
    std::vector<std::pair<Snapshot, Bytes>> past;
  };
  std::vector<Family> families;
  for (std::uint64_t i = 0; i < 5; ++i) {
    families.push_back({zeroed(), Bytes(pages * support::page_bytes()), {}});
  }
  const auto act = [&](Family& family) {
    const std::size_t dice = random.below(10);
    if (dice < 6) {
      const std::size_t at = random.below(family.plain.size());
      const std::size_t length = std::min(random.between(1, 9000), family.plain.size() - at);
      const Bytes bytes(length, static_cast<std::byte>(random.word()));
      std::copy(bytes.begin(), bytes.end(), family.region.data() + at);
      std::copy(bytes.begin(), bytes.end(), family.plain.data() + at);
    } else if (dice < 8 || family.past.empty()) {
      if (family.past.size() == 4) family.past.erase(family.past.begin());
      family.past.emplace_back(family.region.snapshot(), family.plain);
    } else if (dice == 8) {
      const auto& [snapshot, plain] = family.past[random.below(family.past.size())];
      family.region.restore(snapshot);
      family.plain = plain;
    } else {
      family.region = family.region.clone();
    }
  };
  for (std::size_t step = 0; step < support::scaled(1500); ++step) {
    act(families[random.below(families.size())]);
    for (const Family& family : families) {
      REQUIRE(support::difference(family.plain, family.region.bytes()) == "");
      for (const auto& [snapshot, plain] : family.past) {
        if (step % 64 == 0) REQUIRE(support::difference(plain, snapshot.bytes()) == "");
      }
    }
  }
}

TEST_CASE("no page of a family is mapped from the frame file of another", "[mm]") {
  std::vector<Region> regions;
  std::vector<Snapshot> snapshots;
  for (std::uint64_t i = 0; i < 4; ++i) {
    regions.push_back(zeroed());
    support::fill(regions.back().bytes(), i);
    snapshots.push_back(regions.back().snapshot());
    for (std::size_t page = 0; page < pages; page += 2) support::store(regions.back(), page, 1);
  }
  std::set<std::uint64_t> open;
  for (const int descriptor : process_view::frame_files()) {
    struct stat status {};
    REQUIRE(::fstat(descriptor, &status) == 0);
    open.insert(status.st_ino);
  }
  const auto files_of = [](const void* begin, std::size_t length) {
    std::set<std::uint64_t> files;
    for (const process_view::Line& line : process_view::lines_of(begin, length)) {
      CHECK(line.shows_frames());
      files.insert(line.inode);
    }
    return files;
  };
  std::set<std::uint64_t> seen;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const Region clone = regions[i].clone();
    const std::set<std::uint64_t> files = files_of(regions[i].data(), regions[i].size());
    REQUIRE(files.size() == 1);
    CHECK(files_of(snapshots[i].bytes().data(), snapshots[i].size()) == files);
    CHECK(files_of(clone.data(), clone.size()) == files);
    CHECK(open.count(*files.begin()) == 1);
    CHECK(seen.insert(*files.begin()).second);
  }
  // In a child new frames come from files of its own, never from its parent's.
  const auto result = support::run_in_child([&]() -> std::string {
    for (Region& region : regions) {
      for (std::size_t page = 0; page < pages; ++page) support::flip(region, page);
      for (const auto& line : process_view::lines_of(region.data(), region.size())) {
        if (!line.shows_frames()) return "a page shows no frame";
        // Where the kernel copies, such a page is no frame, and what is mapped below it stays.
        if (support::kernel_copies()) continue;
        if (seen.count(line.inode) > 0) return "a page that was stored to is its parent's";
      }
    }
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
