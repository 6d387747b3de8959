#pragma once

// A handler of a fault's signal that asks us first, and then whoever was there before.

#include <csignal>

namespace cow::measure {

/// One of them in a process. Its signal's action is ours while it lives.
class FaultHandler {
 public:
  /// Asked in the handler, on the thread that faulted: whether the fault was ours, and is done
  /// with.
  using Answer = bool (*)(void* context, const siginfo_t& info) noexcept;

  FaultHandler(int signal, Answer answer, void* context);
  FaultHandler(const FaultHandler&) = delete;
  FaultHandler& operator=(const FaultHandler&) = delete;
  ~FaultHandler();

 private:
  static void handle(int signal, siginfo_t* info, void* registers);
  void hand_on(int signal, siginfo_t* info, void* registers) const;

  int signal_;
  Answer answer_;
  void* context_;
  struct sigaction before_ {};
};

/// Ends the process with a line about a call that the kernel refused within a handler, on the error
/// output.
[[noreturn]] void die_in_handler(const char* sentence) noexcept;

}  // namespace cow::measure
