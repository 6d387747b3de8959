#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "demo/chapters/chapter.hpp"
#include "tool/screen.hpp"

namespace cow::demo {

/// Tells the steps of a chapter as text, one below the other: for a pipe, a terminal that is too
/// small, or --plain.
class TextTeller {
 public:
  TextTeller(tool::Screen& screen, bool asks) : screen_(screen), asks_(asks) {}

  void begin(const Chapter& chapter);
  void tell(const Step& step);

 private:
  void ask(const Question& question);
  void tell_memory(const Step& step);
  void tell_mapping(const MappingView& mapping);

  tool::Screen& screen_;
  bool asks_;
  int number_ = 0;
  std::vector<std::string> picture_;  ///< the last one: it is not printed again
};

}  // namespace cow::demo
