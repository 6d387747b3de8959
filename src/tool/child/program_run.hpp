#pragma once

#include <string>
#include <utility>
#include <vector>

namespace cow::tool {

/// How a program ended.
struct ProgramEnd {
  int status = 0;  ///< as a shell has it: what it returned, or 128 and the number of the signal
  int signal = 0;  ///< that ended it; 0: it ended by itself
  std::string signal_name;
};

/// Exit codes of a program that could not be run, as shells have them.
inline constexpr int exit_cannot_be_run = 126;
inline constexpr int exit_not_found = 127;

/// Runs a program, found as a shell finds it, with this process's input, output, directory and
/// environment, in which `variables` are set, and waits for its end. Signals that are sent to this
/// process meanwhile go to the program instead; those that a terminal sends to both (Ctrl-C) only
/// the program gets to feel. Throws ToolError, with one of the exit codes above, if it cannot be
/// run.
[[nodiscard]] ProgramEnd run_program(
    const std::vector<std::string>& command,
    const std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace cow::tool
