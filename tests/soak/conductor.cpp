#include "soak/conductor.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cow/cow.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "soak/alarms.hpp"
#include "soak/checker.hpp"
#include "soak/report.hpp"
#include "soak/worker.hpp"
#include "soak/world.hpp"

namespace soak {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Something that is due again and again, at irregular intervals.
class Recurring {
 public:
  Recurring(milliseconds interval, support::Random& random) : interval_(interval), random_(random) {
    set_next();
  }

  [[nodiscard]] bool is_due() {
    if (Clock::now() < next_) return false;
    set_next();
    return true;
  }

 private:
  void set_next() {
    const auto whole = static_cast<std::size_t>(interval_.count());
    next_ = Clock::now() + milliseconds(random_.between(whole / 2, whole / 2 * 3));
  }

  milliseconds interval_;
  support::Random& random_;
  Clock::time_point next_;
};

class Conductor {
 public:
  explicit Conductor(const Options& options)
      : world_(options), random_(options.seed - 1), begin_(Clock::now()) {
    for (WorkerIndex i = 0; i < options.threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(world_, i));
    }
  }

  int run();

 private:
  [[nodiscard]] bool is_over() const;
  void conduct();
  void inject();
  void change_budget();
  void check();
  void pause();
  void finish();

  World world_;
  Workers workers_;
  support::Random random_;
  Clock::time_point begin_;
  Clock::time_point printed_ = begin_;
  std::vector<std::thread> threads_;

  Recurring checks_{milliseconds(4500), random_};
  Recurring takeovers_{milliseconds(400), random_};
  Recurring descriptors_{milliseconds(900), random_};
  Recurring addresses_{milliseconds(2000), random_};
  Recurring mappings_{milliseconds(6000), random_};
  Recurring budgets_{milliseconds(4000), random_};
};

int Conductor::run() {
  fmt::print("{} threads, {} regions, seed {}\n", workers_.size(), world_.regions.size(),
             world_.options.seed);
  std::fflush(stdout);
  for (const auto& worker : workers_) threads_.emplace_back([&worker] { worker->run(); });
  conduct();
  finish();
  const Clock::duration elapsed = Clock::now() - begin_;
  const Rows rows = all_figures(world_, workers_);
  print_table(rows);
  if (!world_.options.json.empty()) write_json(world_.options.json, world_, rows, elapsed);
  fmt::print("lost stores: {}\n", world_.verdict.lost_stores());
  std::fflush(stdout);
  if (!world_.verdict.failed()) return EXIT_SUCCESS;
  fmt::print(stderr, "cow_soak: {}\n", world_.verdict.sentence());
  return EXIT_FAILURE;
}

bool Conductor::is_over() const {
  const auto length = std::chrono::duration<double, std::ratio<60>>(world_.options.minutes);
  if (world_.verdict.stopping()) return true;
  return Clock::now() - begin_ >= length && cow::process_stats().faults >= world_.options.faults;
}

void Conductor::conduct() {
  while (!is_over()) {
    std::this_thread::sleep_for(milliseconds(20));
    inject();
    if (checks_.is_due()) check();
  }
}

void Conductor::inject() {
  if (takeovers_.is_due() && world_.foreign.take_over()) add(world_.figures.takeovers);
  if (descriptors_.is_due() && Shortages::can_lack_descriptors()) {
    world_.verdict.complain("without descriptors", world_.shortages.of_descriptors());
    add(world_.figures.shortages);
  }
  if (addresses_.is_due() && Shortages::can_lack_addresses()) {
    pause();
    world_.verdict.complain("without addresses",
                            world_.shortages.of_addresses([this] { world_.rendezvous.resume(); }));
    add(world_.figures.shortages);
  }
  if (!Shortages::can_lack_mappings()) return;
  if (budgets_.is_due()) {
    change_budget();
  } else if (mappings_.is_due() && !world_.shortages.has_small_budget()) {
    // Some are left: what libcow keeps in reserve, other threads' allocations may take as well.
    world_.shortages.of_mappings(200 + random_.below(400));
    add(world_.figures.shortages);
  }
}

/// Ends a phase of few mappings, or begins one.
void Conductor::change_budget() {
  if (world_.shortages.has_small_budget()) {
    world_.shortages.end_small_budget();
    return;
  }
  // What libcow leaves to others is a part of it, so that libcow may have some more than it has, or
  // must do with fewer.
  pause();
  world_.shortages.begin_small_budget(800 + random_.below(8000));
  world_.rendezvous.resume();
  add(world_.figures.small_budgets);
}

void Conductor::check() {
  constexpr std::chrono::seconds between_lines(10);
  pause();
  try {
    Checker(world_, workers_).check_all();
    if (Clock::now() - printed_ >= between_lines) {
      printed_ = Clock::now();
      print_progress(all_figures(world_, workers_), printed_ - begin_);
    }
  } catch (const Stopped&) {
  }
  world_.rendezvous.resume();
}

// A run that hangs should tell where.
void Conductor::pause() {
  while (!world_.rendezvous.pause(std::chrono::seconds(60))) {
    fmt::print(stderr, "cow_soak: waiting for all threads to pause:\n");
    for (const auto& worker : workers_) {
      fmt::print(stderr, "  {} is {}\n", worker->name(), worker->doing());
    }
  }
}

void Conductor::finish() {
  world_.verdict.stop();
  for (std::thread& thread : threads_) thread.join();
  world_.shortages.end_small_budget();
  if (world_.verdict.failed()) return;
  try {
    Checker(world_, workers_).check_all();
  } catch (const Stopped&) {
  }
}

}  // namespace

int run(const Options& options) {
  install_alarm_handler();
  Conductor conductor(options);
  return conductor.run();
}

}  // namespace soak
