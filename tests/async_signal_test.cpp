// Signals that arrive at any moment, a thousand times a second in every thread, and whose handlers
// store into regions: between the stores of the thread, and in the middle of control calls.

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;
using Word = std::atomic_ref<std::uint64_t>;

constexpr std::size_t pages = 520;  // of two leaves of the page table
constexpr std::size_t page_a = 3;
constexpr std::size_t page_b = 515;
constexpr std::size_t first_own_word = 512;  // offset of the words that are no handler's
constexpr std::array<int, 2> tick_signals{SIGALRM, SIGPROF};

/// Words in a region that the handler of one signal in one thread stores to, in this order, each
/// time: its number to A, its number to B, and 1 more to its word in one page after the other.
class TickWords {
 public:
  TickWords() = default;
  TickWords(Region& region, std::size_t number) : begin_(region.data()), offset_(8 * number) {}

  void store(std::uint64_t n) const {
    word(page_a, 0).store(n, std::memory_order_relaxed);
    word(page_b, 0).store(n, std::memory_order_relaxed);
    word(n % pages, 256).fetch_add(1, std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] Word word(std::size_t page, std::size_t more) const {
    std::byte* const at = begin_ + page * support::page_bytes() + offset_ + more;
    return Word(*reinterpret_cast<std::uint64_t*>(at));
  }

  std::byte* begin_ = nullptr;
  std::size_t offset_ = 0;
};

/// What a region or a snapshot shows of the same words.
struct TicksSeen {
  std::uint64_t a;
  std::uint64_t b;
  std::uint64_t sum = 0;

  TicksSeen(std::span<const std::byte> bytes, std::size_t number)
      : a(support::read_word(bytes, page_a * support::page_bytes() + 8 * number)),
        b(support::read_word(bytes, page_b * support::page_bytes() + 8 * number)) {
    for (std::size_t page = 0; page < pages; ++page) {
      sum += support::read_word(bytes, page * support::page_bytes() + 8 * number + 256);
    }
  }

  /// In program order A is stored to first and the sum last: at every moment this holds.
  [[nodiscard]] bool is_consistent_cut() const {
    return a - b <= 1 && b - sum <= 1 && a - sum <= 1;
  }
  [[nodiscard]] bool is(std::uint64_t n) const { return a == n && b == n && sum == n; }
};

/// One thread's signals: how often its handlers ran, and where they store.
struct Ticks {
  std::array<TickWords, 2> words;
  std::array<std::atomic<std::uint64_t>, 2> count{};
};

thread_local Ticks* t_ticks = nullptr;

void on_tick(int signal) {
  Ticks* const ticks = t_ticks;
  if (ticks == nullptr) return;
  const std::size_t which = signal == tick_signals[0] ? 0 : 1;
  ticks->words[which].store(++ticks->count[which]);
}

/// Actions for both signals, as long as the test runs. Either may interrupt the other's handler.
class TickActions {
 public:
  TickActions() {
    for (std::size_t i = 0; i < tick_signals.size(); ++i) {
      struct sigaction action {};
      action.sa_handler = on_tick;
      action.sa_flags = i == 0 ? SA_RESTART : 0;
      ::sigaction(tick_signals[i], &action, &earlier_[i]);
    }
  }
  ~TickActions() {
    for (std::size_t i = 0; i < tick_signals.size(); ++i) {
      ::sigaction(tick_signals[i], &earlier_[i], nullptr);
    }
  }
  TickActions(const TickActions&) = delete;
  TickActions& operator=(const TickActions&) = delete;

 private:
  std::array<struct sigaction, 2> earlier_{};
};

/// Sends both signals to the calling thread at 1 kHz while it lives.
class Ticker {
 public:
  explicit Ticker(Ticks& ticks) {
    t_ticks = &ticks;
    for (const int signal : tick_signals) {
      sigevent event{};
      event.sigev_notify = SIGEV_THREAD_ID;
      event.sigev_signo = signal;
      event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
      timer_t timer{};
      if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return;
      timers_.push_back(timer);
      const itimerspec each_millisecond{{0, 1'000'000}, {0, 1'000'000}};
      ::timer_settime(timer, 0, &each_millisecond, nullptr);
    }
  }
  ~Ticker() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : tick_signals) ::sigaddset(&signals, signal);
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &signals, &before);
    for (const timer_t timer : timers_) ::timer_delete(timer);
    const timespec now{};
    while (::sigtimedwait(&signals, nullptr, &now) > 0) {  // what is still pending
    }
    t_ticks = nullptr;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  /// False where a thread cannot have timers of its own.
  [[nodiscard]] bool ticks() const { return timers_.size() == tick_signals.size(); }

 private:
  std::vector<timer_t> timers_;
};

bool can_tick() {
  if (support::has_thread_sanitizer) {
    WARN("skipped: ThreadSanitizer's runtime delivers signals later, also where they are masked");
    return false;
  }
  const TickActions actions;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  Ticks ticks{{TickWords(region, 0), TickWords(region, 1)}};
  const bool can = Ticker(ticks).ticks();
  if (!can) WARN("skipped: no timers for single threads here");
  return can;
}

/// A thread that stores all over the region, with errno set, under ticks.
class StoringThread {
 public:
  StoringThread(Region& region, std::size_t number)
      : ticks{{TickWords(region, 2 * number), TickWords(region, 2 * number + 1)}},
        thread_([this, &region, number] { run(region, number); }) {}

  void stop() {
    stopping_ = true;
    thread_.join();
  }

