// pthread_atfork: functions of others that run around fork() and store to regions, in each of the
// three places.

#include <fcntl.h>
#include <pthread.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cow/cow.hpp>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>

#include "catch.hpp"
#include "child_words.hpp"
#include "folder.hpp"
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
  support::ChildWords words_of_child;
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    words_of_child.listen();
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
  const std::string said = words_of_child.heard();
  CAPTURE(said);
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGBUS));
  CHECK(said.find("libcow: fork: a function given to pthread_atfork()") == 0);
  // An emulator adds lines of its own.
  if (!support::is_emulated()) CHECK(said.find('\n') == said.size() - 1);
}

namespace {

/// A backup is at its end, its thread about to give up what it kept, when fork() has its locks.
struct EndingBackup {
  std::filesystem::path image;
  int calls_at_the_end = 0;
  std::atomic<bool> is_at_its_end{false};
  std::atomic<bool> has_locks{false};

  bool at_progress(const cow::BackupProgress& progress) {
    if (progress.pages_done < progress.pages_total) return true;
    if (++calls_at_the_end < 2) return true;  // after the first it still needs a lock to end
    is_at_its_end = true;
    while (!has_locks) std::this_thread::yield();
    return true;
  }
  void in_prepare() {
    constexpr std::chrono::milliseconds kForTheThread{20};
    has_locks = true;
    constexpr int kMostTimes = 100;
    for (int i = 0; i < kMostTimes && !std::filesystem::exists(image); ++i)
      std::this_thread::sleep_for(kForTheThread);
    std::this_thread::sleep_for(kForTheThread);
  }
};
constinit EndingBackup* g_ending = nullptr;

std::string use_after_backup(Region& region, std::optional<cow::Backup>& backup) {
  backup.reset();
  const Snapshot snapshot = region.snapshot();
  support::store(region, 1, 9);
  const auto grandchild = support::run_in_child([&] { return support::broken_invariant(region); });
  if (!grandchild.exited()) return "the child's own child died";
  if (!support::shows(snapshot.bytes(), 3)) return "the child's snapshot shows other bytes";
  return grandchild.complaint.empty() ? support::broken_invariant(region) : grandchild.complaint;
}

}  // namespace

TEST_CASE("a child that is forked while a backup gives up what it kept can drop the handle",
          "[os]") {
  if (support::has_sanitizer) {
    WARN("skipped: nothing can be registered before a sanitizer is ready");
    return;
  }
  const support::Folder folder;
  for (int round = 0; round < 8; ++round) {
    Region region = support::filled(64, 3);
    EndingBackup ending;
    ending.image = folder / std::to_string(round);
    g_ending = &ending;
    cow::BackupOptions options;
    options.progress = [&](const cow::BackupProgress& now) { return ending.at_progress(now); };
    std::optional<cow::Backup> backup(region.backup(ending.image, options));
    while (!ending.is_at_its_end) std::this_thread::yield();
    g_early.prepare = [] { g_ending->in_prepare(); };
    const auto child = support::run_in_child([&] {
      g_early = {};
      return use_after_backup(region, backup);
    });
    g_early = {};
    CHECK(child.complaint == "");
    REQUIRE(child.exited());
    backup->wait();
  }
}

TEST_CASE("a signal handler may fork while its own thread makes, clones and drops regions",
          "[os]") {
  if (support::has_sanitizer || support::is_emulated()) {
    WARN("skipped: what surrounds the program has locks of its own");
    return;
  }
  const auto result = support::run_in_child([]() -> std::string {
    static std::atomic<int> forks{0};
    forks = 0;
    constexpr unsigned kMostSeconds = 120;  // who waits for himself waits for ever
    ::alarm(kMostSeconds);
    std::signal(SIGVTALRM, [](int) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      if (child > 0) ::waitpid(child, nullptr, 0);
      ++forks;
    });
    const itimerval often{{0, 300}, {0, 300}};
    ::setitimer(ITIMER_VIRTUAL, &often, nullptr);
    const int wanted = static_cast<int>(support::scaled(400));
    while (forks < wanted) {
      Region region = Region::create(4 * support::page_bytes(), support::options());
      support::store(region, 1, 1);
      const Region clone = region.clone();
    }
    const itimerval never{};
    ::setitimer(ITIMER_VIRTUAL, &never, nullptr);
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
