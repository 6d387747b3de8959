#include "os/own_thread.hpp"

#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "os/process.hpp"
#include "os/signal_mask.hpp"

namespace cow::os {

namespace {

std::thread begin(std::function<void()> work) {
  try {
    const SignalsMasked for_it(kAllButRaised);  // a thread has the mask of who makes it
    return std::thread(std::move(work));
  } catch (const std::system_error& error) {
    throw_system_error(error.code().value(), "pthread_create",
                       "no thread could be had; raise ulimit -u or end some threads");
  }
}

}  // namespace

void start_detached_thread(std::function<void()> work) { begin(std::move(work)).detach(); }

void OwnThread::start(std::function<void()> work) {
  process_ = process_id();
  // Whatever may fail comes before the thread runs, which must not be lost.
  if (thread_ == nullptr) thread_ = std::make_unique<std::thread>();
  *thread_ = begin(std::move(work));
}

bool OwnThread::is_here() const noexcept { return process_ == process_id(); }

bool OwnThread::is_caller() const noexcept {
  return thread_ != nullptr && is_here() && thread_->get_id() == std::this_thread::get_id();
}

// A thread of the parent's can be neither joined nor detached: what libc knows of it is gone.
void OwnThread::join() {
  if (thread_ == nullptr) return;
  if (!is_here()) {
    static_cast<void>(thread_.release());
    return;
  }
  if (thread_->joinable()) thread_->join();
}

}  // namespace cow::os