  Ticks ticks;
  std::uint64_t stores = 0;
  std::uint64_t changes_of_errno = 0;

 private:
  void run(Region& region, std::size_t number) {
    const Ticker ticker(ticks);
    support::Random random(support::seed() + number);
    for (; !stopping_.load(std::memory_order_relaxed); ++stores) {
      const int value = static_cast<int>(stores % 4000);
      const std::size_t page = stores % 2 == 0 ? random.below(pages) : ticked_page();
      Word word(support::word_at(region, page, first_own_word + 8 * number));
      errno = value;
      word.fetch_add(1, std::memory_order_relaxed);
      changes_of_errno += errno != value;
    }
  }
  /// The page that a handler is about to store to.
  [[nodiscard]] std::size_t ticked_page() const { return (ticks.count[0] + 1) % pages; }

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

std::uint64_t own_words(std::span<const std::byte> bytes, std::size_t number) {
  std::uint64_t sum = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    sum += support::read_word(bytes, page * support::page_bytes() + first_own_word + 8 * number);
  }
  return sum;
}

constexpr std::size_t storing_threads = 3;
constexpr std::size_t tick_words = 2 * (storing_threads + 1);  // the thread of control calls, too

/// Looks at bytes of one moment after the other.
struct Observer {
  std::array<std::uint64_t, tick_words> last{};
  std::size_t torn = 0;
  std::size_t backwards = 0;

  void look_at(std::span<const std::byte> bytes) {
    for (std::size_t number = 0; number < tick_words; ++number) {
      const TicksSeen seen(bytes, number);
      torn += !seen.is_consistent_cut();
      backwards += seen.sum < last[number];
      last[number] = seen.sum;
    }
  }
};

/// One control call of each kind that may run beside stores, and a look at what it made.
void share(Region& region, std::size_t round, std::vector<Snapshot>& kept, Observer& observer) {
  if (round % 4 == 3) {
    const bool eager = round % 32 == 31;
    Region clone = region.clone(eager ? cow::CloneMode::eager : cow::CloneMode::lazy);
    observer.look_at(clone.bytes());
    support::store(clone, round % pages, 1, first_own_word + 256);
  } else {
    kept.push_back(region.snapshot());
    if (round % 2 == 0) observer.look_at(kept.back().bytes());
  }
  if (kept.size() > 4) kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(round % 4));
}

}  // namespace

TEST_CASE("signal handlers store into regions at 1 kHz per thread, and nothing is lost or torn",
          "[fault]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  if (!can_tick()) return;
  const TickActions actions;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  Observer observer;
  std::list<StoringThread> threads;
  for (std::size_t i = 0; i < storing_threads; ++i) threads.emplace_back(region, i);
  Ticks mine{{TickWords(region, 2 * storing_threads), TickWords(region, 2 * storing_threads + 1)}};
  {
    const Ticker ticker(mine);
    const auto ticked_enough = [](const Ticks& ticks) {
      const std::uint64_t enough = support::scaled(1000);
      return ticks.count[0] >= enough && ticks.count[1] >= enough;
    };
    std::vector<Snapshot> kept;
    bool enough = false;
    for (std::size_t round = 0; !enough; ++round) {
      share(region, round, kept, observer);
      enough = ticked_enough(mine);
      for (const StoringThread& thread : threads) enough = enough && ticked_enough(thread.ticks);
    }
  }
  std::size_t number = 0;
  const auto all_ticks_arrived = [&](const Ticks& ticks) {
    const bool arrived = TicksSeen(region.bytes(), 2 * number).is(ticks.count[0]) &&
                         TicksSeen(region.bytes(), 2 * number + 1).is(ticks.count[1]);
    ++number;
    return arrived;
  };
  for (StoringThread& thread : threads) thread.stop();
  for (StoringThread& thread : threads) {
    CHECK(own_words(region.bytes(), number) == thread.stores);
    CHECK(all_ticks_arrived(thread.ticks));
    CHECK(thread.changes_of_errno == 0);
  }
  CHECK(all_ticks_arrived(mine));
  CHECK(observer.torn == 0);
  CHECK(observer.backwards == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a restore that signals interrupt comes before or after a handler's stores, not between",
          "[fault]") {
  if (!can_tick()) return;
  const TickActions actions;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  Ticks ticks{{TickWords(region, 0), TickWords(region, 1)}};
  std::size_t torn = 0;
  std::size_t lost = 0;
  {
    const Ticker ticker(ticks);
    // All of a handler's stores happen between two steps of this thread, or one before `restore`
    // and the others after it; so A and B only differ if a restore was cut in two.
    const auto look = [&](std::size_t which) {
      for (;;) {
        const std::uint64_t before = ticks.count[which];
        const TicksSeen seen(region.bytes(), which);
        if (ticks.count[which] == before) return seen;
      }
    };
    for (std::size_t round = 0; ticks.count[1] < support::scaled(1000); ++round) {
      const Snapshot snapshot = region.snapshot();
      const TicksSeen then(snapshot.bytes(), round % 2);
      for (std::size_t i = 0; i < 20; ++i) support::store(region, i * 26, 7, first_own_word);
      region.restore(snapshot);
      const TicksSeen now = look(round % 2);
      torn += now.a != now.b;
      lost += now.a < then.a || now.sum < then.sum;
      lost += !support::all_zero(region.bytes().subspan(first_own_word, 8));
    }
  }
  CHECK(torn == 0);
  CHECK(lost == 0);
  CHECK(support::broken_invariant(region) == "");
}
