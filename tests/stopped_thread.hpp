// Threads that are stopped within a system call, and threads that may have to wait for them.
#pragma once

#include <linux/seccomp.h>
#include <poll.h>
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
#include <thread>
#include <utility>

#include "call_filter.hpp"
#include "support.hpp"

namespace support {

/// A thread whose first system call of a kind is stopped until finish().
class StoppedThread {
 public:
  /// Returns when it has been stopped, or is done without such a call, or got no filter.
  StoppedThread(CallFilter filter, std::function<void()> body) {
    thread_ = std::thread([this, filter = std::move(filter), body = std::move(body)]() mutable {
      listener_ = filter.install_listening();
      ready_.count_down();
      if (listener_ >= 0) body();
      done_ = true;
    });
    ready_.wait();
    has_listener_ = listener_ >= 0;
    while (has_listener_ && !done_ && !is_stopped_) is_stopped_ = hear();
  }
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;
  ~StoppedThread() { finish(); }

  [[nodiscard]] bool has_listener() const { return has_listener_; }
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }

  /// Lets it go on, at that call and at all later ones.
  void finish() {
    if (!thread_.joinable()) return;
    if (is_stopped_) let_go();
    while (has_listener_ && !done_) {
      if (hear()) let_go();
    }
    thread_.join();
    if (has_listener_) ::close(listener_);
  }

 private:
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

  std::latch ready_{1};
  std::atomic<int> listener_{-1};
  std::atomic<bool> done_{false};
  bool has_listener_ = false;
  bool is_stopped_ = false;
  seccomp_notif heard_{};
  std::thread thread_;
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

/// Whether the thread sleeps on a lock.
inline bool sleeps(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/syscall");
  std::string line;
  return std::getline(file, line) && line.starts_with(std::to_string(SYS_futex) + " ");
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
  /// Returns when it sleeps on a lock, or is done.
  void wait_for_sleep() {
    started_.wait();
    while (!done_ && !sleeps(id_)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
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
