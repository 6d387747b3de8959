// Failures on demand: every system call and every allocation that a piece of code makes can be
// made to fail in turn. A tracer (ptrace) refuses the system calls of a child process, the test
// program's own operator new refuses allocations.
#pragma once

#include <array>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace injection {

enum class What {
  system_call,     ///< refused with an errno value that is usual for it, and nothing is done
  half_done,       ///< mprotect does one half, a fixed mmap removes what was there: then ENOMEM
  allocation,      ///< operator new throws std::bad_alloc
  interrupted,     ///< EINTR, where the kernel may say so
  short_transfer,  ///< pread, pwrite and pwritev: half of what was asked for is moved
};

enum class Often { once, from_then_on };

/// The `k`-th system call, or allocation, of a window fails, counted from 1.
struct Plan {
  What what = What::system_call;
  Often often = Often::once;
  unsigned k = 1;
  /// Counts and refuses in the child that the window forks, not in the process itself.
  bool in_forked_child = false;
};

/// What only makes code take longer.
inline constexpr std::array<Plan, 3> transfers{{{What::interrupted, Often::once},
                                                {What::short_transfer, Often::once},
                                                {What::short_transfer, Often::from_then_on}}};

std::string describe(const Plan& plan);

/// The stretch of a child's work in which failures are injected.
class Window {
 public:
  explicit Window(const Plan& plan) : plan_(plan) {}

  /// Runs `code` and returns what it threw. Counting starts anew each time.
  std::exception_ptr run(const std::function<void()>& code) const;

  /// Whether a call of this name was refused in any window so far.
  [[nodiscard]] bool refused(const std::string& call) const;

  /// Whether what was done before a refusal cannot be undone, as that is refused, too.
  [[nodiscard]] bool refuses_for_good(const std::string& call) const {
    return plan_.often == Often::from_then_on && refused(call);
  }

  /// False where code that does its work needs only more time.
  [[nodiscard]] bool injects_errors() const {
    return plan_.what != What::interrupted && plan_.what != What::short_transfer;
  }

  /// Tells the judge what to look for.
  void announce(const std::string& words) const;

 private:
  Plan plan_;
};

/// How a child ended.
struct Outcome {
  int wait_status = 0;
  std::string complaint;      ///< what the body returned or threw
  std::string announced;      ///< what the body announced
  std::string said;           ///< what the child wrote to stderr
  std::string where;          ///< which part of its work it was in at its end
  unsigned refused = 0;       ///< failures that were injected
  std::string refused_calls;  ///< the calls that failed, each once
  unsigned calls = 0;         ///< system calls in the last window that could have failed
  bool traceable = true;      ///< false where the system allows no tracing
  bool hung = false;          ///< it did not end by itself

  [[nodiscard]] bool exited() const;
  [[nodiscard]] bool died_of(int signal) const;
  /// In words, for a message.
  [[nodiscard]] std::string end() const;
};

/// What the child does: it returns a complaint, empty if it has none, and uses no Catch macros.
using Body = std::function<std::string(const Window&)>;

/// Runs `body` in a forked child with the failures of `plan` in its windows.
Outcome run(const Plan& plan, const Body& body);

/// What came of a loop over all k.
struct Tally {
  unsigned runs = 0;    ///< with at least one failure injected
  std::string skipped;  ///< why something was left out; empty if nothing was
  std::vector<std::string> complaints;

  /// The complaints, one a line; of many, the first.
  [[nodiscard]] std::string text() const;
  void add(const Tally& other);
};

/// Why this build cannot follow the plan; empty if it can. A sanitizer's runtime asks the kernel
/// for memory whenever it likes, and ends the process if it gets none.
std::string reason_to_skip(const Plan& plan);

/// Looks at one outcome: a complaint, or empty.
using Judge = std::function<std::string(const Plan&, const Outcome&)>;

/// Runs `body` for k = 1, 2, … until nothing is left to fail, and collects what `judge` says. Where
/// COW_TEST_SCALE is below 1, some k are left out, others in each run.
Tally each_failure(Plan plan, const Body& body, const Judge& judge);

/// All that can befall a control call.
std::vector<Plan> all_plans();

/// The same for each of `plans`. The body also gets whether to store to the regions before it makes
/// a refused call again.
Tally loop_over_call(const std::vector<Plan>& plans,
                     const std::function<std::string(const Window&, bool)>& body,
                     const Judge& judge);

/// Content if the child exited without a complaint and wrote nothing.
std::string judge_survivor(const Plan& plan, const Outcome& outcome);

/// Content also if refusals without end, or a call that was left half done, ended the child with
/// SIGBUS, in the window, after exactly one line on stderr. A single clean refusal must not.
std::string judge_survivor_or_last_words(const Plan& plan, const Outcome& outcome);

/// Empty if `error` is a std::system_error with an errno value and a sentence, or std::bad_alloc.
std::string complaint_about(const std::exception_ptr& error);

// ---- The tracer ---------------------------------------------------------------------------------

namespace detail {

/// Called by the child: the next system call is the first of a window; the last was.
/// begin_tracing() returns false where tracing is not allowed.
bool begin_tracing();
void end_tracing();

/// The names of the calls that were refused, each once, with a space before it.
using Names = std::array<char, 256>;

/// Waits for the end of child `pid` and refuses what `plan` says on the way.
void trace(int pid, const Plan& plan, Outcome& outcome, Names& refused);

}  // namespace detail

}  // namespace injection
