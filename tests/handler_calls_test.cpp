// The system calls of the fault handler, as docs/page-fault.md lists them. Threads store under a
// filter that ends the process at any other call, while a thread without one goes on with control
// calls.

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "fault_kinds.hpp"
#include "folder.hpp"
#include "huge_pages.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;
using support::CallFilter;
using support::FaultKind;
using support::FaultScene;
using support::is;

// An argument that tells the tests' own calls from the library's; the kernel ignores it.
constexpr std::uint32_t our_mark = 0x7e57;

void yield() { ::syscall(SYS_sched_yield, our_mark); }

/// What resolving a fault takes. Frames that nobody needs any more are punched out of their file.
CallFilter& allow_fault(CallFilter& filter) {
  constexpr std::uint32_t writable = PROT_READ | PROT_WRITE;
  return filter.allow(SYS_mmap, {is(2, writable), is(3, MAP_SHARED | MAP_FIXED, MAP_POPULATE)})
      .allow(SYS_mprotect, {is(2, writable)})
      .allow(SYS_lseek)  // whether a descriptor is still ours
      .allow(SYS_pwrite64)
      .allow(SYS_fallocate, {is(1, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)})
      .allow(SYS_futex, {is(1, FUTEX_WAIT_PRIVATE)})
      .allow(SYS_futex, {is(1, FUTEX_WAKE_PRIVATE)})
      .allow(SYS_rt_sigreturn)
      .allow(SYS_sched_yield, {is(0, our_mark)});
}

/// Threads that may make no system call but those of a filter. They do not end, for that would
/// take other calls: the process must.
class FilteredThreads {
 public:
  explicit FilteredThreads(CallFilter filter) : filter_(std::move(filter)) {}

  void run(const std::function<void()>& body) {
    std::thread([this, body] {
      CallFilter mine = filter_;
      const bool installed = mine.install_killing();
      if (installed) body();
      ++(installed ? done_ : refused_);
      for (;;) yield();
    }).detach();
    ++started_;
  }
  /// False if a thread got no filter.
  [[nodiscard]] bool wait() const {
    while (done_ + refused_ < started_) std::this_thread::yield();
    return refused_ == 0;
  }

 private:
  CallFilter filter_;
  int started_ = 0;
  std::atomic<int> done_{0};
  std::atomic<int> refused_{0};
};

bool can_filter() {
  if (support::has_sanitizer) {
    WARN("skipped: a sanitizer's runtime makes system calls of its own");
    return false;
  }
  if (!support::has_call_filters()) {
    WARN("skipped: seccomp is not available here");
    return false;
  }
  return true;
}

/// In a child: takes a fault of this kind with no calls but those of `filter`. `just_before` may
/// say what went wrong.
support::ChildResult take_filtered(const FaultKind& kind, const CallFilter& filter,
                                   const std::function<std::string()>& just_before) {
  return support::run_in_child([&]() -> std::string {
    static FaultScene scene = kind.prepare();  // lives as long as the thread
    static std::atomic<bool> ready{false};
    FilteredThreads threads(filter);
    threads.run([] {
      while (!ready) yield();
      support::take_the_fault(scene);
    });
    const std::string complaint = just_before();
    if (!complaint.empty()) return complaint;
    ready = true;
    if (!threads.wait()) return "the filter was refused";
    const std::size_t at = scene.page * support::page_bytes();
    if (support::read_word(scene.region.bytes(), at + 8) != 7) return "the store is lost";
    return support::broken_invariant(scene.region);
  });
}

