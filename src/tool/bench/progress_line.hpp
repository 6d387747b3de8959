#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "measure/engine/run.hpp"

namespace cow::tool {

/// How far a run is, as one line of `columns` at most.
[[nodiscard]] std::string progress_text(const measure::Progress& progress, std::size_t columns);

/// That line, drawn again and again at the same place of a terminal. Elsewhere nothing is drawn.
class ProgressLine {
 public:
  ProgressLine(std::FILE* file, bool is_wanted);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  /// Takes the line away.
  ~ProgressLine();

  void show(const measure::Progress& progress);

 private:
  std::FILE* file_;
  bool is_wanted_;
  std::size_t columns_;
  std::uint64_t drawn_ns_ = 0;  ///< when; 0: nothing stands there
};

}  // namespace cow::tool
