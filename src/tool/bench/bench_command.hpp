#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cow::tool {

struct BenchOptions {
  std::vector<std::string> arguments;    ///< as they were given
  std::vector<std::string> experiments;  ///< empty: all, or those of the baseline
  std::vector<std::string> mechanisms;   ///< empty: all, or those of the baseline
  std::optional<std::string> trace;
  std::optional<std::string> json;
  std::optional<std::string> baseline;
  std::optional<std::uint64_t> seed;
  bool is_full = false;
  bool lists = false;
  bool is_quiet = false;
};

/// What a run ends with that was stopped half-way, as a shell says of Ctrl-C.
inline constexpr int exit_stopped = 130;

/// `cow bench`. Returns the exit code. Throws ToolError.
int run_bench(const BenchOptions& options);

}  // namespace cow::tool
