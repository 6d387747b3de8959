// A lock for readers and writers at which a writer does not wait for ever.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace soak {

/// For std::shared_lock and std::unique_lock. std::shared_mutex alone may let new readers in before
/// a writer for as long as there are any; here they queue behind a writer that waits.
class Gate {
 public:
  void lock() {
    const std::lock_guard guard(turnstile_);
    lock_.lock();
  }
  void unlock() { lock_.unlock(); }
  void lock_shared() {
    const std::lock_guard guard(turnstile_);
    lock_.lock_shared();
  }
  bool try_lock_shared() { return lock_.try_lock_shared(); }
  void unlock_shared() { lock_.unlock_shared(); }

 private:
  std::mutex turnstile_;
  std::shared_mutex lock_;
};

}  // namespace soak
