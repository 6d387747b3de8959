// Copy on write in user space, with mmap, mprotect and a handler of SIGSEGV.
//
// A frame is a page-sized slot of a memfd. A space is a range of addresses and a table that says
// which frame each of its pages shows, and whether this space may write to it. What is missing is
// marked YOUR TURN, in two places; the assignment is README.md.
#include "lab.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace lab {

using Frame = std::size_t;

struct Entry {
  Frame frame;
  bool writable;  // what the kernel was told, too: read-only pages fault
};

struct Space {
  std::byte* begin;
  std::vector<Entry> table;
};

namespace {

constexpr std::size_t max_frames = 1 << 16;

// Memory that this process and those it forks have in common, so that all count together.
struct Shared {
  std::atomic<bool> locked;
  std::uint32_t references[max_frames];  // how many tables show the frame; 0: it is free
  Frame next;                            // where the search for a free one goes on
};

Shared* shared = nullptr;
int frame_file = -1;
std::vector<Space*> spaces;
const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::abort();
}

// One lock for everything, which also holds between processes.
void lock() {
  while (shared->locked.exchange(true, std::memory_order_acquire)) ::sched_yield();
}
void unlock() { shared->locked.store(false, std::memory_order_release); }
struct Guard {
  Guard() { lock(); }
  ~Guard() { unlock(); }
};

// ---- frames: call these with the lock held ----

// The first of `count` free frames side by side; each has one reference now.
Frame allocate(std::size_t count) {
  std::size_t run = 0;
  Frame at = shared->next;
  for (std::size_t tried = 0; tried < 2 * max_frames; ++tried, ++at) {
    if (at == max_frames) at = run = 0;
    run = shared->references[at] == 0 ? run + 1 : 0;
    if (run == count) {
      shared->next = at + 1;
      for (std::size_t i = 0; i < count; ++i) shared->references[at - i] = 1;
      return at + 1 - count;
    }
  }
  die("lab: no free frame");
}

// Gives a reference back, and with the last one the memory.
void drop(Frame frame) {
  if (--shared->references[frame] > 0) return;
  if (::fallocate(frame_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(frame * page), static_cast<off_t>(page)) != 0) {
    die("lab: fallocate");
  }
}

// ---- mappings ----

// Shows `count` frames from `frame` on at `address`, in place of what was there.
void show(std::byte* address, std::size_t count, Frame frame, int protection) {
  if (::mmap(address, count * page, protection, MAP_SHARED | MAP_FIXED, frame_file,
             static_cast<off_t>(frame * page)) == MAP_FAILED) {
    die("lab: mmap");
  }
}

void protect(std::byte* address, std::size_t count, int protection) {
  if (::mprotect(address, count * page, protection) != 0) die("lab: mprotect");
}

// ---- the fault ----

Space* find(const std::byte* address) {
  const Guard guard;
  for (Space* space : spaces) {
    if (address >= space->begin && address < space->begin + space->table.size() * page) {
      return space;
    }
  }
  return nullptr;
}

// A store to page `index` of `space` was refused. True: it may run again. False: give up.
//
// YOUR TURN. The page is read-only: what may have happened to it, and what is to be done in each
// case? The tests ask in this order:
//   - somebody else shows the frame as well: the textbook's steps;
//   - nobody else does (any more): is there anything to copy?
//   - another thread stored to the same page at the same time, and was here first.
bool resolve(Space& /*space*/, std::size_t /*index*/) { return false; }

void on_fault(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const int saved_errno = errno;
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  Space* const space = info->si_code == SEGV_ACCERR ? find(address) : nullptr;
  if (space == nullptr ||
      !resolve(*space, static_cast<std::size_t>(address - space->begin) / page)) {
    ::signal(SIGSEGV, SIG_DFL);  // the instruction runs again, and ends the process
  }
  errno = saved_errno;
}

// ---- fork ----

// The frames are mapped shared, so that a child would store into its parent's. Called before every
// fork(), and whatever is done here the child finds done, in tables of its own.
void before_fork() {
  lock();
  // YOUR TURN, when the tests before that of fork() are green.
}

void after_fork_in_parent() { unlock(); }  // for the child as well: it is the same lock

void set_up() {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die("lab: mmap");
  shared = static_cast<Shared*>(memory);  // all zeros
  frame_file = ::memfd_create("frames", MFD_CLOEXEC);
  if (frame_file < 0 || ::ftruncate(frame_file, static_cast<off_t>(max_frames * page)) != 0) {
    die("lab: memfd_create");
  }
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigfillset(&action.sa_mask);
  if (::sigaction(SIGSEGV, &action, nullptr) != 0) die("lab: sigaction");
  if (::pthread_atfork(before_fork, after_fork_in_parent, nullptr) != 0) die("lab: atfork");
}

// Addresses for a space; nothing is to be seen there yet.
std::byte* reserve(std::size_t pages) {
  void* const begin = ::mmap(nullptr, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) die("lab: mmap");
  return static_cast<std::byte*>(begin);
}

}  // namespace

Space* create(std::size_t pages) {
  if (shared == nullptr) set_up();
  const Guard guard;
  auto* const space = new Space{reserve(pages), {}};
  const Frame first = allocate(pages);
  for (std::size_t i = 0; i < pages; ++i) space->table.push_back({first + i, true});
  show(space->begin, pages, first, PROT_READ | PROT_WRITE);
  spaces.push_back(space);
  return space;
}

Space* clone(Space* from) {
  const Guard guard;
  const std::size_t pages = from->table.size();
  protect(from->begin, pages, PROT_READ);
  for (Entry& entry : from->table) {
    ++shared->references[entry.frame];
    entry.writable = false;
  }
  auto* const space = new Space{reserve(pages), from->table};
  for (std::size_t i = 0; i < pages; ++i) {
    show(space->begin + i * page, 1, space->table[i].frame, PROT_READ);
  }
  spaces.push_back(space);
  return space;
}

void destroy(Space* space) {
  const Guard guard;
  spaces.erase(std::find(spaces.begin(), spaces.end(), space));
  if (::munmap(space->begin, space->table.size() * page) != 0) die("lab: munmap");
  for (const Entry& entry : space->table) drop(entry.frame);
  delete space;
}

std::byte* data(const Space* space) { return space->begin; }

std::size_t page_bytes() { return page; }

}  // namespace lab
