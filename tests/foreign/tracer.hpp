// Watches a process die.
#pragma once

#include <signal.h>
#include <sys/types.h>

namespace foreign {

struct Death {
  bool traced = false;  ///< false where ptrace(2) is refused
  bool signalled = false;
  siginfo_t last{};  ///< of the last SIGSEGV, SIGBUS or SIGILL the kernel was about to deliver
};

/// To be called by the child; then it runs on as ever.
void let_parent_trace();

/// Runs the child until it ends.
Death trace(pid_t child);

}  // namespace foreign
