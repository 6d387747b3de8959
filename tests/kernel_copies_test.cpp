// What is copied where the kernel copies, by counting, and who may come to see it.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <optional>
#include <system_error>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t kPages = 600;

/// None where the kernel cannot be had for this, which is said.
std::optional<Region> kernel_region() {
  if (!support::has_host_pages()) return std::nullopt;
  cow::RegionOptions options = support::options();
  options.mechanism = cow::Mechanism::kernel;
  try {
    return Region::create(kPages * support::page_bytes(), options);
  } catch (const std::system_error& error) {
    WARN("skipped: " << error.what());
    return std::nullopt;
  }
}

}  // namespace

TEST_CASE("a snapshot copies the pages that were stored to since the last, and no others", "[mm]") {
  std::optional<Region> region = kernel_region();
  if (!region) return;
  support::fill(region->bytes(), 1);
  std::vector<Snapshot> snapshots{region->snapshot()};
  CHECK(region->stats().pages_copied == 0);  // the first content is in frames already
  for (unsigned round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < 10; ++i) support::store(*region, 37 * i + round, round);
    for (std::size_t page = 0; page < kPages; ++page)
      static_cast<void>(support::load(region->bytes(), page));
    snapshots.push_back(region->snapshot());
    CHECK(region->stats().pages_copied == 10 * (round + 1));
  }
  CHECK(support::shows(snapshots[0].bytes(), 1));
  CHECK(support::broken_invariant(*region) == "");
}

TEST_CASE("a child sees nothing that its parent stores later, also where nobody had stored",
          "[mm]") {
  std::optional<Region> region = kernel_region();
  if (!region) return;
  for (std::size_t page = 0; page < kPages; page += 2) support::store(*region, page, 1);
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char go = 0;
    bool sees_zeros = ::read(ends[0], &go, 1) == 1;
    for (std::size_t page = 1; page < kPages; page += 2) {
      sees_zeros = sees_zeros && support::load(region->bytes(), page) == 0;
    }
    ::_exit(sees_zeros ? 0 : 1);
  }
  std::vector<Snapshot> kept;
  for (unsigned round = 1; round < 6; ++round) {
    for (std::size_t page = 1; page < kPages; page += 2) support::store(*region, page, round);
    kept.push_back(region->snapshot());
  }
  CHECK(::write(ends[1], "g", 1) == 1);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("what is discarded, restored and stored to in turn is copied once for each store",
          "[mm]") {
  std::optional<Region> region = kernel_region();
  if (!region) return;
  support::fill(region->bytes(), 1);
  const Snapshot full = region->snapshot();
  for (unsigned round = 0; round < 5; ++round) {
    support::store(*region, 3, round + 100);
    region->discard(16 * support::page_bytes(), 32 * support::page_bytes());
    CHECK(support::load(region->bytes(), 20) == 0);
    region->restore(full);
    CHECK(support::shows(region->bytes(), 1));
  }
  const std::size_t copied = region->stats().pages_copied;
  const Snapshot same = region->snapshot();
  CHECK(region->stats().pages_copied == copied);
  CHECK(cow::diff(full, same).empty());
  CHECK(support::broken_invariant(*region) == "");
}
