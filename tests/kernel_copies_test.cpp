// What is copied where the kernel copies, by counting, and who may come to see it.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "os/write_watch.hpp"
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

long minor_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt;
}

/// A handler that comes in front of libcow's, and asks libcow first.
void ask_cow(int signal, siginfo_t* info, void* context) {
  if (!cow::try_handle_fault(signal, info, context)) ::_exit(42);
}

/// Two threads store to a region; a third puts ask_cow() in front when libcow's own comes there
/// after take_over_once().
class Busy {
 public:
  explicit Busy(Region& region) {
    ::sigaction(SIGSEGV, nullptr, &earlier_);
    for (std::size_t begin = 0; begin < 2; ++begin) {
      crew_.emplace_back([this, &region, begin] {
        for (std::size_t i = begin; !stopping_; i = (i + 2) % kPages) support::store(region, i, 7);
      });
    }
    crew_.emplace_back([this] {
      while (!stopping_) {
        if (!armed_ || !cow::owns_sigsegv()) continue;
        struct sigaction action {};
        action.sa_sigaction = &ask_cow;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        ::sigfillset(&action.sa_mask);
        ::sigaction(SIGSEGV, &action, nullptr);
        armed_ = false;
      }
    });
  }
  ~Busy() {
    stopping_ = true;
    for (std::thread& one : crew_) one.join();
    ::sigaction(SIGSEGV, &earlier_, nullptr);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

  void take_over_once() { armed_ = true; }

 private:
  struct sigaction earlier_ {};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> armed_{false};
  std::vector<std::thread> crew_;
};

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

TEST_CASE("going back to a snapshot in most of whose pages a region differs faults in few, and "
          "what came back is not copied again",
          "[mm]") {
  std::optional<Region> region = kernel_region();
  if (!region) return;
  support::fill(region->bytes(), 1);
  const Snapshot first = region->snapshot();
  // Two rounds, so that the pages are copies of the kernel's and are armed.
  for (unsigned value = 2; value < 4; ++value) {
    for (std::size_t page = 0; page < kPages; page += 2) support::store(*region, page, value);
    static_cast<void>(region->snapshot());
  }
  const std::size_t copied = region->stats().pages_copied;
  CHECK(copied == kPages);
  const Snapshot second = region->snapshot();

  region->restore(first);
  region->restore(second);  // maps the frames to load from, too
  for (unsigned round = 0; round < 4; ++round) {
    const Snapshot& past = round % 2 == 0 ? first : second;
    const long before = minor_faults();
    region->restore(past);
    CHECK(minor_faults() - before < static_cast<long>(kPages / 5));
    CHECK(cow::diff(past, region->snapshot()).empty());
    CHECK(support::broken_invariant(*region) == "");
  }
  CHECK(region->stats().pages_copied == copied);

  support::store(*region, 3, 7);
  const Snapshot third = region->snapshot();
  CHECK(region->stats().pages_copied == copied + 1);
  CHECK(support::load(third.bytes(), 3) == 7);
}

TEST_CASE("pages that were only loaded from are armed by a restore: no later look meets them",
          "[mm]") {
  std::optional<Region> region = kernel_region();
  if (!region) return;
  const cow::os::WriteWatch watch = cow::os::WriteWatch::open();
  std::byte* const begin = region->data();
  const auto unarmed = [&] {
    std::array<cow::os::AddressRun, kPages> runs;
    const cow::os::WriteWatch::Found found = watch.look(
        {begin, begin + kPages * support::page_bytes()}, runs, 0, cow::os::WriteWatch::Then::leave);
    CHECK(found.error == 0);
    std::size_t pages = 0;
    for (std::size_t i = 0; i < found.runs; ++i) {
      pages += static_cast<std::size_t>(runs[i].end - runs[i].begin) / support::page_bytes();
    }
    return pages;
  };
  support::fill(region->bytes(), 1);
  const Snapshot snapshot = region->snapshot();
  for (unsigned round = 0; round < 4; ++round) {
    CHECK(support::shows(region->bytes(), 1));  // loads from all of them
    support::store(*region, 10 + 3 * round, 2);
    CHECK(unarmed() >= 1);
    region->restore(snapshot);
    CHECK(unarmed() == 0);
    CHECK(region->stats().pages_private == 0);
  }
  CHECK(support::shows(region->bytes(), 1));
  CHECK(support::broken_invariant(*region) == "");
}

TEST_CASE("after a round that stored to many pages a restore looks at those of its own round alone",
          "[mm]") {
  std::optional<Region> region = kernel_region();
  if (!region) return;
  support::fill(region->bytes(), 1);
  const Snapshot snapshot = region->snapshot();
  // Many pages are copies of the kernel's when they are put back.
  for (unsigned round = 0; round < 3; ++round) {
    for (std::size_t page = round; page < kPages; page += 2) support::store(*region, page, 2);
    region->restore(snapshot);
  }
  const cow::RegionStats before = region->stats();
  CHECK(before.pages_private <= kPages / 2);  // those that two rounds in a row stored to
  for (unsigned round = 0; round < 40; ++round) {
    support::store(*region, 7 * round + 3, 5);
    region->restore(snapshot);
  }
  const std::size_t compared = region->stats().pages_compared;
  for (unsigned round = 0; round < 10; ++round) {
    support::store(*region, 7 * round + 3, 5);
    region->restore(snapshot);
  }
  CHECK(region->stats().pages_compared - compared <= 10);
  CHECK(region->stats().pages_private == 0);
  CHECK(support::shows(region->bytes(), 1));
  CHECK(support::broken_invariant(*region) == "");
}

TEST_CASE("a handler that comes in front during fork() and asks libcow costs no child its regions",
          "[mm]") {
  std::optional<Region> region = kernel_region();
  if (!region) return;
  support::fill(region->bytes(), 1);
  Busy busy(*region);
  std::size_t died = 0;
  for (std::size_t i = 0; i < support::scaled(200); ++i) {
    busy.take_over_once();
    const pid_t child = ::fork();
    if (child == 0) {
      for (std::size_t page = 0; page < kPages; ++page) support::store(*region, page, 3);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    died += status != 0 ? 1 : 0;
  }
  CHECK(died == 0);
}
