#pragma once

// The command line of a program that writes a result (docs/bench-format.md): --list, --only, --json
// and --check, as `cow bench` has them.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/result.hpp"

namespace cow_bench {

struct ResultArguments {
  std::string json_file;
  std::string baseline_file;
  std::vector<std::string> only;
  std::vector<std::string> words;  ///< all of them, as they were given

  /// Whether --only leaves it in.
  [[nodiscard]] bool wants(std::string_view name) const;
};

/// What was measured, and whether something of it failed.
struct Measured {
  cow::measure::Result result;
  bool has_failed = false;
};

/// Parses the command line, prints what --list asks for, or measures; writes the result where
/// --json says, and compares it with that of --check, which is to be another file. `names` are what
/// --only takes; an experiment has the name of one. Returns the exit status: that of a failure also
/// if something became slower.
int run_result_program(int argc, char** argv, std::string_view program,
                       const std::vector<std::string>& names,
                       const std::function<Measured(const ResultArguments&)>& measure_all);

}  // namespace cow_bench
