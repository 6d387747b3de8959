// Rollback of a simulation, eight frames deep, as netcode does it: inputs of the other player come
// up to eight frames late, and then the state from before is brought back and the frames since are
// simulated again. The state is a region, and each frame begins with a snapshot of it.
//
// Beside it what games do instead: a copy of the state in each frame.

#include <cow/cow.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "kernel_counts.hpp"
#include "measured.hpp"
#include "rollback_game/session.hpp"

namespace {

using examples::claim;
using examples::Match;
using examples::Session;
using examples::World;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = kib * kib;
constexpr std::size_t kept = Match::latest + 1;

struct Scene {
  const char* name;
  std::size_t bytes;
  std::size_t units;
  bool weather;  ///< each frame stores to every page
  std::size_t frames;
};

// ---- Two ways to keep the last nine states ------------------------------------------------------

class Snapshots {
 public:
  Snapshots(const Scene& scene, cow::Mechanism mechanism)
      : region_(cow::Region::create(scene.bytes, {.mechanism = mechanism})) {
    World::build(region_.bytes(), scene.units);
  }
  /// One thread alone stores, so that pages stored to in each frame need no fault.
  void keep(std::size_t frame) {
    ring_[frame % kept] = region_.snapshot(cow::SnapshotMode::quiescent);
  }
  void bring_back(std::size_t frame) { region_.restore(ring_[frame % kept]); }
  std::span<std::byte> world() { return region_.bytes(); }

 private:
  cow::Region region_;
  std::array<cow::Snapshot, kept> ring_{};
};

class Copies {
 public:
  explicit Copies(const Scene& scene) : world_(scene.bytes) {
    World::build(world_, scene.units);
    ring_.fill(world_);  // so that no frame has to ask for memory
  }
  void keep(std::size_t frame) { std::ranges::copy(world_, ring_[frame % kept].begin()); }
  void bring_back(std::size_t frame) { std::ranges::copy(ring_[frame % kept], world_.begin()); }
  std::span<std::byte> world() { return world_; }

 private:
  std::vector<std::byte> world_;
  std::array<std::vector<std::byte>, kept> ring_{};
};

// ---- What is played -----------------------------------------------------------------------------

/// One of those who play the same match.
class Player {
 public:
  virtual ~Player() = default;
  virtual void play_frame() = 0;
  /// The end of the match: the state, and how deep the deepest rollback was.
  virtual std::span<const std::byte> finish() = 0;
  [[nodiscard]] virtual std::size_t deepest() const = 0;
  [[nodiscard]] virtual std::size_t rollbacks() const = 0;

  std::vector<double> seconds{};  ///< of each frame, with what had to be simulated again
  std::size_t memory_bytes = 0;
};

template <typename States>
class PlayerWith final : public Player {
 public:
  template <typename... Arguments>
  PlayerWith(const Match& match, const Scene& scene, Arguments... arguments)
      : states_(scene, arguments...), session_(match, states_, scene.weather) {}
  void play_frame() override {
    seconds.push_back(examples::seconds_of([this] { session_.play_frame(); }));
  }
  std::span<const std::byte> finish() override {
    session_.finish();
    return states_.world();
  }
  [[nodiscard]] std::size_t deepest() const override { return session_.deepest(); }
  [[nodiscard]] std::size_t rollbacks() const override { return session_.rollbacks(); }

 private:
  States states_;
  Session<States> session_;
};

/// The same match with all inputs in time.
std::vector<std::byte> played_in_time(const Match& match, const Scene& scene) {
  std::vector<std::byte> memory(scene.bytes);
  World::build(memory, scene.units);
  for (const examples::Inputs& inputs : match.inputs) World(memory).advance(inputs, scene.weather);
  return memory;
}

/// Three players, the second an empty pointer where the kernel's mechanism cannot be had. Each
/// begins with some frames alone, so that the memory that it takes can be told apart.
std::vector<std::unique_ptr<Player>> start(const Match& match, const Scene& scene) {
  std::vector<std::unique_ptr<Player>> players;
  for (int which = 0; which < 3; ++which) {
    const std::size_t before = examples::all_memory_bytes();
    std::unique_ptr<Player> player;
    if (which == 0) {
      player = std::make_unique<PlayerWith<Snapshots>>(match, scene, cow::Mechanism::handler);
    } else if (which == 2) {
      player = std::make_unique<PlayerWith<Copies>>(match, scene);
    } else {
      try {
        player = std::make_unique<PlayerWith<Snapshots>>(match, scene, cow::Mechanism::kernel);
      } catch (const std::system_error&) {  // its row says so
      }
    }
    for (std::size_t frame = 0; player && frame < 2 * kept; ++frame) player->play_frame();
    if (player) player->memory_bytes = examples::all_memory_bytes() - before;
    players.push_back(std::move(player));
  }
  return players;
}

void play(const Scene& scene) {
  const Match match(scene.frames);
  const std::vector<std::unique_ptr<Player>> players = start(match, scene);
  for (std::size_t frame = 2 * kept; frame < scene.frames; ++frame) {
    for (std::size_t turn = 0; turn < players.size(); ++turn) {
      Player* const player = players[(frame + turn) % players.size()].get();
      if (player != nullptr) player->play_frame();
    }
  }
  const std::vector<std::byte> in_time = played_in_time(match, scene);
  for (const std::unique_ptr<Player>& player : players) {
    if (!player) continue;
    claim(std::ranges::equal(player->finish(), in_time),
          "the state is that of a match with all inputs in time, byte for byte");
    claim(player->deepest() == Match::latest, "an input came eight frames late");
  }
  const Player& first = *players.front();
  std::printf("%zu KiB, %s; %zu frames, %zu rollbacks\n", scene.bytes / kib, scene.name,
              scene.frames, first.rollbacks());
  constexpr std::array names = {"  snapshots, handler", "  snapshots, kernel", "  copies"};
  for (std::size_t i = 0; i < players.size(); ++i) {
    if (!players[i]) {
      std::printf("%-26s%12s\n", names[i], "not here");
      continue;
    }
    const std::vector<double>& seconds = players[i]->seconds;
    std::printf("%-26s%12.3f%12.3f%14.1f\n", names[i], examples::median(seconds) * 1e3,
                examples::percentile(seconds, 99) * 1e3,
                static_cast<double>(players[i]->memory_bytes) / mib);
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const bool quick = examples::is_quick(count, arguments, examples::kUsageOfRollbackGame);
    const std::size_t large = quick ? 2 * mib : 64 * mib;
    const std::vector<Scene> scenes = {
        {"a small state", 64 * kib, 200, false, quick ? 200U : 2000U},
        {"changes here and there", large, 400, false, quick ? 100U : 600U},
        {"each frame stores to all of it", large, 400, true, 60}};
    std::printf("Eight frames deep        a frame: median ms     p99 ms    memory MiB\n");
    for (const Scene& scene : scenes) play(scene);
    std::printf("\nEach ended with the bytes of a match in which all inputs came in time.\n%s\n",
                examples::machine().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rollback_game: %s\n", error.what());
    return 1;
  }
}
