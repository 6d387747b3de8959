#include "measure/host/crowd.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <new>
#include <span>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "measure/host/clock.hpp"

namespace cow::measure {

namespace {

constexpr int exit_ok = 0;
constexpr int exit_failed = 3;

struct WorkTime {
  std::uint64_t began_ns = 0;
  std::uint64_t done_ns = 0;
};

[[noreturn]] void refused(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

/// Where workers meet and leave their times: memory that they share even if they are processes.
class MeetingPlace {
 public:
  explicit MeetingPlace(std::size_t workers)
      : workers_(workers),
        bytes_(sizeof(std::atomic<std::size_t>) + workers * sizeof(WorkTime)),
        memory_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)) {
    if (memory_ == MAP_FAILED) refused("mmap");
    here_ = new (memory_) std::atomic<std::size_t>(0);
    times_ = {new (here_ + 1) WorkTime[workers], workers};
  }
  MeetingPlace(const MeetingPlace&) = delete;
  MeetingPlace& operator=(const MeetingPlace&) = delete;
  ~MeetingPlace() { ::munmap(memory_, bytes_); }

  void work(std::size_t worker, const Work& work) {
    meet();
    const std::uint64_t began = now_ns();
    work(worker);
    times_[worker] = {began, now_ns()};
  }

  /// Precondition: all are done.
  [[nodiscard]] double time_ns() const {
    const auto began = std::ranges::min_element(times_, {}, &WorkTime::began_ns);
    const auto done = std::ranges::max_element(times_, {}, &WorkTime::done_ns);
    return static_cast<double>(done->done_ns - began->began_ns);
  }

 private:
  static_assert(std::atomic<std::size_t>::is_always_lock_free);
  static_assert(alignof(WorkTime) <= alignof(std::atomic<std::size_t>));

  // Nobody sleeps, as waking up takes longer than many a store. One that has died, or could not be
  // made, would be waited for in vain.
  void meet() {
    constexpr int turns_without_others = 1'000;
    constexpr std::uint64_t patience_ns = 10'000'000'000;
    const std::uint64_t since = now_ns();
    here_->fetch_add(1);
    for (int turn = 0; here_->load() < workers_; ++turn) {
      if (turn < turns_without_others) continue;
      ::sched_yield();
      if (now_ns() - since > patience_ns) {
        throw std::runtime_error("a worker did not come within ten seconds");
      }
    }
  }

  std::size_t workers_;
  std::size_t bytes_;
  void* memory_;
  std::atomic<std::size_t>* here_ = nullptr;
  std::span<WorkTime> times_;
};

bool ends_well(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == exit_ok;
}

}  // namespace

double time_threads(std::size_t count, const Work& work) {
  MeetingPlace place(count);
  std::vector<std::exception_ptr> failures(count);
  {
    std::vector<std::jthread> threads;
    for (std::size_t worker = 0; worker < count; ++worker) {
      threads.emplace_back([&, worker] {
        try {
          place.work(worker, work);
        } catch (...) {
          failures[worker] = std::current_exception();
        }
      });
    }
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return place.time_ns();
}

double time_processes(std::size_t count, const Work& work) {
  MeetingPlace place(count);
  std::vector<pid_t> children;
  int fork_error = 0;
  for (std::size_t worker = 0; worker < count && fork_error == 0; ++worker) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        place.work(worker, work);
      } catch (...) {
        ::_exit(exit_failed);
      }
      ::_exit(exit_ok);
    }
    if (child < 0) {
      fork_error = errno;
    } else {
      children.push_back(child);
    }
  }
  bool all_end_well = true;
  for (const pid_t child : children) all_end_well = ends_well(child) && all_end_well;
  if (fork_error != 0) throw std::system_error(fork_error, std::generic_category(), "fork");
  if (!all_end_well) throw std::runtime_error("a child of fork() did not end well");
  return place.time_ns();
}

}  // namespace cow::measure
