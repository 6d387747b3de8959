#pragma once

// One side of a comparison, in a process of its own.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "measure/experiment.hpp"
#include "measure/host/child_process.hpp"

namespace cow::measure {

/// How preparing a side, or a turn of it, went.
struct Outcome {
  enum class State { done, skipped, failed, stopped };
  State state = State::done;
  std::string reason;  ///< why it was skipped or failed: a sentence
  TurnResult result;   ///< of a turn that was done
};

struct SideLimits {
  std::optional<int> processor;      ///< that it is pinned to
  double turn_s = 60;                ///< a turn, or the preparation, that takes longer has failed
  std::function<bool()> is_stopped;  ///< asked often
};

/// What the process of a side does until the channel is closed.
void serve_side(const Side& side, const Channel& channel);

/// Whatever happens over there (an exception, its death, an answer that makes no sense, none at
/// all) becomes an Outcome; nothing is thrown for it here.
class SideProcess {
 public:
  /// `child` does serve_side().
  SideProcess(std::unique_ptr<ChildProcess> child, SideLimits limits);
  /// Starts the process. Throws std::system_error where none can be had.
  SideProcess(const Side& side, const SideLimits& limits);
  SideProcess(const SideProcess&) = delete;
  SideProcess& operator=(const SideProcess&) = delete;
  /// Ends it and all that it started, and waits for that.
  ~SideProcess();

  /// Waits until it is prepared.
  [[nodiscard]] Outcome prepare();
  /// One turn; only after a prepare(), and turns, that were done.
  [[nodiscard]] Outcome turn(std::uint64_t number);

 private:
  [[nodiscard]] Outcome outcome(const std::string& what);
  [[nodiscard]] std::string how_it_died(const std::string& what) const;

  SideLimits limits_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace cow::measure
