#pragma once

// Rollback as netcode does it: a frame is never waited for. What the other player does is guessed,
// and when it turns out to have been something else, the state from before that frame is brought
// back and the frames since are simulated again. How states are kept is somebody else's affair.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "world.hpp"

namespace examples {

/// The other player's inputs for all frames, and in which frame each of them arrives.
struct Match {
  static constexpr std::size_t latest = 8;
  std::vector<Inputs> inputs{};
  std::vector<std::size_t> arrives{};

  explicit Match(std::size_t frames) {
    std::mt19937_64 random(1);
    Inputs held;
    for (std::size_t frame = 0; frame < frames; ++frame) {
      if (random() % 6 == 0) held.here = static_cast<Input>(random() % 16);
      if (random() % 3 == 0) held.there = static_cast<Input>(random() % 16);
      inputs.push_back(held);
      const std::size_t earliest = frame == 0 ? 0 : arrives.back();  // they keep their order
      arrives.push_back(std::clamp(frame + random() % (latest + 1), earliest, frame + latest));
    }
  }
};

/// Plays a match with states that `States` keeps: `keep(frame)` before a frame is simulated,
/// `bring_back(frame)` at most eight frames later, and `world()`, the state of now.
template <typename States>
class Session {
 public:
  Session(const Match& match, States& states, bool weather)
      : match_(match), states_(states), weather_(weather) {}

  /// The next frame: what arrives now, the frames that have to be simulated again, and this one.
  void play_frame() {
    const std::size_t now = played_.size();
    std::size_t first_wrong = now;
    for (; known_ < match_.inputs.size() && match_.arrives[known_] <= now; ++known_) {
      if (known_ >= now) continue;  // it is in time
      if (played_[known_].there != match_.inputs[known_].there) {
        first_wrong = std::min(first_wrong, known_);
      }
    }
    if (first_wrong < now) {
      states_.bring_back(first_wrong);
      deepest_ = std::max(deepest_, now - first_wrong);
      ++rollbacks_;
    }
    for (std::size_t frame = first_wrong; frame <= now; ++frame) {
      if (frame == now || frame > first_wrong) states_.keep(frame);  // it is there otherwise
      simulate(frame);
    }
  }

  /// All that was under way has arrived.
  void finish() {
    const std::size_t end = played_.size();
    std::size_t frame = 0;
    while (frame < end && played_[frame] == match_.inputs[frame]) ++frame;
    known_ = end;
    if (frame == end) return;
    states_.bring_back(frame);
    for (; frame < end; ++frame) simulate(frame);  // nobody goes back any more
  }

  [[nodiscard]] std::size_t rollbacks() const { return rollbacks_; }
  [[nodiscard]] std::size_t deepest() const { return deepest_; }

 private:
  void simulate(std::size_t frame) {
    Inputs inputs = match_.inputs[frame];
    if (frame >= known_) inputs.there = known_ > 0 ? match_.inputs[known_ - 1].there : Input{0};
    if (frame < played_.size()) {
      played_[frame] = inputs;
    } else {
      played_.push_back(inputs);
    }
    World(states_.world()).advance(inputs, weather_);
  }

  const Match& match_;
  States& states_;
  bool weather_;
  std::vector<Inputs> played_{};  ///< with what each frame was simulated last
  std::size_t known_ = 0;         ///< the other player's inputs that have arrived
  std::size_t rollbacks_ = 0;
  std::size_t deepest_ = 0;
};

}  // namespace examples
