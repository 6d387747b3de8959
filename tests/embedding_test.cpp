// What docs/embedding.md tells those who use libcow in a program, where no other test shows it.

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "process_view.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 8;

Region filled() {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  return region;
}

/// RssShmem of /proc/self/status.
std::size_t shared_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssShmem:")) {
      return std::strtoull(line.c_str() + sizeof("RssShmem:"), nullptr, 10) << 10;
    }
  }
  return 0;
}

/// All of `bytes` through a pipe, as the kernel reads them.
std::string through_a_pipe(std::span<const std::byte> bytes) {
  int ends[2];
  if (::pipe(ends) != 0) return "";
  std::string arrived;
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t count =
        ::write(ends[1], &bytes[sent], std::min<std::size_t>(bytes.size() - sent, 4000));
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
    std::vector<char> piece(static_cast<std::size_t>(count));
    const ssize_t got = ::read(ends[0], piece.data(), piece.size());
    if (got > 0) arrived.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  ::close(ends[1]);
  return arrived;
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Two threads that hand a number to and fro, with their mutex and condition variable beside it.
struct PingPong {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t turns = 0;

  void play(std::uint64_t parity, std::uint64_t last) {
    std::unique_lock<std::mutex> lock(mutex);
    while (turns < last) {
      changed.wait(lock, [&] { return turns % 2 == parity || turns >= last; });
      if (turns < last) ++turns;
      changed.notify_all();
    }
  }
};

/// A thread that waits on a futex for ever, until somebody wakes it.
class FutexWaiter {
 public:
  explicit FutexWaiter(std::uint32_t& word)
      : thread_([this, &word] {
          id_.store(static_cast<pid_t>(::syscall(SYS_gettid)));
          ::syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr, nullptr, 0);
        }) {
    while (!sleeps()) std::this_thread::yield();
  }
  void join() { thread_.join(); }

 private:
  [[nodiscard]] bool sleeps() const {
    const pid_t id = id_.load();
    if (id == 0) return false;
    std::ifstream file("/proc/self/task/" + std::to_string(id) + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t end_of_name = line.rfind(") ");
    return end_of_name != std::string::npos && line[end_of_name + 2] == 'S';
  }

  std::atomic<pid_t> id_{0};
  std::thread thread_;
};

long wake_all(std::uint32_t& word) {
  return ::syscall(SYS_futex, &word, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

}  // namespace

TEST_CASE("a store to a protected page by a thread that blocks SIGSEGV ends the process",
          "[api][handler]") {
  Region region = filled();
  const Snapshot snapshot = region.snapshot();
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGSEGV);
    ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    support::store(region, 1, 2);
    return "the store went through";
  });
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGSEGV));
}

TEST_CASE("a thread that blocks every signal but SIGSEGV stores as ever", "[api]") {
  Region region = filled();
  const Snapshot snapshot = region.snapshot();
  sigset_t blocked;
  sigset_t before;
  ::sigfillset(&blocked);
  ::sigdelset(&blocked, SIGSEGV);
  ::pthread_sigmask(SIG_SETMASK, &blocked, &before);
  for (std::size_t page = 0; page < pages; ++page) support::store(region, page, 2);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!support::kernel_copies()) CHECK(region.stats().faults > 0);
  CHECK(support::shows(snapshot.bytes(), 1));
}

TEST_CASE("where libc stores with every signal blocked, a result in a region needs a lease",
          "[api][handler]") {
  const bool leased = GENERATE(false, true);
  CAPTURE(leased);
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    Region region = Region::create(4 * support::page_bytes(), support::options());
    auto* const child = ::new (region.data()) pid_t{0};
    std::optional<cow::WriteLease> lease;
    if (leased) lease.emplace(region.write_lease(0, sizeof(*child)));
    const cow::Snapshot snapshot = region.snapshot();
    char name[] = "true";
    char* arguments[] = {name, nullptr};
    char* environment[] = {nullptr};
    if (::posix_spawnp(child, name, nullptr, nullptr, arguments, environment) != 0)
      return "refused";
    int status = 1;
    if (::waitpid(*child, &status, 0) != *child || status != 0) return "the child failed";
    return leased ? "" : "the store was made";
  });
  CHECK(result.complaint == "");
  CHECK((leased ? result.exited() : result.died_of(SIGSEGV)));
}

