#include "fork_sides.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "measure/mechanisms/forked_child.hpp"
#include "measure/mechanisms/numbers_of_child.hpp"
#include "plain_memory.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

std::shared_ptr<PlainMemory> filled(std::size_t bytes) {
  return std::make_shared<PlainMemory>(PlainMemory::anonymous(bytes));
}

}  // namespace

SideProcess::Measure prepare_forks(std::size_t bytes) {
  return [memory = filled(bytes)] {
    const ForkTimes times = time_fork();
    return Samples({times.returned_ns, times.reaped_ns});
  };
}

SideProcess::Measure prepare_fork_stores(std::size_t bytes, std::size_t per_mille, Order order) {
  const auto memory = filled(bytes);
  const std::size_t count = share_of(memory->pages().count, per_mille);
  return [memory, count, order, seed = std::uint64_t{0}]() mutable {
    ++seed;
    const auto child = cow::measure::numbers_of_child(1, [&](std::span<double> result) {
      result[0] = time_per_store(memory->pages(), count, order, seed);
    });
    const cow::measure::SleepingChild sharer;
    return Samples({child[0], time_per_store(memory->pages(), count, order, seed)});
  };
}

SideProcess::Measure prepare_fork_snapshots(std::size_t bytes, RoundPages round) {
  return [memory = filled(bytes), round, turn = std::uint64_t{0}]() mutable {
    const auto pages = round.of(memory->pages().count, ++turn);
    const std::uint64_t start = now_ns();
    {
      const cow::measure::SleepingChild snapshot;
      time_stores(memory->pages(), pages, turn);
    }
    return Samples({elapsed_ns(start)});
  };
}

SideProcess::Measure prepare_fork_trials(std::size_t bytes, std::vector<RoundPages> rounds,
                                         std::size_t turns) {
  return [memory = filled(bytes), rounds = std::move(rounds), turns,
          measured = std::size_t{0}]() mutable {
    const std::uint64_t turn = measured % turns + 1;
    const auto pages = rounds.at(measured++ / turns).of(memory->pages().count, turn);
    return Samples({time_trial([&] { time_stores(memory->pages(), pages, turn); })});
  };
}

}  // namespace cow_bench
