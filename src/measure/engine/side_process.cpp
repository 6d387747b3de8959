#include "measure/engine/side_process.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "measure/engine/answer.hpp"
#include "measure/quantity.hpp"

namespace cow::measure {
namespace {

/// For a process to give up what it has by itself; some of it is files and other processes.
constexpr double patience_s = 5;

std::string failure(const std::string& sentence) {
  return to_message({Answer::Kind::failed, {}, sentence});
}

template <typename Body>
std::string answer_of(const Body& body) {
  try {
    return to_message(body());
  } catch (const Unavailable& reason) {
    return to_message({Answer::Kind::unavailable, {}, reason.what()});
  } catch (const std::exception& error) {
    return failure(error.what());
  } catch (...) {
    return failure("it threw something that is no std::exception");
  }
}

}  // namespace

// An answer for the preparation, and one for the number of each turn.
void serve_side(const Side& side, const Channel& channel) {
  Turn turn;
  const std::string prepared = answer_of([&] {
    turn = side.prepare();
    if (!turn) throw std::runtime_error("it prepared nothing");
    return Answer{Answer::Kind::prepared, {}, {}};
  });
  if (!channel.send(prepared) || !turn) return;
  std::string number;
  while (channel.receive(number)) {
    const std::string answer = answer_of([&] {
      return Answer{Answer::Kind::turn, turn(std::stoull(number)), {}};
    });
    if (answer.size() <= most_message_bytes) {
      if (!channel.send(answer)) return;
    } else if (!channel.send(failure("it found more than can be passed on"))) {
      return;
    }
  }
}

namespace {

bool is_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

// Nothing that is not a measurement passes for one.
std::string fault_of(const TurnResult& result) {
  if (result.samples.empty()) return "it returned no sample";
  bool is_good = is_finite(result.samples);
  for (const NamedSamples& part : result.parts) is_good = is_good && is_finite(part.values);
  for (const auto& [name, count] : result.counts) is_good = is_good && std::isfinite(count);
  return is_good ? "" : "it returned a sample that is not a number";
}

}  // namespace

SideProcess::SideProcess(std::unique_ptr<ChildProcess> child, SideLimits limits)
    : limits_(std::move(limits)), child_(std::move(child)) {}

SideProcess::SideProcess(const Side& side, const SideLimits& limits)
    : SideProcess(
          std::make_unique<ChildProcess>(
              [&side](const Channel& channel) { serve_side(side, channel); }, limits.processor),
          limits) {}

SideProcess::~SideProcess() { child_->end(patience_s); }

Outcome SideProcess::prepare() { return outcome("being prepared"); }

Outcome SideProcess::turn(std::uint64_t number) {
  const std::string what = number == 0 ? "the rehearsal" : fmt::format("turn {}", number);
  // Where it cannot be sent the process is gone, which outcome() finds and says.
  static_cast<void>(child_->send(std::to_string(number)));
  Outcome outcome = this->outcome(what);
  if (outcome.state == Outcome::State::done) {
    const std::string fault = fault_of(outcome.result);
    if (!fault.empty()) outcome = {Outcome::State::failed, fault + " in " + what, {}};
  }
  return outcome;
}

std::string SideProcess::how_it_died(const std::string& what) const {
  const std::string last_words = printable(child_->last_words());
  return fmt::format("its process {} in {}{}{}", child_->how_it_ended(), what,
                     last_words.empty() ? "" : ": ", last_words);
}

Outcome SideProcess::outcome(const std::string& what) {
  using State = Outcome::State;
  std::string message;
  Received received = Received::ended;
  try {
    received = child_->receive(message, limits_.turn_s, limits_.is_stopped);
  } catch (const std::system_error& error) {
    child_->end(0);
    return {State::failed,
            fmt::format("it could not be waited for ({}) in {}", error.what(), what),
            {}};
  }
  switch (received) {
    case Received::stopped: child_->end(0); return {State::stopped, {}, {}};
    case Received::late:
      child_->end(0);
      return {State::failed,
              fmt::format("it did not come to an end within {:.3g} s in {}", limits_.turn_s, what),
              {}};
    case Received::ended: child_->end(patience_s); return {State::failed, how_it_died(what), {}};
    case Received::broken:
      child_->end(0);
      return {State::failed, "what it answered makes no sense, in " + what, {}};
    case Received::message: break;
  }
  try {
    Answer answer = from_message(message);
    if (answer.kind == Answer::Kind::unavailable) return {State::skipped, answer.sentence, {}};
    if (answer.kind == Answer::Kind::failed) {
      return {State::failed, fmt::format("{}, in {}", answer.sentence, what), {}};
    }
    return {State::done, {}, std::move(answer.result)};
  } catch (const std::exception& error) {
    return {State::failed, fmt::format("{}, in {}", error.what(), what), {}};
  }
}

}  // namespace cow::measure
