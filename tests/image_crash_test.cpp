// A process that is killed while it saves: a reader sees the old file or the new one.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;
using support::Folder;

namespace {

/// Every page of a version has its number, so that no file of two versions can pass for one.
void make_version(Region& region, unsigned version) {
  for (std::size_t page = 0; page < region.size() / region.page_bytes(); ++page) {
    support::word_at(region, page) = version;
  }
}

/// The number of the version that a region shows; 0 if it is a mixture.
std::uint64_t version_of(const Region& region) {
  const std::uint64_t version = support::read_word(region.bytes(), 0);
  for (std::size_t at = 0; at < region.size(); at += region.page_bytes()) {
    if (support::read_word(region.bytes(), at) != version) return 0;
  }
  return version;
}

void pause_for(std::size_t nanoseconds) {
  constexpr std::size_t second = 1'000'000'000;
  const timespec time{static_cast<std::time_t>(nanoseconds / second),
                      static_cast<long>(nanoseconds % second)};
  ::nanosleep(&time, nullptr);
}

}  // namespace

TEST_CASE("a process that is killed while it saves leaves the old file or the new one", "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const Folder folder;
  Region region = Region::create(300 * support::page_bytes(), support::options());
  make_version(region, 1);
  const Snapshot first = region.snapshot();
  first.save(folder / "full");
  make_version(region, 2);
  region.snapshot().save_delta(first, folder / "delta");

  // A busy machine or an emulator takes longer for a save: then children live longer, too.
  std::size_t longest = 20'000'000;
  constexpr std::size_t longest_of_all = 4'000'000'000;
  std::uint64_t newest = 2;
  std::uint64_t newest_other = 1;
  std::size_t seen_to_change = 0;
  for (std::size_t kill = 0; kill < support::scaled(100) || seen_to_change == 0; ++kill) {
    support::ForkedChild child([&](support::Peer& peer) -> std::string {
      if (!peer.say()) return "";
      for (unsigned version = static_cast<unsigned>(newest) + 1;; ++version) {
        make_version(region, version);
        const Snapshot now = region.snapshot();
        now.save_delta(first, folder / "delta");
        now.save(folder / "other");
      }
    });
    REQUIRE(child.peer().hear());
    pause_for(random.below(longest));
    ::kill(child.pid(), SIGKILL);
    CHECK(child.wait().died_of(SIGKILL));

    CAPTURE(kill);
    const std::uint64_t version = version_of(Region::load({folder / "full", folder / "delta"}));
    REQUIRE(version >= newest);
    if (version > newest) ++seen_to_change;
    if (seen_to_change == 0) longest = std::min(2 * longest, longest_of_all);
    newest = version;
    if (std::filesystem::exists(folder / "other")) {
      const std::uint64_t other = version_of(Region::load(folder / "other"));
      REQUIRE(other >= newest_other);
      newest_other = other;
    }
    // Between its name and its place there is a file that is complete and has no reader.
    std::size_t left = 0;
    for (const std::string& name : folder.names()) {
      if (name[0] != '.') continue;
      ++left;
      std::filesystem::remove(folder / name);
    }
    REQUIRE(left <= 1);
  }
  CHECK(newest > 2);
}
