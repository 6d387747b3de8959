#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace cow::demo {

/// A real child process, made by fork(), that answers lines with lines. It ends with this object,
/// or with the program, and cannot reach the terminal's settings.
class ChildProcess {
 public:
  /// Runs in the child. What it throws goes to the parent as an error.
  using Answer = std::function<std::string(const std::string& request)>;

  /// Forks. Throws std::system_error.
  explicit ChildProcess(const Answer& answer);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Throws tool::ToolError that says how the child ended if it is gone, or what it could not do.
  [[nodiscard]] std::string ask(const std::string& request);

  /// Ends it and waits for it; how it ended, in words.
  std::string end();

 private:
  pid_t pid_ = -1;
  int socket_ = -1;
};

}  // namespace cow::demo
