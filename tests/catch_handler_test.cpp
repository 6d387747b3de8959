// Frameworks replace signal actions; Catch2 2 does so around every test case. These tests are
// such a framework: they install a SIGSEGV action of their own after libcow's.

#include "catch.hpp"
#include "support.hpp"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using cow::Region;

namespace {

constexpr int foreign_exit = 42;

/// What a framework does: it replaces the action, and puts the earlier one back when it leaves.
class ForeignAction {
 public:
  explicit ForeignAction(void (*handler)(int, siginfo_t*, void*), int extra_flags = 0) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | extra_flags;
    ::sigfillset(&action.sa_mask);
    ::sigaction(SIGSEGV, &action, &earlier_);
  }
  ~ForeignAction() { ::sigaction(SIGSEGV, &earlier_, nullptr); }
  ForeignAction(const ForeignAction&) = delete;
  ForeignAction& operator=(const ForeignAction&) = delete;

 private:
  struct sigaction earlier_ {};
};

void* volatile forbidden_page = nullptr;

/// A handler that tells by the exit code whether it was asked about `forbidden_page`.
void exit_if_forbidden(int, siginfo_t* info, void* context) {
  ::_exit(info->si_addr == forbidden_page && context != nullptr ? foreign_exit : foreign_exit + 1);
}

std::atomic<int> asked{0};
std::atomic<int> refused{0};

/// A runtime that stays in front and lets libcow look at each fault first.
void ask_cow_first(int signal, siginfo_t* info, void* context) {
  asked.fetch_add(1);
  if (cow::try_handle_fault(signal, info, context)) return;
  refused.fetch_add(1);
  ::_exit(foreign_exit);
}

void fault_elsewhere() {
  forbidden_page =
      ::mmap(nullptr, support::page_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile char*>(forbidden_page) = 1;
}

int exit_code(const support::ChildResult& result) {
  return result.wait_status >> 8 & 0xff;  // 0 as well if a signal ended it
}

Region filled() {
  Region region = Region::create(10 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  return region;
}

}  // namespace

TEST_CASE("libcow knows whether it still owns SIGSEGV, and takes it back when asked",
          "[fault][handler]") {
  Region region = filled();
  CHECK(cow::owns_sigsegv());
  {
    const ForeignAction foreign(exit_if_forbidden);
    CHECK_FALSE(cow::owns_sigsegv());
    cow::reinstall_handler();
    CHECK(cow::owns_sigsegv());
    cow::reinstall_handler();
    CHECK(cow::owns_sigsegv());
    const Region clone = region.clone();
    support::store(region, 3, 0xff);
    CHECK(support::shows(clone.bytes(), 1));
  }
  // The framework left and put back what it had found, which was ours.
  CHECK(cow::owns_sigsegv());
  support::store(region, 4, 0xff);
}

TEST_CASE("every control call puts libcow's handler back in front", "[fault][handler]") {
  Region region = filled();
  const cow::Snapshot snapshot = region.snapshot();
  const std::vector<std::pair<std::string, std::function<void()>>> calls{
      {"create", [] { (void)Region::create(1, support::options()); }},
      {"clone", [&] { (void)region.clone(); }},
      {"eager clone", [&] { (void)region.clone(cow::CloneMode::eager); }},
      {"snapshot", [&] { (void)region.snapshot(); }},
      {"restore", [&] { region.restore(snapshot); }},
      {"from_snapshot", [&] { (void)Region::from_snapshot(snapshot); }},
  };
  for (const auto& [name, call] : calls) {
    CAPTURE(name);
    const ForeignAction foreign(exit_if_forbidden);
    CHECK_FALSE(cow::owns_sigsegv());
    call();
    CHECK(cow::owns_sigsegv());
    const cow::Snapshot again = region.snapshot();
    support::store(region, 2, 0x77);
    CHECK(support::load(region.bytes(), 2) == 0x77);
    CHECK(support::load(again.bytes(), 3) == support::load(region.bytes(), 3));
  }
}

TEST_CASE("a restore that copies hot pages alone leaves the action for SIGSEGV as it is",
          "[fault][handler]") {
  Region region = filled();
  const cow::Snapshot start = region.snapshot();
  const auto round = [&](unsigned value) {
    support::store(region, 3, value);
    region.restore(start);
  };
  for (unsigned i = 1; i <= 6; ++i) round(i);  // now page 3 stays writable: it is hot
  const ForeignAction foreign(exit_if_forbidden);
  round(7);
  CHECK_FALSE(cow::owns_sigsegv());
  CHECK(support::shows(region.bytes(), 1));
  const cow::Snapshot later = region.snapshot();  // a control call that looks
  CHECK(cow::owns_sigsegv());
  support::store(region, 3, 8);
  CHECK(support::shows(later.bytes(), 1));
}

TEST_CASE("a framework that comes and goes around every step does no harm", "[fault][handler]") {
  Region region = Region::create(10 * support::page_bytes(), support::options());
  for (unsigned round = 0; round < 50; ++round) {
    const ForeignAction outer(exit_if_forbidden);
    const cow::Snapshot snapshot = region.snapshot();
    support::store(region, round % 10, round);
    {
      const ForeignAction inner(exit_if_forbidden, SA_NODEFER);
      const Region clone = region.clone();
      support::store(region, (round + 1) % 10, round + 1);
      CHECK(support::load(clone.bytes(), round % 10) == round);
    }
    cow::reinstall_handler();
    support::store(region, (round + 2) % 10, round + 2);
    CHECK(support::load(region.bytes(), (round + 1) % 10) == round + 1);
  }
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a fault that is not ours reaches the handler that was there before, with its address",
          "[fault][handler]") {
  Region region = filled();
  const auto result = support::run_in_child([&]() -> std::string {
    const ForeignAction foreign(exit_if_forbidden);
    const cow::Snapshot snapshot = region.snapshot();  // puts ours in front
    support::store(region, 5, 0xff);
    if (!cow::owns_sigsegv()) return "the handler is not in front";
    fault_elsewhere();
    return "the foreign fault went nowhere";
  });
  CHECK(result.complaint == "");
  CHECK(exit_code(result) == foreign_exit);
}

TEST_CASE("two foreign handlers in turn: the last one installed gets the foreign fault",
          "[fault][handler]") {
  Region region = filled();
  const auto result = support::run_in_child([&]() -> std::string {
    const ForeignAction first([](int, siginfo_t*, void*) { ::_exit(foreign_exit + 2); });
    cow::reinstall_handler();
    const ForeignAction second(exit_if_forbidden);
    cow::reinstall_handler();
    support::fill(region.bytes(), 9);
    if (!support::shows(region.bytes(), 9)) return "a store is lost";
    fault_elsewhere();
    return "the foreign fault went nowhere";
  });
  CHECK(result.complaint == "");
  CHECK(exit_code(result) == foreign_exit);
}

TEST_CASE("a handler behind ours that calls ours in turn does not make a circle",
          "[fault][handler]") {
  Region region = filled();
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    // The framework's handler ends by calling what it replaced, as good frameworks do, while
    // libcow, put in front again, passes what it does not know to the framework.
    static struct sigaction ours {};
    ::sigaction(SIGSEGV, nullptr, &ours);
    asked = 0;
    const ForeignAction foreign([](int signal, siginfo_t* info, void* context) {
      if (asked.fetch_add(1) == 20) ::_exit(foreign_exit);
      ours.sa_sigaction(signal, info, context);
    });
    const cow::Snapshot snapshot = region.snapshot();
    support::fill(region.bytes(), 9);
    if (!support::shows(region.bytes(), 9)) return "a store is lost";
    if (!support::shows(snapshot.bytes(), 1)) return "the snapshot changed";
    if (asked != 0) return "a fault on a region went to the framework";
    fault_elsewhere();
    return "the foreign fault went nowhere";
  });
  CHECK(result.complaint == "");
  CHECK(exit_code(result) == 0);
  CHECK(result.died_of(SIGSEGV));
}

