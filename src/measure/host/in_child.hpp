#pragma once

// Something done in a child of this process, as it may be the end of who does it: a filter of
// system calls may kill, and a region that nobody can serve is SIGSEGV or SIGBUS.

#include <functional>
#include <string>

namespace cow::measure {

struct ChildEnd {
  bool was_child = true;   ///< false: fork() is refused, and it was done in this process
  bool has_said = false;   ///< it came to its end, and `said` is all that it returned
  int signal = 0;          ///< that ended it
  int fork_error = 0;      ///< errno of fork(), where there is no child
  std::string said;        ///< what it returned
  std::string complained;  ///< what it printed on the error output, if that was caught
};

enum class Complaints { pass, caught };

/// Runs `work` in a child, or here where there are no children. An exception of `work` passes here,
/// and is the end of a child that says nothing.
[[nodiscard]] ChildEnd in_child(const std::function<std::string()>& work,
                                Complaints complaints = Complaints::pass);

}  // namespace cow::measure
