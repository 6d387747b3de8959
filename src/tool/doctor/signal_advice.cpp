// Whose signals they are, and the stack that they are handled on.

#include <fmt/format.h>

#include "tool/doctor/subjects.hpp"
#include "tool/quantity.hpp"

namespace cow::tool {

using measure::Findings;
using measure::SignalAction;
using measure::SignalFacts;

namespace {

constexpr std::uint64_t kBelowFrameBytes = std::uint64_t{4}
                                           << 10;  // docs/reliability.md: a small signal stack

std::string owner_of(const SignalAction& action) {
  const std::string object = action.object.empty() ? "code of no file" : printable(action.object);
  return action.symbol.empty() ? object : fmt::format("{} in {}", printable(action.symbol), object);
}

void add_segv(const SignalAction& action, Lines& lines) {
  if (action.is_default) {
    lines.push_back(
        {Level::ok, "SIGSEGV", "Nobody has a handler for it before libcow installs its own.", ""});
    return;
  }
  if (action.is_ignored) {
    lines.push_back({Level::note, "SIGSEGV",
                     "It is ignored here, and that is inherited by every program that is started. "
                     "libcow handles it all the same.",
                     "Start the program with the default action, so that real faults are seen."});
    return;
  }
  lines.push_back(
      {Level::note, "SIGSEGV",
       fmt::format("It is owned by {}: a sanitizer, a crash reporter or a runtime, which was there "
                   "first. libcow puts its handler in front, and hands on what is not its own.",
                   owner_of(action)),
       "Nothing, if it stays so. If that one installs its handler again later, call "
       "cow::reinstall_handler() then, or cow::try_handle_fault() from it: see "
       "docs/embedding.md."});
}

void add_bus(const SignalAction& action, Lines& lines) {
  if (action.is_default) {
    lines.push_back({Level::ok, "SIGBUS",
                     "Nobody has a handler for it; a store for which there is no memory ends the "
                     "process.",
                     ""});
    return;
  }
  const std::string who =
      action.is_ignored ? "It is ignored here" : fmt::format("It is owned by {}", owner_of(action));
  lines.push_back({Level::note, "SIGBUS",
                   who + ". libcow has no handler for it, but ends a store with it for which there "
                         "is no memory.",
                   "Let that handler end the process, or set RegionOptions::reserve_frames."});
}

void add_stack(const SignalFacts& facts, Lines& lines) {
  if (facts.least_stack_bytes == 0) return;
  const std::uint64_t needed = facts.least_stack_bytes + kBelowFrameBytes;
  const std::string need = fmt::format("A handler needs {} here: the kernel's frame takes {}.",
                                       bytes_text(needed), bytes_text(facts.least_stack_bytes));
  if (facts.alternate_stack_bytes && *facts.alternate_stack_bytes < needed) {
    lines.push_back({Level::limits, "signal stack",
                     need + fmt::format(" This thread's alternate stack, which somebody has set "
                                        "up, has {}.",
                                        bytes_text(*facts.alternate_stack_bytes)),
                     "Give threads alternate stacks of sysconf(_SC_SIGSTKSZ) bytes or more, not of "
                     "a constant."});
    return;
  }
  if (facts.usual_stack_bytes < needed) {
    lines.push_back({Level::note, "signal stack",
                     need + fmt::format(" SIGSTKSZ is {}.", bytes_text(facts.usual_stack_bytes)),
                     "Make alternate stacks larger than SIGSTKSZ, where threads have any."});
    return;
  }
  lines.push_back(
      {Level::ok, "signal stack",
       need + fmt::format(" SIGSTKSZ is {}, which is enough.", bytes_text(facts.usual_stack_bytes)),
       ""});
}

}  // namespace

void add_signal_lines(const Findings& findings, Lines& lines) {
  const SignalFacts& facts = findings.signals;
  for (const SignalAction& action : facts.actions) {
    if (action.signal == "SIGSEGV") {
      add_segv(action, lines);
    } else {
      add_bus(action, lines);
    }
  }
  if (facts.is_segv_blocked) {
    lines.push_back({Level::limits, "SIGSEGV, blocked",
                     "Programs start here with SIGSEGV blocked: the first store to a protected "
                     "page ends them.",
                     "Unblock it before the first store (pthread_sigmask), or where the program is "
                     "started."});
  }
  add_stack(facts, lines);
}

}  // namespace cow::tool
