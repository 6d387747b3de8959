#include <fmt/format.h>
#include <cow/cow.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ahead_rows.hpp"
#include "plain_memory.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace {

struct Beside {
  double action_ns = 0;
  double longest_wait_ns = 0;
};

/// One thread's stores, each of them timed.
class StoringThread {
 public:
  StoringThread(const Pages& pages, std::vector<std::size_t> which)
      : pages_(pages), which_(std::move(which)), times_(which_.size()) {
    thread_ = std::thread([this] { run(); });
    while (done_.load() < std::min<std::size_t>(which_.size(), 100)) {
      std::this_thread::yield();
    }
  }
  ~StoringThread() { stop(); }
  StoringThread(const StoringThread&) = delete;
  StoringThread& operator=(const StoringThread&) = delete;

  /// The longest store of which a part lay between `begin` and `end`, times of now_ns(). Ends the
  /// thread.
  double longest_within(std::uint64_t begin, std::uint64_t end) {
    stop();
    double longest = 0;
    for (std::size_t i = 0; i < done_.load(); ++i) {
      if (times_[i].end >= begin && times_[i].begin <= end) {
        longest = std::max(longest, static_cast<double>(times_[i].end - times_[i].begin));
      }
    }
    return longest;
  }

 private:
  struct Time {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  void run() {
    for (std::size_t i = 0; i < which_.size() && !stopping_.load(std::memory_order_relaxed); ++i) {
      times_[i].begin = now_ns();
      pages_.store(which_[i], 3);
      times_[i].end = now_ns();
      done_.store(i + 1);
    }
  }

  void stop() {
    stopping_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  Pages pages_;
  std::vector<std::size_t> which_;
  std::vector<Time> times_;
  std::atomic<std::size_t> done_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// Times `action` while another thread stores to `which`, every store the first one to its page.
Beside measure_beside(const Pages& pages, std::vector<std::size_t> which,
                      const std::function<void()>& action) {
  StoringThread storing(pages, std::move(which));
  const std::uint64_t begin = now_ns();
  action();
  const std::uint64_t end = now_ns();
  return {.action_ns = static_cast<double>(end - begin),
          .longest_wait_ns = storing.longest_within(begin, end)};
}

std::size_t dropped_bytes() { return full_or_quick(gib, 4 * mib); }

std::vector<std::size_t> any_order(const Pages& pages, std::uint64_t seed) {
  return choose_pages(pages.count, pages.count, Order::random, seed);
}

/// A snapshot whose every page was read, and some pages of which are its own by now.
Beside drop_read_snapshot(std::uint64_t seed) {
  cow::Region region = written_region(dropped_bytes());
  const Pages pages = pages_of(region);
  std::optional<cow::Snapshot> snapshot(region.snapshot());
  for (const std::size_t page : choose_pages(pages.count, 10'000, Order::random, seed)) {
    pages.store(page, 2);
  }
  const std::span<const std::byte> bytes = snapshot->bytes();
  for (std::size_t at = 0; at < bytes.size(); at += region.page_bytes()) {
    static_cast<void>(*static_cast<const volatile std::byte*>(&bytes[at]));
  }
  return measure_beside(pages, any_order(pages, seed + 1), [&] { snapshot.reset(); });
}

/// A clone that was stored to from end to end, so that all of its frames are its own.
Beside drop_overwritten_clone(std::uint64_t seed) {
  cow::Region region = written_region(dropped_bytes());
  std::optional<cow::Region> clone(region.clone());
  store_to_all(pages_of(*clone), 2);
  // Kept, so that stores to the region are faults.
  const cow::Snapshot snapshot = region.snapshot();
  const Pages pages = pages_of(region);
  return measure_beside(pages, any_order(pages, seed), [&] { clone.reset(); });
}

Beside unmap_plain_memory(std::uint64_t seed) {
  std::optional<PlainMemory> dropped(PlainMemory::anonymous(dropped_bytes()));
  const PlainMemory memory = PlainMemory::untouched(dropped_bytes());
  return measure_beside(memory.pages(), any_order(memory.pages(), seed), [&] { dropped.reset(); });
}

void wait_a_while() { std::this_thread::sleep_for(std::chrono::milliseconds(30)); }

/// How long stores wait when nothing is dropped: what a wait beside a drop is worth.
Beside wait_beside_snapshot(std::uint64_t seed) {
  cow::Region region = written_region(dropped_bytes());
  const cow::Snapshot snapshot = region.snapshot();
  const Pages pages = pages_of(region);
  return measure_beside(pages, any_order(pages, seed), wait_a_while);
}

Beside wait_in_plain_memory(std::uint64_t seed) {
  const PlainMemory memory = PlainMemory::untouched(dropped_bytes());
  return measure_beside(memory.pages(), any_order(memory.pages(), seed), wait_a_while);
}

constexpr double millisecond_ns = 1e6;

/// Two figures: the action, and the longest wait beside it.
Prepare beside_stores(Beside (*measure)(std::uint64_t)) {
  return turns_of([measure](std::uint64_t turn) {
    const Beside times = measure(turn);
    return Figures{times.action_ns, times.longest_wait_ns};
  });
}

/// A drop and the wait beside it as two rows.
Group drops(const std::string& what, const std::string& action, Beside (*ours)(std::uint64_t),
            const std::string& other, Beside (*theirs)(std::uint64_t)) {
  Row dropping{.what = what, .ours = action, .theirs = other};
  Row waiting{.what = what + ": the longest wait of another thread's store meanwhile",
              .ours = "first stores to a region of the same family",
              .theirs = "first stores to other plain memory",
              .at_most = millisecond_ns};
  Turns turns(rounds(7));
  turns.have_company();
  turns.add(waiting.ours, beside_stores(ours), {&dropping.our_samples, &waiting.our_samples});
  turns.add(waiting.theirs, beside_stores(theirs),
            {&dropping.their_samples, &waiting.their_samples});
  turns.take();
  waiting.note =
      fmt::format("the median over drops; the longest of all was {:.2f} ms, beside {} {:.2f} ms",
                  waiting.our_samples.percentile(100) / millisecond_ns, other,
                  waiting.their_samples.percentile(100) / millisecond_ns);
  return {.rows = {dropping, waiting}};
}

}  // namespace

Group drops_beside_stores() {
  Group group = drops("dropping a snapshot of 1 GiB that was read", "the drop", drop_read_snapshot,
                      "munmap of 1 GiB of plain memory", unmap_plain_memory);
  const Group clones =
      drops("dropping a clone of 1 GiB that was overwritten", "the drop", drop_overwritten_clone,
            "munmap of 1 GiB of plain memory", unmap_plain_memory);
  group.rows.insert(group.rows.end(), clones.rows.begin(), clones.rows.end());
  Row nothing = drops("nothing dropped for 30 ms", "", wait_beside_snapshot, "nothing dropped",
                      wait_in_plain_memory)
                    .rows.back();
  nothing.at_most.reset();
  group.rows.push_back(nothing);
  return group;
}

}  // namespace cow_bench
