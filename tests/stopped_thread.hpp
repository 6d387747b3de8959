// Threads that are stopped within a system call, and threads that may have to wait for them.
#pragma once

#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <functional>
#include <latch>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "call_filter.hpp"
#include "support.hpp"

namespace support {

/// A thread whose first system call of a kind is stopped until finish().
class StoppedThread {
 public:
  /// Returns when it has been stopped, or is done without such a call, or got no filter.
  StoppedThread(CallFilter filter, std::function<void()> body)
      : filter_(std::move(filter)), body_(std::move(body)) {
    const int error = ::pthread_create(&thread_, nullptr, &StoppedThread::enter, this);
    if (error != 0) throw std::system_error(error, std::generic_category(), "pthread_create");
    ready_.wait();
    while (listener_ >= 0 && !done_ && !is_stopped_) is_stopped_ = hear();
  }
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;
  ~StoppedThread() { finish(); }

  [[nodiscard]] bool is_stopped() const { return is_stopped_; }

  /// Lets it make that call, and returns when its next one is stopped, or it is done.
  void go_on() {
    if (is_stopped_) let_go();
    is_stopped_ = false;
    while (!done_ && !is_stopped_) is_stopped_ = hear();
  }

  /// Lets it go on, at that call and at all later ones, those that end the thread included.
  void finish() {
    if (is_finished_) return;
    if (is_stopped_) let_go();
    while (::pthread_tryjoin_np(thread_, nullptr) == EBUSY) {
      if (hear()) let_go();
    }
    if (listener_ >= 0) ::close(listener_);
    is_finished_ = true;
  }

 private:
  static void* enter(void* self) {
    static_cast<StoppedThread*>(self)->run();
    return nullptr;
  }
  void run() {
    listener_ = filter_.install_listening();
    ready_.count_down();
    if (listener_ >= 0) body_();
    done_ = true;
  }
  bool hear() {
    pollfd ready{listener_, POLLIN, 0};
    constexpr int kMilliseconds = 5;
    if (::poll(&ready, 1, kMilliseconds) != 1 || (ready.revents & POLLIN) == 0) return false;
    heard_ = {};
    return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &heard_) == 0;
  }
  void let_go() {
    seccomp_notif_resp answer{};
    answer.id = heard_.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if (::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0) return;
    answer.flags = 0;  // before Linux 5.5: the call is not made
    answer.error = -ENOSYS;
    ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }

  CallFilter filter_;
  std::function<void()> body_;
  std::latch ready_{1};
  std::atomic<int> listener_{-1};
  std::atomic<bool> done_{false};
  bool is_stopped_ = false;
  bool is_finished_ = false;
  seccomp_notif heard_{};
  pthread_t thread_{};
};

inline bool can_stop_threads() {
  static const ChildResult result = run_in_child([]() -> std::string {
    std::atomic<long> parent{0};
    StoppedThread thread(CallFilter().stop_at(SYS_getppid),
                         [&] { parent = ::syscall(SYS_getppid); });
    thread.finish();
    return thread.is_stopped() && parent == ::getppid() ? "" : "not stopped, or not let go";
  });
  return result.exited() && result.complaint.empty();
}

#define SKIP_WITHOUT_STOPPED_THREADS()                                              \
  if (!support::can_stop_threads()) {                                               \
    WARN("skipped because system calls cannot be stopped here (seccomp listener)"); \
    return;                                                                         \
  }

/// Whether the thread sleeps on a lock. An emulator's threads make the calls of x86-64, on which it
/// runs.
inline bool sleeps(pid_t thread) {
  constexpr long futex_of_host = 202;
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/syscall");
  std::string line;
  return std::getline(file, line) &&
         line.starts_with(std::to_string(is_emulated() ? futex_of_host : SYS_futex) + " ");
}

/// A thread that may have to wait for others.
class WaitingThread {
 public:
  explicit WaitingThread(std::function<void()> body)
      : thread_([this, body = std::move(body)] {
          id_ = static_cast<pid_t>(::syscall(SYS_gettid));
          started_.count_down();
          body();
          done_ = true;
        }) {}
  ~WaitingThread() { thread_.join(); }
  /// Returns when it sleeps on a lock, or is done; or after a minute, for the checks to say so.
  /// Whether it sleeps: a lock that others have for a moment is not meant.
  bool wait_for_sleep() {
    constexpr int kLooks = 5;
    started_.wait();
    int asleep = 0;
    for (int i = 0; i < 60'000 && !done_ && asleep < kLooks; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      asleep = sleeps(id_) ? asleep + 1 : 0;
    }
    return asleep == kLooks;
  }
  void wait_for_end() const {
    while (!done_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  [[nodiscard]] bool is_done() const { return done_; }

 private:
  std::latch started_{1};
  pid_t id_ = 0;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace support
