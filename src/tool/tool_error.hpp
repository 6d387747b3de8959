#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>

namespace cow::tool {

/// Exit codes of every subcommand.
inline constexpr int exit_success = 0;
inline constexpr int exit_failure = 1;  ///< the job could not be done, or a check failed
inline constexpr int exit_usage = 2;    ///< the command line asks for something that cannot be

/// One sentence for the user: what happened, to which file, what to do. `main` prints it to
/// stderr and ends with `exit_code()`.
class ToolError : public std::runtime_error {
 public:
  explicit ToolError(const std::string& sentence, int exit_code = exit_failure)
      : std::runtime_error(sentence), exit_code_(exit_code) {}

  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

 private:
  int exit_code_;
};

/// "cow: SENTENCE" on stderr. Where nobody can read that the exit code is all there is.
inline void say_on_stderr(const std::string& sentence) {
  const std::string line = "cow: " + sentence + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace cow::tool
