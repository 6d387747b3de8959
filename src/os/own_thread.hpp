#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace cow::os {

// Threads of the library's own. They take no signal of the program's: all are masked but those that
// a thread raises itself, so that the program's functions that they call may store to regions.

/// One that nobody waits for. Throws std::system_error.
void start_detached_thread(std::function<void()> work);

/// One that is joined.
class OwnThread {
 public:
  OwnThread() noexcept = default;
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;
  /// Precondition: join() was called.
  ~OwnThread() = default;

  /// Once. Throws std::system_error.
  void start(std::function<void()> work);
  /// Waits for its end. In a process that was forked since it does nothing: there is no such
  /// thread. May be called again.
  void join();
  /// Whether it was started in this process, and not in one that this one was forked from.
  [[nodiscard]] bool is_here() const noexcept;
  /// Whether it is the calling one.
  [[nodiscard]] bool is_caller() const noexcept;

 private:
  std::unique_ptr<std::thread> thread_;
  std::uint32_t process_ = 0;
};

}  // namespace cow::os
