#pragma once

// Workers side by side, as threads of this process or as children of it, and the board in shared
// memory where they meet.

#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../measured.hpp"

namespace examples {

/// What workers of several processes have in common.
class Board {
 public:
  static constexpr unsigned kMostWorkers = 16;

  std::atomic<std::uint64_t> next_request{0};
  std::atomic<std::uint64_t> served{0};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> seen_of_others{0};
  std::array<std::atomic<pid_t>, kMostWorkers> holders{};  // where each worker's heap is

  Board() {
    ::sem_init(&arrived_, 1, 0);
    for (sem_t& go : go_) ::sem_init(&go, 1, 0);
  }
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;
  ~Board() {
    for (sem_t& go : go_) ::sem_destroy(&go);
    ::sem_destroy(&arrived_);
  }

  /// A worker waits for the word to go on, the first (0) or the second (1) time.
  void meet(unsigned time) {
    ::sem_post(&arrived_);
    wait(go_[time]);
  }
  /// Waits until so many workers are there.
  void await(unsigned workers) {
    for (unsigned i = 0; i < workers; ++i) wait(arrived_);
  }
  /// Lets them go on, who meet for that time.
  void release(unsigned time, unsigned workers) {
    for (unsigned i = 0; i < workers; ++i) ::sem_post(&go_[time]);
  }

 private:
  static void wait(sem_t& semaphore) {
    timespec until{};
    ::clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    while (::sem_timedwait(&semaphore, &until) != 0) {
      claim(errno == EINTR, "workers meet within a minute");
    }
  }

  sem_t arrived_{};
  std::array<sem_t, 2> go_{};  // one alone would let a fast worker take another one's word
};

/// A board that children of this process share.
class SharedBoard {
 public:
  SharedBoard() : board_(::new (map()) Board()) {}
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  ~SharedBoard() {
    board_->~Board();
    ::munmap(board_, sizeof(Board));
  }
  Board* operator->() const { return board_; }
  Board& operator*() const { return *board_; }

 private:
  static void* map() {
    void* const memory =
        ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    claim(memory != MAP_FAILED, "there is memory for a board");
    return memory;
  }

  Board* board_;
};

/// Runs `body` for each worker, as threads or as children.
class Crew {
 public:
  using Body = std::function<void(unsigned worker)>;

  Crew(unsigned workers, bool as_processes, Body body) : body_(std::move(body)) {
    for (unsigned worker = 0; worker < workers; ++worker) {
      if (as_processes) {
        begin_process(worker);
      } else {
        threads_.emplace_back([this, worker] { run(worker); });
      }
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  /// Waits for all of them.
  ~Crew() {
    for (std::thread& thread : threads_) thread.join();
    for (const pid_t child : children_) {
      int status = 0;
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      claim(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a worker's process ends well");
    }
  }

  [[nodiscard]] const std::vector<pid_t>& children() const { return children_; }

 private:
  void run(unsigned worker) const {
    try {
      body_(worker);
    } catch (const std::exception& error) {
      claim(false, std::string("a worker goes on: ") + error.what());
    }
  }

  void begin_process(unsigned worker) {
    std::fflush(nullptr);  // or the child has it, too
    const pid_t child = ::fork();
    claim(child >= 0, "a process can be forked for a worker");
    if (child == 0) {
      run(worker);
      ::_exit(0);
    }
    children_.push_back(child);
  }

  Body body_;
  std::vector<std::thread> threads_;
  std::vector<pid_t> children_;
};

}  // namespace examples