TEST_CASE("a handler that stays in front can let libcow resolve the faults on regions",
          "[fault][handler]") {
  Region region = filled();
  const cow::Snapshot snapshot = region.snapshot();
  asked = 0;
  refused = 0;
  {
    const ForeignAction front(ask_cow_first);
    const cow::RegionStats before = region.stats();
    support::store(region, 1, 0x11);
    support::store(region, 5, 0x55);
    support::store(region, 5, 0x56, 1);
    CHECK_FALSE(cow::owns_sigsegv());
    CHECK(asked == 2);
    CHECK(refused == 0);
    CHECK(region.stats().faults == before.faults + 2);
    CHECK(region.stats().pages_copied == before.pages_copied + 2);
  }
  CHECK(support::load(region.bytes(), 5) == 0x55);
  CHECK(support::shows(snapshot.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("try_handle_fault leaves alone what is not a store to a region", "[fault][handler]") {
  const auto elsewhere = support::run_in_child([]() -> std::string {
    const Region region = filled();
    const ForeignAction front(ask_cow_first);
    fault_elsewhere();
    return "the foreign fault went nowhere";
  });
  CHECK(elsewhere.complaint == "");
  CHECK(exit_code(elsewhere) == foreign_exit);

  const auto snapshot_bytes = support::run_in_child([]() -> std::string {
    const Region region = filled();
    const cow::Snapshot snapshot = region.snapshot();
    auto* forbidden = const_cast<std::byte*>(snapshot.bytes().data());
    const ForeignAction front(ask_cow_first);
    *static_cast<volatile std::byte*>(forbidden) = std::byte{1};
    return "a store to a snapshot went through";
  });
  CHECK(snapshot_bytes.complaint == "");
  CHECK(exit_code(snapshot_bytes) == foreign_exit);
}

TEST_CASE("without any other handler a foreign fault ends the process by SIGSEGV",
          "[fault][handler]") {
  Region region = filled();
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    const cow::Snapshot snapshot = region.snapshot();
    support::store(region, 5, 0xff);
    fault_elsewhere();
    return "the foreign fault went nowhere";
  });
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGSEGV));
}

TEST_CASE("a handler that mended a foreign fault still gets a signal that is sent later",
          "[fault][handler]") {
  Region region = filled();
  const auto result = support::run_in_child([&]() -> std::string {
    static std::atomic<int> calls{0};
    static sigjmp_buf back;
    const ForeignAction foreign([](int, siginfo_t*, void*) {
      ++calls;
      siglongjmp(back, 1);
    });
    cow::reinstall_handler();
    if (sigsetjmp(back, 1) == 0) fault_elsewhere();
    if (sigsetjmp(back, 1) == 0) ::raise(SIGSEGV);
    if (sigsetjmp(back, 1) == 0) fault_elsewhere();
    support::fill(region.bytes(), 9);
    return calls == 3 ? "" : "the handler was passed over";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
