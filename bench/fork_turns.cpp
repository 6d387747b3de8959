#include "fork_turns.hpp"

#include <memory>
#include <span>

#include "forking.hpp"
#include "measure/mechanisms/forked_child.hpp"
#include "measure/mechanisms/numbers_of_child.hpp"
#include "plain_memory.hpp"

namespace cow_bench {

namespace {

namespace measure = cow::measure;

std::shared_ptr<PlainMemory> filled(std::size_t bytes) {
  return std::make_shared<PlainMemory>(PlainMemory::anonymous(bytes));
}

}  // namespace

Prepare forks(std::size_t bytes) {
  return [=]() -> Turn {
    return [memory = filled(bytes)](std::uint64_t) {
      const ForkTimes times = time_fork();
      return Figures{times.returned_ns, times.reaped_ns};
    };
  };
}

Prepare stores_after_fork(std::size_t bytes, std::size_t per_mille, Order order) {
  return [=]() -> Turn {
    const auto memory = filled(bytes);
    const std::size_t count = share_of(memory->pages().count, per_mille);
    return [=](std::uint64_t turn) {
      const std::vector<double> child = measure::numbers_of_child(1, [&](std::span<double> result) {
        result[0] = time_per_store(memory->pages(), count, order, turn);
      });
      const measure::SleepingChild sharer;
      return Figures{child[0], time_per_store(memory->pages(), count, order, turn)};
    };
  };
}

Prepare fork_snapshots(std::size_t bytes, RoundPages round) {
  return [=]() -> Turn {
    return [memory = filled(bytes), round](std::uint64_t turn) {
      const auto pages = round.of(memory->pages().count, turn);
      const std::uint64_t start = now_ns();
      {
        const measure::SleepingChild snapshot;
        time_stores(memory->pages(), pages, turn);
      }
      return Figures{elapsed_ns(start)};
    };
  };
}

Prepare fork_trials(std::size_t bytes, RoundPages round) {
  return [=]() -> Turn {
    return [memory = filled(bytes), round](std::uint64_t turn) {
      const auto pages = round.of(memory->pages().count, turn);
      return Figures{time_trial([&] { time_stores(memory->pages(), pages, turn); })};
    };
  };
}

}  // namespace cow_bench
