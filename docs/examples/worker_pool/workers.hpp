#pragma once

// Five kinds of worker. Each lets its work change a heap that begins as the warmed-up one; they
// differ in how they come by that heap, and in how they come back to it.

#include <sys/wait.h>
#include <unistd.h>

#include <cow/cow.hpp>

#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

#include "../anonymous_memory.hpp"
#include "../measured.hpp"
#include "warm_heap.hpp"

namespace examples {

class Worker {
 public:
  using Work = std::function<void(Dictionary&)>;

  explicit Worker(const WarmHeap& warm) : warm_(warm) {}
  virtual ~Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  virtual void serve(const Work& work) = 0;

 protected:
  [[nodiscard]] const WarmHeap& warm() const { return warm_; }

 private:
  const WarmHeap& warm_;
};

/// A clone for the worker's whole life, which goes back to the snapshot after each request.
class RestoringWorker final : public Worker {
 public:
  RestoringWorker(const WarmHeap& warm, const cow::Snapshot& from)
      : Worker(warm), from_(from), heap_(cow::Region::from_snapshot(from)) {}
  void serve(const Work& work) override {
    work(warm().dictionary(heap_.data()));
    heap_.restore(from_);
  }

 private:
  const cow::Snapshot& from_;
  cow::Region heap_;
};

/// A clone for each request, thrown away with what the request left in it.
class CloningWorker final : public Worker {
 public:
  CloningWorker(const WarmHeap& warm, const cow::Snapshot& from) : Worker(warm), from_(from) {}
  void serve(const Work& work) override {
    cow::Region heap = cow::Region::from_snapshot(from_);
    work(warm().dictionary(heap.data()));
  }

 private:
  const cow::Snapshot& from_;
};

/// A child of this process for each request: the kernel's copy on write. For a process that has no
/// other threads. Not through libcow's hooks for fork(), as the child touches no region.
class ForkingWorker final : public Worker {
 public:
  using Worker::Worker;
  void serve(const Work& work) override {
    const pid_t child = ::_Fork();
    claim(child >= 0, "a process can be forked for a request");
    if (child == 0) {
      work(warm().dictionary(warm().plain().data()));
      ::_exit(0);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    claim(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child that served a request ends");
  }
};

/// The worker's own memory, into which the whole heap is copied again for each request.
class CopyingWorker final : public Worker {
 public:
  explicit CopyingWorker(const WarmHeap& warm) : Worker(warm), heap_(warm.plain().size()) {}
  void serve(const Work& work) override {
    std::memcpy(heap_.bytes().data(), warm().plain().data(), warm().used_bytes());
    work(warm().dictionary(heap_.bytes().data()));
  }

 private:
  AnonymousMemory heap_;
};

/// A copy that never goes back: what the others would be if it cost nothing, and wrong.
class KeepingWorker final : public Worker {
 public:
  explicit KeepingWorker(const WarmHeap& warm) : Worker(warm), heap_(warm.plain().size()) {
    std::memcpy(heap_.bytes().data(), warm.plain().data(), warm.used_bytes());
  }
  void serve(const Work& work) override { work(warm().dictionary(heap_.bytes().data())); }

 private:
  AnonymousMemory heap_;
};

}  // namespace examples
