// Tests with threads and processes, and of what is left behind.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <thread>

#include "checks.hpp"
#include "tests.hpp"

namespace grader {

namespace {

constexpr std::size_t pages = 32;

// Lets threads go at the same moment, again and again. They spin: to be woken takes too long.
class Start {
 public:
  explicit Start(std::size_t threads) : threads_(threads) {}
  void wait() {
    const std::size_t round = round_;
    if (++arrived_ == threads_) {
      arrived_ = 0;
      ++round_;
    } else {
      while (round_ == round) std::this_thread::yield();
    }
  }

 private:
  const std::size_t threads_;
  std::atomic<std::size_t> arrived_{0};
  std::atomic<std::size_t> round_{0};
};

void check_round(const Pages& clone, std::size_t threads, std::size_t frames,
                 std::size_t replaced) {
  for (std::size_t page = 0; page < pages; ++page) {
    for (std::size_t i = threads; i < lab::page_bytes(); ++i) {
      if (clone(page, i) == filled(1, page, i)) continue;
      fail(
          "%zu threads stored to pages at the same time, and byte %zu of page %zu, to which nobody "
          "stored, has changed: do two handlers copy by way of one buffer?",
          threads, i, page);
    }
    for (std::size_t who = 0; who < threads; ++who) {
      if (clone(page, who) == 200 + who) continue;
      fail(
          "%zu threads stored to page %zu at the same time, each its own byte, and the byte of one "
          "is gone: two copies were made, and what was stored to the first is lost",
          threads, page);
    }
  }
  if (frames_in_use() != frames + pages) {
    fail("%zu threads stored to the same %zu pages, and %zu frames more are in use", threads, pages,
         frames_in_use() - frames);
  }
  if (replaced > pages) {
    fail("%zu threads stored to the same %zu pages, and %zu times a handler replaced a page: who "
         "came "
         "second did not see that the work was done",
         threads, pages, replaced);
  }
}

// All to the same page in even rounds, and each to a part of its own first in odd ones.
void stores_at_once() {
  const std::size_t threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, 4);
  const std::size_t rounds = 10;
  const Pages a = create(pages);
  a.fill(1);
  Pages b{};
  handle_faults_together(threads);
  Start start(threads);
  const auto store = [&](std::size_t who, std::size_t round) {
    start.wait();
    const std::size_t first = round % 2 == 0 ? 0 : who * (pages / threads);
    for (std::size_t i = 0; i < pages; ++i) {
      if (i == pages / threads) start.wait();  // from here on the pages of others
      b((first + i) % pages, who) = static_cast<unsigned char>(200 + who);
    }
    start.wait();
  };
  std::vector<std::thread> others;
  for (std::size_t who = 1; who < threads; ++who) {
    others.emplace_back([&, who] {
      for (std::size_t round = 0; round < rounds; ++round) store(who, round);
    });
  }
  for (std::size_t round = 0; round < rounds; ++round) {
    b = clone(a);
    const std::size_t frames = frames_in_use();
    const std::size_t replaced = replaced_in_handlers();
    now("stores of %zu threads to %s at once", threads,
        round % 2 == 0 ? "the same page" : "different pages");
    store(0, round);
    check_round(b, threads, frames, replaced_in_handlers() - replaced);
    destroy(b);
  }
  for (std::thread& other : others) other.join();
}

// A system call stores to a page as soon as it is writable, and does not fault before. So it finds
// a page that a handler has made writable too early.
void page_that_is_open_too_early() {
  const Pages a = create(pages);
  a.fill(1);
  const Pages b = clone(a);
  const int zeros = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  if (zeros < 0) fail("no /dev/zero: %s", std::strerror(errno));
  slow_handlers_down();
  std::atomic<std::size_t> ready{0};
  std::thread other([&] {
    for (std::size_t i = 0; i < pages; ++i) {
      ready = i + 1;
      while (::read(zeros, lab::data(b.space) + i * lab::page_bytes() + 9, 1) != 1) ::sched_yield();
    }
  });
  for (std::size_t i = 0; i < pages; ++i) {
    while (ready <= i) ::sched_yield();
    now("a store to page %zu, which another thread stores to when it is writable", i);
    b(i, 0) = 77;
  }
  other.join();
  for (std::size_t i = 0; i < pages; ++i) {
    if (a(i, 9) == filled(1, i, 9) && b(i, 9) == 0) continue;
    fail("page %zu was writable before the copy was in its place: what another thread stored "
         "there meanwhile is in the frame that others show",
         i);
  }
  destroy(a);
  destroy(b);
  ::close(zeros);
}

void threads_at_once() {
  stores_at_once();
  handle_faults_together(0);
  page_that_is_open_too_early();
}

void reader_beside_writer() {
  struct Watched {
    volatile unsigned char* byte;  // nobody stores to it
    unsigned char value;
  };
  const Pages a = create(pages);
  a.fill(1);
  std::deque<Watched> all{{&a(0, 9), filled(1, 0, 9)}};
  std::atomic<bool> over{false};
  std::atomic<const Watched*> watched{&all.back()};
  std::atomic<bool> wrong{false};
  std::thread reader([&] {
    while (!over) {
      const Watched& one = *watched;
      for (int i = 0; i < 20; ++i) {
        if (*one.byte != one.value) wrong = true;
      }
    }
  });
  std::vector<Pages> clones;
  slow_handlers_down();
  for (int round = 0; round < 20; ++round) {
    clones.push_back(clone(a));
    for (std::size_t i = 0; i < pages; ++i) {
      now("a load on one thread, beside a store to the same page (%zu) on another", i);
      all.push_back({&clones.back()(i, 9), filled(1, i, 9)});
      watched = &all.back();
      clones.back()(i, 0) = 77;
      if (wrong) fail("a load of page %zu, beside a store to it, saw a byte that nobody stored", i);
    }
  }
  over = true;
  reader.join();
}

// ---- fork ----

struct Pipe {
  int ends[2];
  Pipe() {
    if (::pipe(ends) != 0) fail("no pipe: %s", std::strerror(errno));
  }
  void tell() const {
    if (::write(ends[1], "x", 1) != 1) fail("no pipe: %s", std::strerror(errno));
  }
  /// False if nobody is left who could tell.
  bool wait() const {
    char byte = 0;
    return ::read(ends[0], &byte, 1) == 1;
  }
};

void store_to_all(const Pages& space, unsigned char value, const char* who) {
  for (std::size_t i = 0; i < pages; ++i) {
    now("after fork(), a store of %s to page %zu", who, i);
    space(i, 5) = value;
  }
}

void check_all(const Pages& space, unsigned char value, const char* who, const char* other) {
  for (std::size_t i = 0; i < pages; ++i) {
    if (space(i, 5) != value)
      fail("after fork(), %s sees what %s stored to page %zu", who, other, i);
  }
}

[[noreturn]] void child(const Pages& a, const Pages& b, const Pipe& to_parent,
                        const Pipe& to_child) {
  a.check(1, none, "the space that the child has from its parent");
  a(3, 5) = 40;
  if (b(3, 5) != filled(1, 3, 5)) fail("in the child, a clone shows what was stored to the other");
  to_parent.tell();
  to_child.wait();
  if (a(4, 5) != filled(1, 4, 5)) fail("after fork(), the child sees what its parent stored");
  store_to_all(a, 41, "the child");  // both at the same time
  store_to_all(b, 43, "the child to the other space");
  const Pages c = clone(a);
  store_to_all(c, 42, "the child to a clone of its own");
  to_parent.tell();
  to_child.wait();
  check_all(a, 41, "the child", "its parent");
  check_all(b, 43, "the child", "its parent");
  check_all(c, 42, "the child", "its parent");
  ::_exit(0);
}

bool beside_child(const Pages& a, const Pages& b, const Pipe& to_parent, const Pipe& to_child) {
  if (a(3, 5) != filled(1, 3, 5)) fail("after fork(), the parent sees what its child stored");
  a(4, 5) = 50;
  to_child.tell();
  store_to_all(a, 51, "the parent");
  if (!to_parent.wait()) return false;
  check_all(a, 51, "the parent", "its child");
  b.check(1, none, "the parent's clone");
  store_to_all(b, 53, "the parent to its clone");
  const std::size_t frames = frames_in_use();  // of two spaces here, and three in the child
  if (frames != 5 * pages) {
    fail("parent and child have five spaces of %zu pages, stored to all of them, and use %zu "
         "frames: some are counted too often, or not often enough",
         pages, frames);
  }
  to_child.tell();
  return true;
}

void parent_and_child() {
  const Pages a = create(pages);
  a.fill(1);
  const Pages b = clone(a);
  now("a store before fork()");
  a(0, 0) = a(0, 0);  // one page is a copy by now
  const Pipe to_parent, to_child;
  now("fork()");
  const pid_t pid = ::fork();
  if (pid == 0) child(a, b, to_parent, to_child);
  now("waiting for the child's first stores after fork()");
  ::close(to_parent.ends[1]);
  const bool lives = to_parent.wait() && beside_child(a, b, to_parent, to_child);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) {
    fail("the child of a fork() died of SIG%s", sigabbrev_np(WTERMSIG(status)));
  }
  if (status != 0 || !lives) fail("the child of a fork() ended before its time");
}

