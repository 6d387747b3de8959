// pthread_atfork: functions of others that run around fork() and store to regions, in each of the
// three places.

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cow/cow.hpp>
#include <csignal>
#include <mutex>
#include <new>
#include <string>

#include "catch.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

/// What the hooks do, as long as a test is about them.
struct Hooks {
  void (*prepare)() = nullptr;
  void (*parent)() = nullptr;
  void (*child)() = nullptr;
};
constinit Hooks g_early;
constinit Hooks g_late;

void call(void (*hook)()) {
  if (hook != nullptr) hook();
}

void register_early_hooks() {
  if (support::has_sanitizer) return;  // whose runtime is not ready yet
  ::pthread_atfork([] { call(g_early.prepare); }, [] { call(g_early.parent); },
                   [] { call(g_early.child); });
}
// Before every constructor of the program, libcow's own included.
__attribute__((section(".preinit_array"), used)) void (*g_before_all)() = &register_early_hooks;

// As a library's constructor would: before main and so before the first control call.
__attribute__((constructor)) void register_late_hooks() {
  ::pthread_atfork([] { call(g_late.prepare); }, [] { call(g_late.parent); },
                   [] { call(g_late.child); });
}

constinit Region* g_region = nullptr;
template <unsigned value, std::size_t page>
void store() {
  support::store(*g_region, page, value);
}

}  // namespace

TEST_CASE("functions that run around fork() store to regions, and parent and child keep their own",
          "[os]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = Region::create(8 * support::page_bytes(), support::options());
    support::fill(region.bytes(), 1);
    g_region = &region;
    const Snapshot before = region.snapshot();
    g_late = {store<11, 1>, store<12, 2>, store<13, 2>};
    const auto child = support::run_in_child([&]() -> std::string {
      if (support::load(region.bytes(), 1) != 11) return "the child lacks the store before fork";
      if (support::load(region.bytes(), 2) != 13) return "the child lacks its own store";
      support::store(region, 3, 14);
      return support::broken_invariant(region);
    });
    g_late = {};
    if (!child.complaint.empty()) return child.complaint;
    if (!child.exited()) return "the child died";
    if (support::load(region.bytes(), 1) != 11) return "the store before fork is lost";
    if (support::load(region.bytes(), 2) != 12) return "the parent's store is lost";
    if (support::load(region.bytes(), 3) == 14) return "a store of the child reached the parent";
    return support::shows(before.bytes(), 1) ? support::broken_invariant(region)
                                             : "the past changed";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a mutex in a region may be taken before fork() and given back on both sides", "[os]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = Region::create(8 * support::page_bytes(), support::options());
    static std::mutex* lock = nullptr;
    lock = ::new (region.data()) std::mutex;
    g_late = {[] { lock->lock(); }, [] { lock->unlock(); }, [] { lock->unlock(); }};
    const auto child = support::run_in_child([]() -> std::string {
      const std::lock_guard guard(*lock);
      return "";
    });
    g_late = {};
    const std::lock_guard guard(*lock);
    return child.exited() ? child.complaint : "the child died";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a store by a function that was registered before libcow's ends the process with a line",
          "[os][handler]") {
  if (support::has_sanitizer) {
    WARN("skipped: nothing can be registered before a sanitizer is ready");
    return;
  }
  const Hooks hooks =
      GENERATE(Hooks{store<1, 1>, nullptr, nullptr}, Hooks{nullptr, store<1, 1>, nullptr},
               Hooks{nullptr, nullptr, store<1, 1>});
  int line[2];
  REQUIRE(::pipe(line) == 0);
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    ::dup2(line[1], STDERR_FILENO);
    Region region = Region::create(8 * support::page_bytes(), support::options());
    g_region = &region;
    g_early = hooks;
    const auto child = support::run_in_child([]() -> std::string { return ""; });
    if (hooks.child == nullptr) return "the store was made";
    if (!child.died_of(SIGBUS)) return "the child did not die of the store";
    g_early = {};
    std::raise(SIGBUS);
    return "";
  });
  ::close(line[1]);
  std::string said(1000, '\0');
  const ssize_t length = ::read(line[0], said.data(), said.size());
  ::close(line[0]);
  said.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  CAPTURE(said);
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGBUS));
  CHECK(said.find("libcow: fork: a function given to pthread_atfork()") == 0);
  // An emulator adds lines of its own.
  if (!support::is_emulated()) CHECK(said.find('\n') == said.size() - 1);
}
