// Other threads install a SIGSEGV handler while libcow installs its own.

#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <cow/cow.hpp>
#include <csignal>
#include <cstddef>
#include <string>

#include "catch.hpp"
#include "sanitizer.hpp"
#include "stopped_thread.hpp"
#include "support.hpp"

using support::CallFilter;
using support::StoppedThread;

namespace {

std::byte* g_guarded = nullptr;
std::atomic<int> g_asked{0};

void open_guarded(int, siginfo_t*, void*) {
  ++g_asked;
  ::mprotect(g_guarded, support::page_bytes(), PROT_READ | PROT_WRITE);
}

void install_other() {
  struct sigaction action {};
  action.sa_sigaction = &open_guarded;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
}

/// The other handler comes when libcow has made `calls` of those that set the action.
std::string fault_of_other(int calls, bool& has_so_many) {
  std::signal(SIGSEGV, SIG_DFL);
  StoppedThread installing(
      CallFilter().stop_at(SYS_rt_sigaction, {support::is(0, SIGSEGV), support::is_above(1, 0)}),
      [] { cow::reinstall_handler(); });
  for (int i = 0; i < calls; ++i) installing.go_on();
  has_so_many = installing.is_stopped();
  install_other();
  installing.finish();
  if (!has_so_many) cow::reinstall_handler();
  if (!cow::owns_sigsegv()) return "libcow's handler is not in front";
  void* const page =
      ::mmap(nullptr, support::page_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_guarded = static_cast<std::byte*>(page);
  *static_cast<volatile std::byte*>(g_guarded) = std::byte{1};
  if (g_asked != 1) return "the other handler was asked " + std::to_string(g_asked) + " times";
  cow::Region region = cow::Region::create(8 * support::page_bytes(), support::options());
  const cow::Snapshot snapshot = region.snapshot();
  support::store(region, 1, 1);
  return support::load(snapshot.bytes(), 1) == 0 ? "" : "the past changed";
}

}  // namespace

TEST_CASE("a handler that comes while libcow installs its own is asked for what is not libcow's",
          "[os][handler]") {
  if (support::has_thread_sanitizer) {
    WARN("skipped: it has an action of its own in the kernel, and no lock around what it is told");
    return;
  }
  SKIP_WITHOUT_STOPPED_THREADS();
  bool has_so_many = true;
  int calls = 0;
  for (; has_so_many; ++calls) {
    CAPTURE(calls);
    const auto result = support::run_in_child([&]() -> std::string {
      support::die_silently_of_faults();
      bool stopped = false;
      const std::string wrong = fault_of_other(calls, stopped);
      return wrong.empty() && !stopped ? "no such call" : wrong;
    });
    has_so_many = result.complaint != "no such call";
    if (has_so_many) CHECK(result.complaint == "");
    CHECK(result.exited());
    REQUIRE(calls < 16);
  }
  CHECK(calls > 1);
}
