// Threads: stores that meet snapshots, clones and each other lose nothing and see nothing torn.
//
// Words that several threads touch are accessed through std::atomic_ref; what goes wrong in a
// thread is counted there and checked on the main thread.

#include "catch.hpp"
#include "crew.hpp"
#include "support.hpp"

#include <atomic>
#include <barrier>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;
using support::Crew;
using support::shared_word;
using support::Word;

namespace {

Region zeroed(std::size_t pages) {
  return Region::create(pages * support::page_bytes(), support::options());
}

/// Waits for progress of other threads without assuming how long it takes.
void await_change(Word word, std::uint64_t from) {
  while (word.load(std::memory_order_acquire) == from) std::this_thread::yield();
}

}  // namespace

TEST_CASE("sixty-four threads that store to one shared page make exactly one copy", "[mm]") {
  constexpr std::size_t threads = 64;
  const std::size_t rounds = support::scaled(400);
  Region base = zeroed(3);
  support::fill(base.bytes(), 1);

  std::atomic<std::uint64_t*> target{nullptr};
  std::barrier<> turn(threads + 1);
  Crew crew;
  for (std::size_t i = 0; i < threads; ++i) {
    crew.run([&, i] {
      for (std::size_t round = 0; round < rounds; ++round) {
        turn.arrive_and_wait();
        Word(target.load()[i]).store(1000 * round + i, std::memory_order_relaxed);
        turn.arrive_and_wait();
      }
    });
  }

  std::size_t wrong_copies = 0;
  std::size_t lost_stores = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    Region clone = base.clone();
    target = &support::word_at(clone, 1);
    turn.arrive_and_wait();
    turn.arrive_and_wait();
    support::settle(clone);
    wrong_copies += clone.stats().pages_copied != 1;
    for (std::size_t i = 0; i < threads; ++i) {
      lost_stores += shared_word(clone, 1, 8 * i).load() != 1000 * round + i;
    }
  }
  crew.join();
  CHECK(wrong_copies == 0);
  CHECK(lost_stores == 0);
  CHECK(support::shows(base.bytes(), 1));
}

TEST_CASE("threads that store to one page nobody stored to before share one new frame", "[mm]") {
  constexpr std::size_t threads = 8;
  const std::size_t rounds = support::scaled(300);
  std::atomic<std::uint64_t*> target{nullptr};
  std::barrier<> turn(threads + 1);
  Crew crew;
  for (std::size_t i = 0; i < threads; ++i) {
    crew.run([&, i] {
      for (std::size_t round = 0; round < rounds; ++round) {
        turn.arrive_and_wait();
        Word(target.load()[i]).fetch_add(i + 1, std::memory_order_relaxed);
        turn.arrive_and_wait();
      }
    });
  }
  const std::size_t before = cow::process_stats().bytes_in_use;
  std::size_t wrong_frames = 0;
  std::size_t lost_stores = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    Region region = zeroed(2);
    target = &support::word_at(region, 1);
    turn.arrive_and_wait();
    turn.arrive_and_wait();
    wrong_frames += cow::process_stats().bytes_in_use > before + support::page_bytes();
    for (std::size_t i = 0; i < threads; ++i) {
      lost_stores += shared_word(region, 1, 8 * i).load() != i + 1;
    }
  }
  crew.join();
  CHECK(wrong_frames == 0);
  CHECK(lost_stores == 0);
}

