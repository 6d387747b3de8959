// What a program had done about its signals before libcow came.
#pragma once

#include <cstddef>

namespace foreign {

struct Disposition {
  enum class Handling { standard, ignore, plain, siginfo };
  Handling handling = Handling::standard;
  int flags = 0;            ///< SA_NODEFER and so on
  bool masks_more = false;  ///< a sa_mask that is not empty

  [[nodiscard]] bool has_handler() const {
    return handling == Handling::plain || handling == Handling::siginfo;
  }
};

/// "default", "ignore", "plain" or "siginfo", and for the last two any of "+nodefer",
/// "+resethand", "+onstack", "+restart" and "+mask". False if it is none of these.
bool parse_disposition(const char* text, Disposition& disposition);

/// Installs it for SIGSEGV, SIGBUS and SIGILL.
void install(const Disposition& disposition);

/// Gives the calling thread an alternate stack, or takes it away if `disposition` has a handler
/// that does not want one: libcow's own handler always runs on the alternate stack where there is
/// one, and so do the handlers it calls.
void set_alternate_stack(const Disposition& disposition);

}  // namespace foreign
