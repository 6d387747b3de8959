// Runtimes that turn a fault into an exception: their handler, which was there before libcow's, is
// asked by libcow's and throws through it.

#include <signal.h>

#include <cow/cow.hpp>
#include <stdexcept>
#include <string>

#include "alternate_stack.hpp"
#include "catch.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

struct NullPointer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void to_exception(int /*signal*/, siginfo_t* /*info*/, void* /*context*/) {
  throw NullPointer("null pointer");
}
void to_exception_plainly(int /*signal*/) { throw NullPointer("null pointer"); }

/// Counts how often it was left.
struct Cleanup {
  int& left;
  ~Cleanup() { ++left; }
};

// Called by a pointer that the compiler cannot look through: it would take it for a function that
// throws nothing. That is what -fnon-call-exceptions is for.
__attribute__((no_sanitize("address", "undefined"))) void poke(volatile int* place) { *place = 1; }
void (*volatile poke_it)(volatile int*) = &poke;

std::string faults_become_exceptions(Region& region) {
  int left = 0;
  for (int round = 1; round <= 5; ++round) {
    try {
      const Cleanup cleanup{left};
      poke_it(nullptr);
      return "the fault was passed over";
    } catch (const NullPointer&) {
      if (left != round) return "the stack was not unwound";
    }
    const Snapshot past = region.snapshot();  // and libcow works on
    support::store(region, 2, static_cast<unsigned>(round));
    if (support::load(region.bytes(), 2) != static_cast<unsigned>(round)) return "a lost store";
    if (support::load(past.bytes(), 2) != static_cast<unsigned>(round) - 1) return "a late store";
  }
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return ::sigismember(&mask, SIGSEGV) == 1 ? "SIGSEGV is left masked" : "";
}

}  // namespace

TEST_CASE("an exception that an earlier handler throws passes through libcow's to who faulted",
          "[fault][handler]") {
  if (support::has_thread_sanitizer) {
    WARN("skipped: ThreadSanitizer calls handlers in its own way");
    return;
  }
  const int flags = GENERATE(SA_NODEFER, SA_NODEFER | SA_ONSTACK);
  const bool with_details = GENERATE(true, false);
  const bool has_alternate_stack = GENERATE(false, true);
  CAPTURE(flags, with_details, has_alternate_stack);
  const auto result = support::run_in_child([&]() -> std::string {
    struct sigaction action {};
    action.sa_flags = flags;
    if (with_details) {
      action.sa_flags |= SA_SIGINFO;
      action.sa_sigaction = &to_exception;
    } else {
      action.sa_handler = &to_exception_plainly;
    }
    ::sigaction(SIGSEGV, &action, nullptr);
    cow::reinstall_handler();
    if (!cow::owns_sigsegv()) return "libcow is not in front";
    Region region = Region::create(8 * support::page_bytes(), support::options());
    if (!has_alternate_stack) return faults_become_exceptions(region);
    const support::AlternateStack stack(std::size_t{1} << 18);  // unwinding takes some
    return faults_become_exceptions(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
