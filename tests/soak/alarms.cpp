#include "soak/alarms.hpp"

#include <signal.h>
#include <unistd.h>

#include <sys/syscall.h>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>

#include "support.hpp"

namespace soak {

namespace {

#ifdef sigev_notify_thread_id
#define SOAK_THREAD_ID sigev_notify_thread_id
#else
#define SOAK_THREAD_ID _sigev_un._tid  // older C libraries have no name for it
#endif

// ThreadSanitizer's runtime puts handlers off and then runs them with SIGSEGV blocked.
#if defined(COW_TEST_THREAD_SANITIZER)
constexpr bool handlers_may_fault = false;
#else
constexpr bool handlers_may_fault = true;
#endif

/// What a handler knows of its thread. Only that thread and its handlers touch it.
struct HandlerState {
  std::atomic<bool> aimed{false};
  Aim aim;
  std::uint64_t random = 1;
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<bool> mismatched{false};
  Mismatch mismatch;
};

thread_local HandlerState t_state;

std::atomic<bool> g_held_off{false};
std::atomic<int> g_storing{0};  // handlers that may be about to store

void set_aim(const Aim& aim, bool aimed) {
  t_state.aimed.store(false, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_state.aim = aim;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_state.aimed.store(aimed, std::memory_order_relaxed);
}

PageIndex next_page(HandlerState& state) {
  state.random = state.random * 6364136223846793005u + 1442695040888963407u;
  return (state.random >> 33) % state.aim.layout->pages();
}

void store_to_aim(HandlerState& state) {
  const Aim& aim = state.aim;
  const PageIndex page = next_page(state);
  const std::atomic_ref<std::uint64_t> word(
      *reinterpret_cast<std::uint64_t*>(aim.bytes + aim.layout->alarm(aim.worker, page)));
  Count& shadow = aim.shadow->of(aim.worker, page, Kind::alarm);
  const std::uint64_t expected = shadow.load(std::memory_order_relaxed);
  const std::uint64_t seen = word.load(std::memory_order_relaxed);
  if (seen != expected && !state.mismatched.load(std::memory_order_relaxed)) {
    state.mismatch = {page, aim.worker, Kind::alarm, expected, expected, seen};
    state.mismatched.store(true, std::memory_order_relaxed);
  }
  word.store(seen + 1, support::release_order);
  shadow.store(seen + 1, std::memory_order_release);
}

void on_alarm(int) {
  HandlerState& state = t_state;
  state.delivered.fetch_add(1, std::memory_order_relaxed);
  if (!handlers_may_fault || !state.aimed.load(std::memory_order_relaxed)) return;
  g_storing.fetch_add(1);
  if (!g_held_off.load()) store_to_aim(state);
  g_storing.fetch_sub(1);
}

}  // namespace

Aiming::Aiming(const Aim& aim)
    : before_(t_state.aim), was_aimed_(t_state.aimed.load(std::memory_order_relaxed)) {
  set_aim(aim, true);
}

Aiming::~Aiming() { set_aim(before_, was_aimed_); }

AlarmsHeldOff::AlarmsHeldOff() {
  g_held_off.store(true);
  while (g_storing.load() != 0) std::this_thread::yield();
}

AlarmsHeldOff::~AlarmsHeldOff() { g_held_off.store(false); }

AlarmClock::AlarmClock(std::uint64_t seed) {
  t_state.random = seed;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGALRM;
  event.SOAK_THREAD_ID = static_cast<pid_t>(::syscall(SYS_gettid));
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return;
  timer_ = timer;
  constexpr timespec millisecond{0, 1'000'000};
  const itimerspec every{millisecond, millisecond};
  ::timer_settime(timer, 0, &every, nullptr);
}

AlarmClock::~AlarmClock() {
  if (timer_) ::timer_delete(*timer_);
}

std::uint64_t AlarmClock::take_count() {
  return t_state.delivered.exchange(0, std::memory_order_relaxed);
}

std::optional<Mismatch> AlarmClock::mismatch() const {
  if (!t_state.mismatched.load(std::memory_order_relaxed)) return std::nullopt;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return t_state.mismatch;
}

void install_alarm_handler() {
  struct sigaction action {};
  action.sa_handler = &on_alarm;
  action.sa_flags = SA_RESTART;
  if (::sigaction(SIGALRM, &action, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "sigaction");
  }
}

}  // namespace soak
