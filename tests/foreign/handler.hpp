// The earlier handlers: each says on stdout all it was given, then does what the kind asks.
#pragma once

#include <signal.h>

#include "disposition.hpp"

namespace foreign {

/// How a handler ends.
enum class Reaction {
  jump,      ///< siglongjmp to before the fault
  mend,      ///< removes the cause and returns
  carry_on,  ///< returns
};

/// One kind of fault or sent signal.
struct Kind {
  const char* name;
  Reaction reaction;
  void (*cause)();             ///< makes it happen once
  void (*mend)() = nullptr;    ///< for Reaction::mend; attempt() begins with `spoil`
  void (*spoil)() = nullptr;   ///< undoes `mend`
  void (*inside)() = nullptr;  ///< what the handler does besides when it is entered first
};

/// To be called first, in the process that causes the signals. `handled` is shared with its
/// children and counts the calls of handlers.
void begin_case(const Kind& kind, const Disposition& disposition);

const Disposition& disposition_now();
int times_handled();

/// Runs `cause` and says what errno and the signal mask are afterwards. Handlers that jump end it.
void attempt(void (*cause)());

void plain_handler(int signal);
void siginfo_handler(int signal, siginfo_t* info, void* context);

/// "signal=11 code=1 addr=0x0" and, for signals that were sent, by whom and with what.
struct SignalText {
  char text[128];
};
SignalText describe(const siginfo_t& info, pid_t self);

/// Writes one line to stdout. Signal context: yes.
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...);

}  // namespace foreign