TEST_CASE("no store is lost while snapshots and clones are taken and dropped", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  constexpr std::size_t threads = 4;
  constexpr std::size_t pages = 96;
  const std::size_t additions = support::scaled(60000);
  Region region = zeroed(pages);
  std::atomic<std::size_t> running{threads};
  Crew crew;
  for (std::size_t i = 0; i < threads; ++i) {
    crew.run([&, i] {
      support::Random random(seed + i);
      for (std::size_t n = 0; n < additions; ++n) {
        const std::size_t page = random.below(pages);
        shared_word(region, page, 8 * random.below(4)).fetch_add(1, std::memory_order_relaxed);
      }
      --running;
    });
  }

  support::Random random(seed + 100);
  std::vector<Snapshot> snapshots;
  std::vector<Region> clones;
  std::uint64_t last_total = 0;
  std::size_t backwards = 0;
  while (running != 0) {
    if (snapshots.size() > 6) snapshots.erase(snapshots.begin() + 3);
    if (clones.size() > 3) clones.erase(clones.begin());
    snapshots.push_back(region.snapshot());
    if (random.one_in(4)) {
      const bool eager = random.one_in(4);
      clones.push_back(region.clone(eager ? cow::CloneMode::eager : cow::CloneMode::lazy));
      support::store(clones.back(), random.below(pages), 0xff);
    }
    std::uint64_t total = 0;
    const auto bytes = snapshots.back().bytes();
    for (std::size_t page = 0; page < pages; ++page) {
      for (std::size_t slot = 0; slot < 4; ++slot) {
        total += support::read_word(bytes, page * support::page_bytes() + 8 * slot);
      }
    }
    backwards += total < last_total;
    last_total = total;
  }
  crew.join();
  std::uint64_t total = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    for (std::size_t slot = 0; slot < 4; ++slot) total += shared_word(region, page, 8 * slot);
  }
  CHECK(total == threads * additions);
  CHECK(backwards == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a snapshot is a consistent cut through the stores of one thread and of several",
          "[mm]") {
  // One thread stores k to A and then to B; the next copies B to C when it sees it; the third C to
  // D. At every moment A >= B >= C >= D and A - B is 0 or 1, so every snapshot must show that too.
  const std::size_t a = 0;
  const std::size_t b = 600;  // in another leaf of the page table
  const std::size_t c = 1;
  const std::size_t d = 1200;
  Region region = zeroed(1201);
  Crew crew;
  crew.repeat([&, k = std::uint64_t{0}]() mutable {
    ++k;
    shared_word(region, a).store(k, support::release_order);
    shared_word(region, b).store(k, support::release_order);
  });
  const auto pass_on = [&region](std::size_t from, std::size_t to) {
    const std::uint64_t seen = shared_word(region, from).load(std::memory_order_acquire);
    if (shared_word(region, to).load(std::memory_order_relaxed) == seen) {
      std::this_thread::yield();
    } else {
      shared_word(region, to).store(seen, support::release_order);
    }
  };
  crew.repeat([&] { pass_on(b, c); });
  crew.repeat([&] { pass_on(c, d); });

  // As fast as they come: several between two stores, and many in the middle of a fault.
  std::size_t torn_program_order = 0;
  std::size_t torn_causality = 0;
  std::size_t backwards = 0;
  std::size_t moments = 0;  // snapshots that show another one than the last
  std::uint64_t last = 0;
  std::vector<Snapshot> kept;
  const std::size_t count = support::scaled(50000);
  for (std::size_t i = 0; i < count || moments < count / 100; ++i) {
    const Snapshot snapshot = region.snapshot();
    const auto word = [&](std::size_t page) {
      return support::read_word(snapshot.bytes(), page * support::page_bytes());
    };
    torn_program_order += word(a) - word(b) > 1;  // unsigned: also if B is ahead
    torn_causality += word(b) < word(c) || word(c) < word(d);
    backwards += word(a) < last;
    moments += word(a) != last;
    last = word(a);
    if (i % 512 == 0) kept.push_back(snapshot);
    if (kept.size() > 20) kept.erase(kept.begin() + 10);
  }
  crew.stop();
  CHECK(torn_program_order == 0);
  CHECK(torn_causality == 0);
  CHECK(backwards == 0);
  CHECK(last > 0);
}

TEST_CASE("a lazy and an eager clone are consistent cuts too", "[mm]") {
  Region region = zeroed(700);
  Crew crew;
  crew.repeat([&, k = std::uint64_t{0}]() mutable {
    ++k;
    for (const std::size_t page : {699u, 0u, 350u}) {
      shared_word(region, page).store(k, support::release_order);
    }
  });
  std::size_t torn = 0;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < support::scaled(400); ++i) {
    await_change(shared_word(region, 699), last);
    const bool eager = i % 8 == 0;
    Region clone = region.clone(eager ? cow::CloneMode::eager : cow::CloneMode::lazy);
    const std::uint64_t first = shared_word(clone, 699);
    const std::uint64_t second = shared_word(clone, 0);
    const std::uint64_t third = shared_word(clone, 350);
    torn += first - second > 1 || second - third > 1 || first - third > 1;
    last = first;
  }
  crew.stop();
  CHECK(torn == 0);
}

