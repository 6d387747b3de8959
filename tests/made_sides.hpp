// Sides, and comparisons of them, that measure nothing: for tests of the engine of cow bench.
#pragma once

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "measure/engine/plan.hpp"
#include "measure/engine/take_turns.hpp"
#include "measure/experiment.hpp"

namespace made {

using namespace cow::measure;

inline Side side(std::string name, Turn turn) {
  return {std::move(name), [turn = std::move(turn)] { return turn; }};
}

inline Side good_side(std::string name = "good") {
  return side(std::move(name), [](std::uint64_t turn) {
    TurnResult result;
    result.samples = {100 + static_cast<double>(turn)};
    result.parts = {{"copy", {static_cast<double>(turn)}}};
    result.counts = {{"faults", static_cast<double>(turn)}};
    return result;
  });
}

inline Comparison comparison(std::vector<Side> sides, std::size_t turns = 4) {
  Comparison made;
  made.workload = "a workload";
  made.sides = std::move(sides);
  made.least_turns = turns;
  made.most_turns = turns;
  return made;
}

inline std::vector<Row> rows_of(const Comparison& comparison, std::uint64_t seed = 1,
                                std::optional<int> processor = std::nullopt) {
  TurnLimits limits;
  limits.share_s = 0;
  limits.turn_s = 5;
  limits.processor = processor;
  Order order(seed);
  return take_turns("test", comparison, limits, order);
}

/// A pipe whose writing end the children have.
class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_) == 0); }
  ~Pipe() {
    ::close(ends_[0]);
    close_writer();
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  void write(const void* from, std::size_t bytes) const {
    if (::write(ends_[1], from, bytes) != static_cast<ssize_t>(bytes)) ::_exit(9);
  }
  /// Until every process that could write has closed it, or for a minute.
  std::string read_all() {
    close_writer();
    std::string text;
    pollfd ready{ends_[0], POLLIN, 0};
    char bytes[256];
    while (::poll(&ready, 1, 60'000) == 1) {
      const ssize_t got = ::read(ends_[0], bytes, sizeof bytes);
      if (got <= 0) return text;
      text.append(bytes, static_cast<std::size_t>(got));
    }
    return text + " (and somebody still has it open)";
  }
  [[nodiscard]] char read_byte() const {
    char byte = 0;
    REQUIRE(::read(ends_[0], &byte, 1) == 1);
    return byte;
  }
  [[nodiscard]] pid_t read_process() const {
    pid_t process = 0;
    REQUIRE(::read(ends_[0], &process, sizeof process) == sizeof process);
    return process;
  }

 private:
  int ends_[2] = {-1, -1};
};

inline bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

inline Plan plan_of(const Experiment& experiment, std::size_t comparisons) {
  Plan plan{&experiment, {}};
  for (std::size_t i = 0; i < comparisons; ++i) {
    plan.comparisons.push_back(comparison({good_side("one"), good_side("other")}, 6));
    plan.comparisons.back().workload = std::to_string(i);
  }
  return plan;
}

inline constexpr Experiment an_experiment{"test", "is it so?", nullptr};

}  // namespace made
