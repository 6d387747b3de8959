#pragma once

// What the process of a side says to the engine. Private: both ends are one program.

#include <string>
#include <string_view>

#include "measure/experiment.hpp"

namespace cow::measure {

struct Answer {
  enum class Kind { prepared, turn, unavailable, failed };
  Kind kind = Kind::failed;
  TurnResult result;     ///< of a turn
  std::string sentence;  ///< why it is unavailable, or failed
};

[[nodiscard]] std::string to_message(const Answer& answer);

/// Throws std::runtime_error where `message` is none: what wrote it had lost its senses.
[[nodiscard]] Answer from_message(std::string_view message);

}  // namespace cow::measure
