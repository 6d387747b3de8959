// Threads that are cancelled at any moment, also in the middle of a fault: the handler is no place
// to stop in, as it holds a lock.

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

constexpr std::size_t pages = 64;
constexpr std::size_t storing_threads = 2;
constexpr std::chrono::seconds most_time{300};

/// One of the threads that come and go. Nothing in here needs to be cleaned up.
struct Victim {
  Region* region = nullptr;
  std::size_t number = 0;
  std::atomic<std::uint64_t> stores{0};
};

/// Stores until it is cancelled.
void* store_for_ever(void* argument) {
  Victim& victim = *static_cast<Victim*>(argument);
  volatile std::uint64_t* const words = &support::word_at(*victim.region, 0);
  const std::size_t step = victim.region->page_bytes() / sizeof(std::uint64_t);
  ::pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
  for (std::uint64_t n = 1;; ++n) {
    words[n * 37 % pages * step + victim.number] = n;
    victim.stores.store(n, std::memory_order_relaxed);
  }
  return nullptr;
}

/// Ends this process when a lock was not given back. No signal would: those who wait mask them.
void end_after_most_time() {
  std::thread([] {
    std::this_thread::sleep_for(most_time);
    ::kill(::getpid(), SIGKILL);
  }).detach();
}

/// Starts threads, shares the region under them until each has stored, and cancels them all.
std::string cancel_once(Region& region, support::Random& random) {
  std::array<Victim, storing_threads> victims;
  std::array<pthread_t, storing_threads> threads{};
  for (std::size_t i = 0; i < storing_threads; ++i) {
    victims[i].region = &region;
    victims[i].number = i;
    if (::pthread_create(&threads[i], nullptr, store_for_ever, &victims[i]) != 0) {
      return "no thread could be started";
    }
  }
  std::vector<Snapshot> snapshots;
  for (const Victim& victim : victims) {
    const std::uint64_t enough = random.between(1, 2 * pages);
    while (victim.stores < enough) snapshots.push_back(region.snapshot());
  }
  for (const pthread_t thread : threads) ::pthread_cancel(thread);
  for (const pthread_t thread : threads) {
    void* result = nullptr;
    ::pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED) return "a thread ended by itself";
  }
  return "";
}

/// Whether this thread can still store and take snapshots, and the region is whole.
std::string still_works(Region& region, std::uint64_t round) {
  const Snapshot before = region.snapshot();
  for (std::size_t page = 0; page < pages; ++page) support::word_at(region, page, 64) = round;
  const Snapshot after = region.snapshot();
  for (std::size_t page = 0; page < pages; ++page) {
    const std::size_t at = page * support::page_bytes() + 64;
    if (support::read_word(before.bytes(), at) != round - 1) return "a snapshot changed";
    if (support::read_word(after.bytes(), at) != round) return "a store is lost";
  }
  return support::broken_invariant(region);
}

/// A thread that is cancelled before its first control call. The complaint is empty when none of
/// them was a place to end at.
struct Cancelled {
  std::string complaint = "the thread ended in a control call";

  void call_everything() {
    Region region = Region::create(pages * support::page_bytes(), support::options());
    const Snapshot before = region.snapshot();
    support::store(region, 1, 1);
    {
      Region clone = region.clone();
      support::store(clone, 2, 2);
      const Region copy = region.clone(cow::CloneMode::eager);
      const Region past = Region::from_snapshot(before);
      const cow::WriteLease lease = region.write_lease(0, 2 * support::page_bytes());
    }
    const bool one_page = cow::diff(before, region.snapshot()).size() == 1;
    region.restore(before);
    (void)before.bytes();
    (void)region.stats();
    (void)cow::process_stats();
    cow::reinstall_handler();
    complaint = one_page ? "" : "diff is wrong";
  }

  static void* run(void* self) {
    ::pthread_cancel(::pthread_self());
    static_cast<Cancelled*>(self)->call_everything();
    ::pthread_testcancel();
    return nullptr;
  }
};

}  // namespace

TEST_CASE("no control call is a place where a cancelled thread ends", "[fault]") {
  Cancelled cancelled;
  pthread_t thread{};
  REQUIRE(::pthread_create(&thread, nullptr, Cancelled::run, &cancelled) == 0);
  void* result = nullptr;
  ::pthread_join(thread, &result);
  CHECK(result == PTHREAD_CANCELED);
  CHECK(cancelled.complaint == "");
}

TEST_CASE("threads that are cancelled in the middle of a fault leave no lock behind", "[fault]") {
  if (support::has_thread_sanitizer) {
    WARN("skipped: ThreadSanitizer's runtime cannot be cancelled at any moment");
    return;
  }
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const auto result = support::run_in_child([&]() -> std::string {
    end_after_most_time();
    support::Random random(seed);
    Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
    for (std::uint64_t round = 1; round <= support::scaled(200); ++round) {
      std::string complaint = cancel_once(region, random);
      if (complaint.empty()) complaint = still_works(region, round);
      if (!complaint.empty()) return complaint;
    }
    return "";
  });
  CHECK(result.complaint == "");
  CHECK_FALSE(result.died_of(SIGKILL));
  CHECK(result.exited());
}