TEST_CASE("the kernel reads pages in every state without a lease and without a copy",
          "[api][handler]") {
  Region region = Region::create(1024 * support::page_bytes(), support::options());
  support::fill(region.bytes().first(4 * support::page_bytes()), 1);
  const Region clone = region.clone();
  support::store(region, 0, 2);  // private; 1 to 3 are shared; those of the second leaf are zero
  const std::uint64_t faults = region.stats().faults;
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  for (const std::size_t page : {std::size_t{0}, std::size_t{2}, std::size_t{700}}) {
    CAPTURE(page);
    const auto bytes = region.bytes().subspan(page * support::page_bytes(), support::page_bytes());
    CHECK(through_a_pipe(bytes) == text_of(bytes));
  }
  CHECK(region.stats().faults == faults);
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a mutex and a condition variable of one process work in a region, whatever shares it",
          "[api]") {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  auto* const game = new (region.data()) PingPong;
  const auto last = static_cast<std::uint64_t>(support::scaled(2000));
  std::thread even([&] { game->play(0, last); });
  std::thread odd([&] { game->play(1, last); });
  std::vector<Region> clones;
  for (bool over = false; !over;) {
    const Snapshot snapshot = region.snapshot();
    clones.push_back(region.clone());
    if (clones.size() > 20) clones.clear();
    const std::lock_guard<std::mutex> lock(game->mutex);
    over = game->turns >= last;
  }
  even.join();
  odd.join();
  CHECK(game->turns == last);
  if (!support::kernel_copies()) CHECK(region.stats().faults > 0);
  game->~PingPong();
}

TEST_CASE("a lock that is held when a snapshot is taken is held again after restore", "[api]") {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  auto* const held = new (region.data()) std::atomic<bool>(false);
  held->store(true, std::memory_order_relaxed);
  const Snapshot snapshot = region.snapshot();
  held->store(false, std::memory_order_relaxed);
  region.restore(snapshot);
  CHECK(held->load());
}

TEST_CASE("a futex that is not private to the process loses its waiters when its page is copied",
          "[api][handler]") {
  if (support::is_emulated()) {
    WARN("skipped: this emulator does not tell whether a thread waits");
    return;
  }
  Region region = Region::create(pages * support::page_bytes(), support::options());
  auto& word = reinterpret_cast<std::uint32_t&>(support::word_at(region, 0));
  support::word_at(region, 0, 64) = 1;  // the page has a frame
  FutexWaiter waiter(word);
  Region clone = region.clone();
  support::word_at(region, 0, 64) = 2;  // moves the page to another frame
  CHECK(wake_all(word) == 0);
  // The waiter is found by the frame, which the clone still shows.
  CHECK(wake_all(reinterpret_cast<std::uint32_t&>(support::word_at(clone, 0))) == 1);
  waiter.join();
}

TEST_CASE("a family takes one descriptor, whatever is made of it", "[api]") {
  const std::size_t few = support::kernel_copies() ? 3 : 1;  // two tell of stores
  const Region first = filled();
  const std::vector<int> before = process_view::descriptors();
  {
    Region region = filled();
    CHECK(process_view::descriptors().size() == before.size() + few);
    std::vector<Region> clones;
    std::vector<Snapshot> snapshots;
    for (int i = 0; i < 10; ++i) {
      snapshots.push_back(region.snapshot());
      clones.push_back(region.clone());
      support::store(clones.back(), 1, 2);
      (void)snapshots.back().bytes();
    }
    CHECK(process_view::descriptors().size() == before.size() + few);
  }
  CHECK(process_view::descriptors() == before);
}

TEST_CASE("a family that shows a file takes one descriptor more, and a child that lives another",
          "[api]") {
  const Region first = filled();
  const auto lifelines = [] {
    const std::vector<int> numbers = process_view::descriptors();
    return std::count_if(numbers.begin(), numbers.end(), [](int number) {
      return process_view::target_of(number).find("memfd:cow-lifeline") != std::string::npos;
    });
  };
  cow::trim();
  const auto before = lifelines();
  const support::Folder folder;
  support::write_file(folder / "file", std::vector<std::byte>(3 * support::page_bytes()));
  const std::size_t descriptors = process_view::descriptors().size();
  {
    const Region opened = Region::open(folder / "file", support::options());
    CHECK(process_view::descriptors().size() == descriptors + (support::kernel_copies() ? 4 : 2));
  }
  CHECK(process_view::descriptors().size() == descriptors);
  support::ForkedChild child([](support::Peer& parent) -> std::string {
    return parent.hear() ? "" : "the parent is gone";
  });
  CHECK(lifelines() == before + 1);
  CHECK(child.peer().say());
  CHECK(child.wait().complaint == "");
  CHECK(support::eventually([&] {
    cow::trim();
    return lifelines() == before;
  }));
}

TEST_CASE("what regions hold counts as shared memory of the process", "[api][handler]") {
  constexpr std::size_t size = std::size_t{32} << 20;  // the kernel counts in steps
  Region region = Region::create(size, support::options());
  const std::size_t before = shared_memory_bytes();
  support::fill(region.bytes(), 1);
  CHECK(shared_memory_bytes() >= before + size / 2);
}

TEST_CASE("regions and snapshots in static storage may be destroyed after main", "[api]") {
  const auto result = support::run_in_child([]() -> std::string {
    static Region region = filled();
    static Snapshot snapshot = region.snapshot();
    static Region clone = region.clone();
    support::store(clone, 3, 2);
    std::exit(7);
  });
  CHECK(result.complaint == "");
  CHECK((result.wait_status & 0x7f) == 0);
  CHECK((result.wait_status >> 8 & 0xff) == 7);
}