TEST_CASE("a reader never sees a torn or an empty word while pages are copied and remapped",
          "[mm]") {
  constexpr std::size_t pages = 128;
  Region region = zeroed(pages);
  const auto twofold = [](std::uint64_t n) { return n << 32 | (n ^ 0xffffffffu); };
  const auto is_whole = [&](std::uint64_t word) { return word == twofold(word >> 32); };
  for (std::size_t page = 0; page < pages; ++page) {
    shared_word(region, page).store(twofold(1), std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> bad_reads{0};
  std::atomic<std::uint64_t> steps_back{0};
  std::atomic<std::uint64_t> loads{0};
  Crew crew;
  for (int reader = 0; reader < 2; ++reader) {
    crew.repeat([&, seen = std::vector<std::uint64_t>(pages)]() mutable {
      std::uint64_t bad = 0;
      std::uint64_t back = 0;
      for (std::size_t page = 0; page < pages; ++page) {
        const std::uint64_t word = shared_word(region, page).load(std::memory_order_acquire);
        bad += !is_whole(word);
        back += word < seen[page];
        seen[page] = word;
      }
      bad_reads.fetch_add(bad, std::memory_order_relaxed);
      steps_back.fetch_add(back, std::memory_order_relaxed);
      loads.fetch_add(pages, std::memory_order_relaxed);
    });
  }
  std::optional<Snapshot> snapshot;
  const std::uint64_t last_round = support::scaled(300) + 1;
  for (std::uint64_t round = 2; round <= last_round || loads < support::scaled(100'000'000);
       ++round) {
    snapshot = region.snapshot();
    const bool sequential = round % 2 == 0;
    for (std::size_t i = 0; i < pages; ++i) {
      const std::size_t page = sequential ? i : i * 37 % pages;
      shared_word(region, page).store(twofold(round), support::release_order);
    }
  }
  crew.stop();
  CHECK(bad_reads == 0);
  CHECK(steps_back == 0);
}

TEST_CASE("threads may store to both sides of a clone while others look at stats and diffs",
          "[mm]") {
  constexpr std::size_t pages = 300;
  const std::size_t rounds = support::scaled(30000);
  Region original = zeroed(pages);
  support::fill(original.bytes(), 1);
  Region clone = original.clone();
  const Snapshot start = original.snapshot();
  std::atomic<int> running{2};
  const auto write = [&](Region& region, std::uint64_t side) {
    for (std::uint64_t k = 1; k <= rounds; ++k) {
      shared_word(region, k * 31 % pages).store(k << 1 | side, std::memory_order_relaxed);
    }
    --running;
  };
  Crew crew;
  crew.run([&] { write(original, 0); });
  crew.run([&] { write(clone, 1); });
  std::size_t wrong = 0;
  while (running != 0) {
    for (const Region* region : {&original, &clone}) {
      const cow::RegionStats stats = region->stats();
      wrong += stats.pages_zero + stats.pages_shared + stats.pages_private != pages;
      for (const cow::PageRange& range : cow::diff(start, region->snapshot())) {
        wrong += range.page_count == 0 || range.first_page + range.page_count > pages;
      }
    }
  }
  crew.join();
  CHECK(wrong == 0);
  CHECK(support::shows(start.bytes(), 1));
  std::size_t crossed = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    if (rounds < pages) break;  // not every page was stored to
    crossed += (shared_word(original, page) & 1) != 0 || (shared_word(clone, page) & 1) != 1;
  }
  CHECK(crossed == 0);
}

// What is a hole of the frame file may be believed only where nobody can store any more. The two
// windows are so far apart that they are protected one after the other.
TEST_CASE("first stores to open zero pages are not lost while a clone is taken", "[mm]") {
  constexpr std::size_t last_window = 7680;
  for (std::size_t round = 0; round < support::scaled(300); ++round) {
    Region region = zeroed(8192);
    support::store(region, 0, 1);
    support::store(region, 8000, 1);  // opens the window of pages 7680 to 8191
    std::atomic<bool> started{false};
    Crew crew;
    crew.run([&] {
      started = true;
      for (std::size_t page = last_window; page < 8000; ++page) {
        shared_word(region, page).store(page, std::memory_order_relaxed);
      }
    });
    while (!started) std::this_thread::yield();
    const Region clone = region.clone();
    crew.join();
    std::size_t lost = 0;
    for (std::size_t page = last_window; page < 8000; ++page) {
      support::store(region, page, 1, 64);
      lost += shared_word(region, page).load() != page;
    }
    REQUIRE(lost == 0);
  }
}
