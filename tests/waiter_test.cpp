// Threads that wait in the kernel at a word of a region: by address, as the locks of one process
// do, or by frame, as process-shared ones do. A store that copies the page changes the frame.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 4;

Region filled() {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 1);
  return region;
}

/// How the kernel knows the word that somebody waits at.
enum class Key { address, frame };

long futex(const std::uint64_t& word, int operation, Key key, std::uint32_t value) {
  const int flags = key == Key::address ? FUTEX_PRIVATE_FLAG : 0;
  return ::syscall(SYS_futex, &word, operation | flags, value, nullptr, nullptr, 0);
}

/// Wakes one thread; how many there were.
long wake(const std::uint64_t& word, Key key) { return futex(word, FUTEX_WAKE, key, 1); }

bool is_asleep(pid_t thread) {
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
  std::FILE* const file = std::fopen(path, "r");
  char state = '?';
  const bool known = file != nullptr && std::fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
  if (file != nullptr) std::fclose(file);
  return known && state == 'S';
}

/// A thread that sleeps at a word, when the constructor is through.
class Waiter {
 public:
  Waiter(const std::uint64_t& word, Key key)
      : thread_([this, &word, key] {
          std::uint32_t value = 0;
          std::memcpy(&value, &word, sizeof(value));
          number_ = static_cast<pid_t>(::syscall(SYS_gettid));
          result_ = futex(word, FUTEX_WAIT, key, value);
        }) {
    while (number_ == 0) std::this_thread::yield();
    // It has nothing else to sleep for.
    for (int asleep = 0; asleep < 3;) asleep = is_asleep(number_) ? asleep + 1 : 0;
  }
  /// Whether it was woken, and not turned away.
  bool join() {
    thread_.join();
    return result_ == 0;
  }

 private:
  std::atomic<pid_t> number_{0};
  long result_ = -1;
  std::thread thread_;
};

}  // namespace

TEST_CASE("who waits at an address of a region is woken there, though the page has moved") {
  Region region = filled();
  std::uint64_t& word = support::word_at(region, 1);
  const Region clone = region.clone();
  Waiter waiter(word, Key::address);
  const Snapshot meanwhile = region.snapshot();
  support::flip(region, 1, 64);  // copies the page
  REQUIRE(region.stats().pages_copied == 1);
  CHECK(wake(support::word_at(const_cast<Region&>(clone), 1), Key::address) == 0);
  CHECK(wake(word, Key::address) == 1);
  CHECK(waiter.join());
}

TEST_CASE("a condition variable in a region wakes who waits, whatever was shared meanwhile") {
  struct Gate {
    std::mutex lock;
    std::condition_variable changed;
    unsigned stage = 0;
  };
  Region region = Region::create(pages * support::page_bytes(), support::options());
  auto* const gate = new (region.data() + support::page_bytes()) Gate;
  std::thread other([&] {
    std::unique_lock guard(gate->lock);
    for (unsigned stage = 1; stage <= 20; ++stage) {
      gate->changed.wait(guard, [&] { return gate->stage >= 2 * stage - 1; });
      gate->stage = 2 * stage;
      gate->changed.notify_all();
    }
  });
  std::vector<Region> clones;
  std::vector<Snapshot> snapshots;
  for (unsigned stage = 1; stage <= 20; ++stage) {
    std::unique_lock guard(gate->lock);
    // Shared while the other thread waits for the condition, or for the lock that is held here.
    if (stage % 2 == 0) clones.push_back(region.clone());
    if (stage % 3 == 0) snapshots.push_back(region.snapshot());
    gate->stage = 2 * stage - 1;
    gate->changed.notify_all();
    if (stage % 5 == 0) snapshots.push_back(region.snapshot());
    gate->changed.wait(guard, [&] { return gate->stage == 2 * stage; });
  }
  other.join();
  CHECK(gate->stage == 40);
  gate->~Gate();
  CHECK(support::broken_invariant(region) == "");
}

// Why process-shared locks must not live in a region.
TEST_CASE(
    "who waits at a frame is found while the page stays, and at the old frame when it moves") {
  Region region = filled();
  std::uint64_t& word = support::word_at(region, 1);
  {
    Waiter waiter(word, Key::frame);
    const Snapshot unmapped = region.snapshot();
    support::flip(region, 1, 64);  // the snapshot gets the copy
    CHECK(wake(word, Key::frame) == 1);
    CHECK(waiter.join());
  }
  {
    Region clone = region.clone();
    Waiter waiter(word, Key::frame);
    support::flip(region, 1, 64);  // the clone keeps the frame
    CHECK(wake(word, Key::frame) == 0);
    CHECK(wake(support::word_at(clone, 1), Key::frame) == 1);
    CHECK(waiter.join());
  }
}
