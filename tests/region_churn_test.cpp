// Regions that come and go beside threads that fault on others: the handler looks a region up
// without a lock, in a table that is being replaced.

#include "catch.hpp"
#include "crew.hpp"
#include "stopped_thread.hpp"
#include "support.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>

using cow::Region;
using cow::Snapshot;
using support::Crew;
using support::shared_word;

namespace {

Region zeroed(std::size_t pages) {
  return Region::create(pages * support::page_bytes(), support::options());
}

}  // namespace

TEST_CASE("regions come and go beside threads that fault on others", "[fault]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const cow::ProcessStats before = cow::process_stats();
  {
    Region lasting = zeroed(64);
    std::atomic<std::uint64_t> stored{0};
    std::atomic<std::size_t> wrong{0};
    Crew faulting;
    for (int i = 0; i < 2; ++i) {
      faulting.repeat([&, random = support::Random(seed + static_cast<unsigned>(i))]() mutable {
        shared_word(lasting, random.below(64)).fetch_add(1, std::memory_order_relaxed);
        stored.fetch_add(1, std::memory_order_relaxed);
      });
    }
    Crew churning;
    for (std::uint64_t i = 0; i < 3; ++i) {
      churning.run([&, i] {
        support::Random random(seed + 10 + i);
        for (std::size_t round = 0; round < support::scaled(400); ++round) {
          Region own = zeroed(random.between(1, 20));
          support::fill(own.bytes(), round);
          Region clone = own.clone();
          const Snapshot snapshot = clone.snapshot();
          support::fill(clone.bytes(), round + 1);
          if (random.one_in(2)) own = std::move(clone);
          wrong += !support::shows(snapshot.bytes(), round);
          support::store(own, 0, 1);
        }
      });
    }
    for (std::size_t i = 0; i < support::scaled(300); ++i) {
      const Snapshot snapshot = lasting.snapshot();
      std::this_thread::yield();
    }
    churning.join();
    faulting.stop();
    CHECK(wrong == 0);
    std::uint64_t total = 0;
    for (std::size_t page = 0; page < 64; ++page) total += shared_word(lasting, page);
    CHECK(total == stored);
    CHECK(support::broken_invariant(lasting) == "");
  }
  const cow::ProcessStats after = cow::process_stats();
  CHECK(after.regions == before.regions);
  CHECK(after.bytes_in_use == before.bytes_in_use);
  CHECK(after.mappings_in_use == before.mappings_in_use);
  CHECK(after.bytes_metadata == before.bytes_metadata);
}

TEST_CASE("a hundred thousand regions come and go while others are looked up without a lock",
          "[fault]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const cow::ProcessStats before = cow::process_stats();
  {
    Region lasting = zeroed(64);
    const Region origin = zeroed(8);
    std::atomic<std::uint64_t> stored{0};
    std::atomic<std::size_t> wrong{0};
    Crew faulting;
    for (unsigned i = 0; i < 2; ++i) {
      faulting.repeat([&, random = support::Random(seed + i)]() mutable {
        shared_word(lasting, random.below(64)).fetch_add(1, std::memory_order_relaxed);
        stored.fetch_add(1, std::memory_order_relaxed);
      });
    }
    Crew churning;
    for (unsigned i = 0; i < 2; ++i) {
      churning.run([&, random = support::Random(seed + 10 + i)]() mutable {
        std::optional<Snapshot> shared;
        bool enough = false;
        for (std::size_t round = 0; round < support::scaled(50'000) || !enough; ++round) {
          if (round % 32 == 0) {
            shared = lasting.snapshot();  // or the others would not fault
            enough = support::kernel_copies() || lasting.stats().faults >= support::scaled(10'000);
          }
          // Most in one family, which costs least; some make a family of their own.
          Region own = round % 128 == 0 ? zeroed(3) : origin.clone();
          if (round % 4 == 0) support::store(own, random.below(3), 1);
          wrong += support::load(own.bytes(), 3 % (own.size() / own.page_bytes())) > 1;
        }
      });
    }
    churning.join();
    faulting.stop();
    CHECK(wrong == 0);
    std::uint64_t total = 0;
    for (std::size_t page = 0; page < 64; ++page) total += shared_word(lasting, page);
    CHECK(total == stored);
    CHECK(support::broken_invariant(lasting) == "");
  }
  const cow::ProcessStats after = cow::process_stats();
  CHECK(after.regions == before.regions);
  CHECK(after.bytes_in_use == before.bytes_in_use);
  CHECK(after.mappings_in_use == before.mappings_in_use);
}

// A thread of real-time priority that looked again and again would keep the thread with the fault
// from the processor.
TEST_CASE("who waits for a fault of another thread to end sleeps", "[fault][handler]") {
  SKIP_WITHOUT_STOPPED_THREADS();
  Region region = zeroed(4);
  support::fill(region.bytes(), 1);
  const Region clone = region.clone();
  support::StoppedThread stopped(support::CallFilter().stop_at(SYS_pwrite64),
                                 [&] { support::store(region, 1, 1); });
  REQUIRE(stopped.is_stopped());
  support::WaitingThread thread([] { (void)zeroed(4); });
  CHECK(thread.wait_for_sleep());
  CHECK_FALSE(thread.is_done());
  stopped.finish();
  thread.wait_for_end();
  CHECK(support::load(region.bytes(), 1) == 1);
}
