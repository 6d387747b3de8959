#pragma once

// A fuzzer as small as it can be: it changes inputs at random, and keeps those that made the target
// do something new. The same numbers each time, so that two of them make the same inputs as long as
// their targets answer the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "target.hpp"

namespace examples {

using Input = std::vector<std::uint8_t>;

class Fuzzer {
 public:
  Input next() {
    Input input = kept_[random_() % kept_.size()];
    for (std::uint64_t changes = 1 + random_() % 4; changes > 0; --changes) change(input);
    return input;
  }

  void learn(const Input& input, const Coverage& coverage) {
    bool is_new = false;
    for (std::size_t i = 0; i < coverage.seen.size(); ++i) {
      is_new |= coverage.seen[i] > seen_[i];
      seen_[i] |= coverage.seen[i];
    }
    if (is_new) kept_.push_back(input);
  }

 private:
  void change(Input& input) {
    constexpr std::string_view letters = "0123456789abcxyz()()+- ";
    const std::size_t at = random_() % (input.size() + 1);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random_() % 3) {
      case 0:
        input.insert(place, static_cast<std::uint8_t>(letters[random_() % letters.size()]));
        break;
      case 1:
        if (place != input.end()) input.erase(place);
        break;
      default: {  // what begins there once more
        const std::size_t count = std::min<std::size_t>(random_() % 5, input.size() - at);
        const Input slice(place, place + static_cast<std::ptrdiff_t>(count));
        if (input.size() < 64) input.insert(place, slice.begin(), slice.end());
      }
    }
  }

  std::mt19937_64 random_{1};
  std::vector<Input> kept_{{'1', '2', '+', '(', 'a', ')'}};
  decltype(Coverage::seen) seen_{};
};

/// The first input that corrupts the target, and when it came.
struct Found {
  std::size_t round = 0;
  std::string input{};
  bool operator==(const Found&) const = default;
};

/// Rounds with one way to reset: `run` runs an input from the state that the target starts with.
class Campaign {
 public:
  using Run = std::function<Outcome(std::span<const std::uint8_t>, Coverage&)>;
  explicit Campaign(Run run, std::string prefix = "")
      : run_(std::move(run)), prefix_(std::move(prefix)) {}

  void round() {
    Input input = fuzzer_.next();
    input.insert(input.begin(), prefix_.begin(), prefix_.end());
    Coverage coverage;
    const Outcome outcome = run_(input, coverage);
    ++rounds_;
    if (outcome == Outcome::corrupted && !found_) {
      found_ = Found{rounds_, std::string(input.begin(), input.end())};
    }
    input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(prefix_.size()));
    fuzzer_.learn(input, coverage);
  }

  [[nodiscard]] const std::optional<Found>& found() const { return found_; }

 private:
  Run run_;
  std::string prefix_;
  Fuzzer fuzzer_{};
  std::size_t rounds_ = 0;
  std::optional<Found> found_{};
};

}  // namespace examples