// ---- what is left behind ----

void one_life() {
  const Pages a = create(pages);
  a.fill(1);
  const Pages b = clone(a);
  const Pages c = clone(b);
  for (std::size_t i = 0; i < pages; ++i) {
    now("a store to one of three that share, page %zu", i);
    (i % 3 == 0 ? a : i % 3 == 1 ? b : c)(i, 1) = 9;
    (i % 2 == 0 ? b : c)(i, 2) = 9;
  }
  destroy(b);
  destroy(a);
  c(0, 3) = 9;
  destroy(c);
}

void nothing_left() {
  one_life();
  const std::size_t frames = frames_in_use();
  const std::size_t mappings = mappings_in_use();
  if (frames != 0) fail("all spaces have ended, and %zu frames still take memory", frames);
  for (int i = 0; i < 60; ++i) one_life();
  if (frames_in_use() != 0) fail("all spaces have ended, and %zu frames are left", frames_in_use());
  if (mappings_in_use() > mappings + 20) {
    fail("60 times three spaces came and went, and %zu mappings more are there",
         mappings_in_use() - mappings);
  }
  const Pages next = create(pages);
  for (std::size_t page = 0; page < pages; ++page) {
    for (std::size_t i = 0; i < lab::page_bytes(); ++i) {
      if (next(page, i) != 0) fail("a new space shows what one that has gone held: a leak");
    }
  }
}

void foreign_fault() {
  const Pages a = create(1);
  a(0) = 1;
  now("a store through a null pointer, which has to end the process");
  const pid_t pid = ::fork();
  if (pid == 0) {
    *reinterpret_cast<volatile char*>(8) = 1;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV) {
    fail("a store through a null pointer did not end the process by SIGSEGV");
  }
}

}  // namespace

std::vector<Test> company_tests() {
  return {
      {"a thread that loads from a page never meets a hole while another stores",
       reader_beside_writer},
      {"threads that store to one page at once lose nothing, and it is copied once",
       threads_at_once},
      {"fork: parent and child each keep their own bytes", parent_and_child},
      {"nothing is left: frames and mappings go back, and nobody sees old bytes", nothing_left},
      {"a fault that is not the spaces' ends the process, as ever", foreign_fault},
  };
}

}  // namespace grader
