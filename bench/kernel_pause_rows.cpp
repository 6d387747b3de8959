#include <cow/cow.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kernel_rows.hpp"
#include "measure/mechanisms/forked_child.hpp"
#include "plain_memory.hpp"
#include "storing_thread.hpp"

namespace cow_bench {

namespace {

constexpr std::chrono::milliseconds before_snapshot{20};
constexpr std::chrono::milliseconds after_snapshot{5};

std::size_t paused_bytes() { return full_or_quick(256 * mib, 4 * mib); }

/// What stores beside a snapshot, in all.
struct Stores {
  std::uint64_t a_second;
  std::uint64_t threads;

  [[nodiscard]] std::string in_words() const {
    const std::string rate = std::to_string(a_second) + " stores a second beside it";
    return threads == 1 ? rate : rate + ", of " + std::to_string(threads) + " threads";
  }
};

/// Two figures: how long `take` takes, and the longest time that a thread, which stores meanwhile,
/// was held up from the begin of that until a little later.
Figures time_beside_stores(Pages pages, Stores stores, std::uint64_t seed,
                           const std::function<double()>& take) {
  std::vector<std::unique_ptr<StoringThread>> threads;
  for (std::uint64_t i = 0; i < stores.threads; ++i) {
    threads.push_back(std::make_unique<StoringThread>(pages, stores.a_second / stores.threads,
                                                      seed * stores.threads + i));
  }
  std::this_thread::sleep_for(before_snapshot);
  for (const auto& thread : threads) thread->watch();
  const double taking_ns = take();
  std::this_thread::sleep_for(after_snapshot);
  double longest_ns = 0;
  for (const auto& thread : threads) longest_ns = std::max(longest_ns, thread->stop());
  return {taking_ns, longest_ns};
}

Prepare snapshots_beside(cow::Mechanism mechanism, Stores stores) {
  return [=]() -> Turn {
    const auto region =
        std::make_shared<cow::Region>(protected_region(paused_bytes(), copied_by(mechanism)));
    return [=, last = std::optional<cow::Snapshot>()](std::uint64_t turn) mutable {
      return time_beside_stores(pages_of(*region), stores, turn, [&] {
        const std::uint64_t start = now_ns();
        cow::Snapshot snapshot = region->snapshot();
        const double taking_ns = elapsed_ns(start);
        last = std::move(snapshot);
        return taking_ns;
      });
    };
  };
}

Prepare forks_beside(Stores stores) {
  return [=]() -> Turn {
    const auto memory = std::make_shared<PlainMemory>(PlainMemory::anonymous(paused_bytes()));
    using Child = cow::measure::SleepingChild;
    return [=, last = std::shared_ptr<Child>()](std::uint64_t turn) mutable {
      last.reset();
      return time_beside_stores(memory->pages(), stores, turn, [&] {
        const std::uint64_t start = now_ns();
        last = std::make_shared<Child>();
        return elapsed_ns(start);
      });
    };
  };
}

std::vector<Row> pauses_beside(Stores stores) {
  const std::string rate = stores.in_words();
  Row taking_fork{.what = "a snapshot of 256 MiB, " + rate, .ours = by_kernel, .theirs = "fork()"};
  Row taking_handler{.what = taking_fork.what, .ours = by_kernel, .theirs = by_handler};
  Row held_fork{.what = "longest hold-up of a storing thread, " + rate,
                .ours = by_kernel,
                .theirs = "fork()"};
  Row held_handler{.what = held_fork.what, .ours = by_kernel, .theirs = by_handler};
  Turns turns(rounds(31));
  turns.have_company();
  turns.add(by_kernel, snapshots_beside(cow::Mechanism::kernel, stores),
            {&taking_fork.our_samples, &held_fork.our_samples});
  turns.add(by_handler, snapshots_beside(cow::Mechanism::handler, stores),
            {&taking_handler.their_samples, &held_handler.their_samples});
  turns.add("fork()", forks_beside(stores), {&taking_fork.their_samples, &held_fork.their_samples});
  turns.take();
  taking_handler.our_samples = taking_fork.our_samples;
  held_handler.our_samples = held_fork.our_samples;
  return {taking_fork, taking_handler, held_fork, held_handler};
}

}  // namespace

Group kernel_pauses() {
  Group group;
  for (const Stores stores : {Stores{0, 1}, Stores{100, 1}, Stores{10'000, 1}, Stores{1'000'000, 1},
                              Stores{1'000'000, 8}}) {
    const std::vector<Row> rows = pauses_beside(stores);
    group.rows.insert(group.rows.end(), rows.begin(), rows.end());
  }
  return group;
}

}  // namespace cow_bench
