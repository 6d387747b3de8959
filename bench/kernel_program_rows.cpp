#include <benchmark/benchmark.h>
#include <cow/cow.hpp>
#include <cow/managed_region.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "forking.hpp"
#include "kernel_rows.hpp"
#include "plain_memory.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace {

using Key = std::uint64_t;
using Value = std::array<std::uint64_t, 4>;
using Map = cow::map<Key, Value>;
using StandardMap = std::map<Key, Value>;

std::size_t entries() { return full_or_quick<std::size_t>(320'000, 1000); }

// Odd multipliers of 64-bit numbers are permutations: distinct keys without any order.
Key scattered(std::uint64_t i) { return i * 0x9e3779b97f4a7c15U; }

template <typename AnyMap>
void fill(AnyMap& map) {
  for (std::uint64_t i = 0; i < entries(); ++i) map.emplace(scattered(i), Value{i});
}

/// What a server does for one request to its own copy of the template.
template <typename AnyMap>
void serve(AnyMap& map, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto any = [&] { return map.find(scattered(random() % entries())); };
  std::uint64_t sum = 0;
  for (int i = 0; i < 50; ++i) sum += any()->second[0];
  benchmark::DoNotOptimize(sum);
  for (int i = 0; i < 40; ++i) any()->second[1] = seed;
}

Prepare forks_for_requests() {
  return []() -> Turn {
    const auto map = std::make_shared<StandardMap>();
    fill(*map);
    return [map](std::uint64_t turn) { return Figures{time_trial([&] { serve(*map, turn); })}; };
  };
}

class Template {
 public:
  explicit Template(cow::Mechanism mechanism)
      : heap_(cow::ManagedRegion::create(full_or_quick(30 * mib, mib), copied_by(mechanism))) {
    fill(*heap_.construct<Map>("map")(heap_.get_allocator<Map::value_type>()));
  }

  double time_request(std::uint64_t seed) {
    const std::uint64_t start = now_ns();
    {
      cow::ManagedRegion clone = heap_.clone();
      serve(*clone.find<Map>("map").first, seed);
    }
    return elapsed_ns(start);
  }

 private:
  cow::ManagedRegion heap_;
};

Prepare clones_for_requests(cow::Mechanism mechanism) {
  return [mechanism]() -> Turn {
    return [heap = std::make_shared<Template>(mechanism)](std::uint64_t turn) {
      return Figures{heap->time_request(turn)};
    };
  };
}

}  // namespace

Group kernel_requests() {
  Row row{.what = "a template heap of 30 MiB, a request reads 50 and changes 40 entries of a map",
          .ours = "a clone for each, dropped",
          .theirs = "fork() for each, child reaped",
          .most = 0.7};
  Row handler{.what = row.what, .ours = row.ours, .theirs = by_handler};
  Turns turns(rounds(300));
  turns.add(row.ours, clones_for_requests(cow::Mechanism::kernel), {&row.our_samples});
  turns.add(by_handler, clones_for_requests(cow::Mechanism::handler), {&handler.their_samples});
  turns.add(row.theirs, forks_for_requests(), {&row.their_samples});
  turns.take();
  handler.our_samples = row.our_samples;
  return {.rows = {row, handler}};
}

namespace {

constexpr std::size_t frames_kept = 8;

bool goes_back(std::uint64_t frame) { return frame % 4 == 0 && frame >= frames_kept; }

/// One frame of a game: the state is kept, a tenth of its pages changes; every fourth frame it is
/// first made what it was seven frames ago.
template <typename State>
double time_frame(State& state, std::uint64_t frame) {
  const Pages pages = state.pages();
  const auto changed = choose_pages(pages.count, pages.count / 10, Order::random, frame);
  const std::uint64_t start = now_ns();
  if (goes_back(frame)) state.go_back((frame - 7) % frames_kept);
  state.keep((frame) % frames_kept);
  time_stores(pages, changed, frame);
  return elapsed_ns(start);
}

class RegionState {
 public:
  RegionState(cow::Mechanism mechanism, std::size_t bytes, cow::SnapshotMode mode)
      : region_(written_region(bytes, copied_by(mechanism))), mode_(mode) {}
  [[nodiscard]] Pages pages() { return pages_of(region_); }
  void keep(std::size_t slot) { kept_.at(slot) = region_.snapshot(mode_); }
  void go_back(std::size_t slot) { region_.restore(*kept_.at(slot)); }

 private:
  cow::Region region_;
  cow::SnapshotMode mode_;
  std::array<std::optional<cow::Snapshot>, frames_kept> kept_;
};

class CopiedState {
 public:
  explicit CopiedState(std::size_t bytes) : state_(PlainMemory::anonymous(bytes)) {
    for (std::size_t i = 0; i < frames_kept; ++i) kept_.push_back(PlainMemory::anonymous(bytes));
  }
  [[nodiscard]] Pages pages() const { return state_.pages(); }
  void keep(std::size_t slot) { std::memcpy(kept_[slot].data(), state_.data(), state_.size()); }
  void go_back(std::size_t slot) { std::memcpy(state_.data(), kept_[slot].data(), state_.size()); }

 private:
  PlainMemory state_;
  std::vector<PlainMemory> kept_;
};

/// One figure: four frames, of which one goes back.
template <typename State, typename... Arguments>
Prepare frames_of(Arguments... arguments) {
  return [=]() -> Turn {
    return [state = std::make_shared<State>(arguments...)](std::uint64_t turn) {
      double sum = 0;
      for (std::uint64_t i = 0; i < 4; ++i) sum += time_frame(*state, 4 * turn + i);
      return Figures{sum};
    };
  };
}

}  // namespace

Group kernel_game() {
  const std::size_t bytes = full_or_quick(4 * mib, mib);
  Row row{.what = "a game state of 4 MiB: 10 % of its pages changed a frame, 8 frames kept, every "
                  "4th goes back 7",
          .ours = "snapshot(), restore(), four frames",
          .theirs = "memcpy of the state",
          .most = 0.8};
  Row handler{.what = row.what, .ours = row.ours, .theirs = by_handler};
  const auto states_by = [bytes](cow::Mechanism mechanism) {
    return frames_of<RegionState>(mechanism, bytes, cow::SnapshotMode::quiescent);
  };
  Turns turns(rounds(400));
  turns.add(row.ours, states_by(cow::Mechanism::kernel), {&row.our_samples});
  turns.add(by_handler, states_by(cow::Mechanism::handler), {&handler.their_samples});
  turns.add(row.theirs, frames_of<CopiedState>(bytes), {&row.their_samples});
  turns.take();
  handler.our_samples = row.our_samples;
  return {.rows = {row, handler}};
}

}  // namespace cow_bench
