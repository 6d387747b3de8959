#pragma once

#include <string>
#include <utility>

#include "demo/record/step.hpp"

namespace cow::demo {

/// A step with a title and a sentence; the state is added when it is shown.
[[nodiscard]] inline Step told(Focus focus, std::string title, std::string sentence) {
  Step step;
  step.focus = focus;
  step.title = std::move(title);
  step.sentence = std::move(sentence);
  return step;
}

}  // namespace cow::demo