/// Every fault of these kinds makes no calls but allow_fault()'s and what `allow_more` allows.
void check_calls(
    std::span<const FaultKind> kinds, const std::function<void(CallFilter&)>& allow_more,
    const std::function<std::string()>& just_before = [] { return std::string(); }) {
  for (const FaultKind& kind : kinds) {
    CallFilter filter;
    allow_more(filter);
    allow_fault(filter);
    const auto result = take_filtered(kind, filter, just_before);
    CAPTURE(kind.name);
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

Region with_huge_pages() {
  cow::RegionOptions options = support::options();
  options.huge_pages = true;
  return Region::create(support::scene_pages * support::page_bytes(), options);
}

Region kept_out_of_cores() {
  cow::RegionOptions options = support::options();
  options.keep_out_of_cores = true;
  return Region::create(support::scene_pages * support::page_bytes(), options);
}

FaultScene scene_of_clone(Region region) {
  FaultScene scene{std::move(region), 150};
  support::store(scene.region, scene.page, 1);
  scene.clones.push_back(scene.region.clone());
  return scene;
}

// ---- The stress run -----------------------------------------------------------------------------

constexpr std::size_t storing_threads = 3;
constexpr std::size_t stress_pages = 700;  // of two leaves of the page table

/// The regions of one round: each faults in another way.
struct Stage {
  Region zero = make();
  Region sole = filled();
  Region stays = filled();
  Region moves = filled();
  Snapshot unmapped = stays.snapshot();
  Region clone = moves.clone();

  Stage() { (void)sole.clone(); }

  std::array<Region*, 5> regions() { return {&zero, &sole, &stays, &moves, &clone}; }

 private:
  static Region make() {
    return Region::create(stress_pages * support::page_bytes(), support::options());
  }
  static Region filled() {
    Region region = make();
    for (std::size_t page = 0; page < stress_pages; ++page) support::word_at(region, page, 64) = 1;
    return region;
  }
};

/// Adds 1 to the thread's own word of every page of a stage, in an order that differs.
void store_to_all(Stage& stage, std::size_t self, std::size_t round) {
  std::size_t turn = self + round;
  for (Region* const region : stage.regions()) {
    for (std::size_t i = 0; i < stress_pages; ++i) {
      const std::size_t backwards = stress_pages - 1 - i;
      const std::size_t scattered = i * 227 % stress_pages;
      const std::size_t page = turn % 3 == 0 ? i : turn % 3 == 1 ? backwards : scattered;
      std::atomic_ref<std::uint64_t>(support::word_at(*region, page, 8 * self)).fetch_add(1);
    }
    ++turn;
  }
}

std::string lost_stores(Stage& stage) {
  for (Region* const region : stage.regions()) {
    for (std::size_t page = 0; page < stress_pages; ++page) {
      for (std::size_t thread = 0; thread < storing_threads; ++thread) {
        if (support::word_at(*region, page, 8 * thread) != 1) return "a store is lost";
      }
    }
    const std::string broken = support::broken_invariant(*region);
    if (!broken.empty()) return broken;
  }
  return "";
}

/// Control calls beside the storing threads, until all of them are through with the stage.
void share_while_stored_to(Stage& stage, const std::function<bool()>& all_through) {
  std::vector<Snapshot> snapshots;
  for (std::size_t i = 0; !all_through(); ++i) {
    Region& region = *stage.regions()[i % 5];
    if (i % 4 == 3) {
      const Region clone = region.clone();
    } else {
      snapshots.push_back(region.snapshot());
      if (i % 3 == 0) (void)snapshots.back().bytes();
    }
    if (snapshots.size() > 5) snapshots.erase(snapshots.begin() + 2);
    std::this_thread::yield();
  }
}

std::string stress(std::size_t rounds) {
  static std::atomic<Stage*> shown{nullptr};
  static std::atomic<std::size_t> round_number{0};
  static std::atomic<std::size_t> through{0};
  CallFilter filter;
  FilteredThreads threads(allow_fault(filter));
  for (std::size_t self = 0; self < storing_threads; ++self) {
    threads.run([self, rounds] {
      for (std::size_t round = 1; round <= rounds; ++round) {
        while (round_number < round) yield();
        store_to_all(*shown, self, round);
        ++through;
      }
    });
  }
  const std::uint64_t faults_before = cow::process_stats().faults;
  for (std::size_t round = 1; round <= rounds; ++round) {
    Stage stage;
    shown = &stage;
    round_number = round;
    share_while_stored_to(stage, [&] { return through == round * storing_threads; });
    const std::string lost = lost_stores(stage);
    if (!lost.empty()) return lost;
  }
  if (!threads.wait()) return "the filter was refused";
  const std::uint64_t faults = cow::process_stats().faults - faults_before;
  return faults > rounds * 100 ? "" : "hardly any store faulted";
}

}  // namespace

TEST_CASE("a thread under the tests' filter dies of any other call", "[fault][handler]") {
  if (!can_filter()) return;
  const auto result = support::run_in_child([]() -> std::string {
    CallFilter filter;
    FilteredThreads threads(allow_fault(filter));
    threads.run([] { ::syscall(SYS_getppid); });
    return threads.wait() ? "the call was made" : "the filter was refused";
  });
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGSYS));
}

TEST_CASE(
    "storing threads make no system call but mmap, mprotect, pwrite, fallocate, lseek and futex",
    "[fault][handler]") {
  if (!can_filter()) return;
  const std::size_t rounds = std::max<std::size_t>(6, support::scaled(60));  // one may fault little
  const auto result = support::run_in_child([rounds] { return stress(rounds); });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a fault that finds no kernel mapping left adds munmap, and looks at what is mapped",
          "[fault][handler]") {
  if (!can_filter()) return;
  for (const FaultKind& kind : support::fault_kinds()) {
    if (!support::needs_mapping(kind)) continue;
    const auto allow_more = [](CallFilter& filter) {
      filter.allow(SYS_munmap).allow(SYS_msync).allow(SYS_mprotect, {is(2, PROT_READ)});
    };
    check_calls({&kind, 1}, allow_more, []() -> std::string {
      return support::use_up_mappings() ? "" : "there are mappings left";
    });
  }
}

TEST_CASE("a fault that finds no memory for its window adds no call", "[fault][handler]") {
  if (!can_filter()) return;
  check_calls(support::fault_kinds(), &support::refuse_windows);
}

TEST_CASE("a fault in a family with huge pages adds madvise", "[fault][handler]") {
  if (!can_filter()) return;
  const support::HugePageSetting setting("advise");
  if (!setting.is_set()) {
    WARN("skipped: huge pages for shared memory cannot be allowed here");
    return;
  }
  const std::array<FaultKind, 2> kinds{{
      {"a zero page",
       [] {
         return FaultScene{with_huge_pages(), 150};
       },
       1, 0, 0},
      {"a page shared with a clone", [] { return scene_of_clone(with_huge_pages()); }, 0, 1, 0},
  }};
  check_calls(kinds, [](CallFilter& filter) { filter.allow(SYS_madvise, {is(2, MADV_HUGEPAGE)}); });
}

TEST_CASE("a fault in a family that is kept out of cores adds madvise", "[fault][handler]") {
  if (!can_filter()) return;
  const std::array<FaultKind, 2> kinds{{
      {"a zero page",
       [] {
         return FaultScene{kept_out_of_cores(), 150};
       },
       1, 0, 0},
      {"a page shared with a clone", [] { return scene_of_clone(kept_out_of_cores()); }, 0, 1, 0},
  }};
  check_calls(kinds, [](CallFilter& filter) { filter.allow(SYS_madvise, {is(2, MADV_DONTDUMP)}); });
}

TEST_CASE("a FaultRecorder adds an allocating fallocate and the clock", "[fault][handler]") {
  if (!can_filter()) return;
  static cow::FaultRecord record;
  const auto allow_more = [](CallFilter& filter) {
    filter.allow(SYS_fallocate, {is(1, 0)}).allow(SYS_clock_gettime);
  };
  check_calls(support::fault_kinds(), allow_more, []() -> std::string {
    static const cow::FaultRecorder recorder(&record, 1);
    return "";
  });
}

TEST_CASE("a trace adds the clock, and asks for process and thread", "[fault][handler]") {
  if (!can_filter()) return;
  const support::Folder folder;
  const auto allow_more = [](CallFilter& filter) {
    filter.allow(SYS_clock_gettime).allow(SYS_getpid).allow(SYS_gettid);
  };
  check_calls(support::fault_kinds(), allow_more, [&]() -> std::string {
    static const cow::Trace trace(folder / "t");
    return "";
  });
}

TEST_CASE("handing a foreign fault on adds rt_sigprocmask", "[fault][handler]") {
  if (!can_filter()) return;
  const auto result = support::run_in_child([]() -> std::string {
    static std::atomic<bool> mended{false};
    static char* const page = static_cast<char*>(
        ::mmap(nullptr, support::page_bytes(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    struct sigaction action {};
    action.sa_handler = [](int) {
      mended = ::mprotect(page, support::page_bytes(), PROT_READ | PROT_WRITE) == 0;
    };
    ::sigaction(SIGSEGV, &action, nullptr);
    cow::reinstall_handler();
    CallFilter filter;
    allow_fault(filter).allow(SYS_rt_sigprocmask);
    FilteredThreads threads(filter);
    threads.run([] { *static_cast<volatile char*>(page) = 1; });
    if (!threads.wait()) return "the filter was refused";
    return mended ? "" : "the fault was not handed on";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a store that cannot be given a frame writes a line, and makes the calls to die",
          "[fault][handler]") {
  if (!can_filter()) return;
  CallFilter filter;
  filter.refuse(SYS_pwrite64, {}, ENOSPC);
  filter.allow(SYS_write, {is(0, STDERR_FILENO)}).allow(SYS_rt_sigaction, {is(0, SIGBUS)});
  filter.allow(SYS_getpid).allow(SYS_gettid).allow(SYS_tgkill, {is(2, SIGBUS)});
  filter.allow(SYS_rt_sigprocmask);
  allow_fault(filter);
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    static FaultScene scene = support::scene_of_clone();
    FilteredThreads threads(filter);
    threads.run([] { support::take_the_fault(scene); });
    return threads.wait() ? "the store was made" : "the filter was refused";
  });
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGBUS));
}
