#include "bare_faults.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <span>
#include <system_error>
#include <vector>

#include "machine.hpp"
#include "plain_memory.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

/// Another action for a signal, until the end of the scope.
class ScopedAction {
 public:
  ScopedAction(int signal, void (*handler)(int, siginfo_t*, void*)) : signal_(signal) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    sigfillset(&action.sa_mask);
    if (::sigaction(signal_, &action, &before_) != 0) {
      throw std::system_error(errno, std::generic_category(), "sigaction");
    }
  }
  ScopedAction(const ScopedAction&) = delete;
  ScopedAction& operator=(const ScopedAction&) = delete;
  ~ScopedAction() { ::sigaction(signal_, &before_, nullptr); }

 private:
  int signal_;
  struct sigaction before_ {};
};

// What the handlers work with. Only one thread measures at a time.
std::byte* expected_first = nullptr;
std::size_t expected_bytes = 0;
std::size_t page_size = 0;
const std::byte* originals = nullptr;  // the same bytes, read through another mapping
int copies_file = -1;
volatile std::uint64_t handler_entered = 0;
volatile std::uint64_t handler_left = 0;

void ignore(int, siginfo_t*, void*) {}

bool make_writable(std::size_t offset) {
  return ::mprotect(expected_first + offset, page_size, PROT_READ | PROT_WRITE) == 0;
}

// The copy lies behind the originals, at the same distance for every page.
bool remap(std::size_t offset) {
  std::byte* const page = expected_first + offset;
  const auto copy = static_cast<off_t>(expected_bytes + offset);
  return ::pwrite(copies_file, originals + offset, page_size, copy) ==
             static_cast<ssize_t>(page_size) &&
         ::mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, copies_file,
                copy) != MAP_FAILED;
}

template <bool (*Resolve)(std::size_t offset)>
void handle(int, siginfo_t* info, void*) {
  handler_entered = now_ns();
  const auto offset =
      static_cast<std::size_t>(static_cast<std::byte*>(info->si_addr) - expected_first);
  if (offset >= expected_bytes || !Resolve(offset / page_size * page_size)) {
    ::_exit(1);  // a real crash of the benchmark
  }
  handler_left = now_ns();
}

void protect(std::byte* first, std::size_t bytes) {
  if (::mprotect(first, bytes, PROT_READ) != 0) {
    throw std::system_error(errno, std::generic_category(), "mprotect");
  }
}

double between(std::uint64_t from, std::uint64_t to) { return static_cast<double>(to - from); }

void time_one_fault(const Pages& pages, std::size_t page, BareFaults& into) {
  const std::uint64_t start = now_ns();
  pages.store(page, start);
  const std::uint64_t end = now_ns();
  into.delivery.add(between(start, handler_entered));
  into.handler.add(between(handler_entered, handler_left));
  into.back.add(between(handler_left, end));
  into.total.add(between(start, end));
}

}  // namespace

Samples time_signal_round_trips(std::size_t count) {
  const ScopedAction action(SIGUSR1, ignore);
  const auto process = ::getpid();
  const auto thread = ::syscall(SYS_gettid);
  std::vector<double> times(count);
  for (double& time : times) {
    const std::uint64_t start = now_ns();
    ::syscall(SYS_tgkill, process, thread, SIGUSR1);
    time = elapsed_ns(start);
  }
  return Samples(std::move(times));
}

namespace {

/// Stores to `which` pages of `pages`, all of them read-only, under a handler.
void time_faults(const Pages& pages, std::span<const std::size_t> which,
                 void (*handler)(int, siginfo_t*, void*), BareFaults& into) {
  page_size = pages.page_bytes;
  expected_first = pages.first;
  expected_bytes = pages.count * pages.page_bytes;
  protect(expected_first, expected_bytes);
  const ScopedAction action(SIGSEGV, handler);
  for (const std::size_t page : which) {
    time_one_fault(pages, page, into);
  }
}

}  // namespace

BareFaults time_bare_faults(std::size_t count, BareFault kind) {
  // As many faults at a time as 1 % of 256 MiB are, so that the kernel has as many mappings to
  // search as it has with a clone.
  constexpr std::size_t faults_a_round = 655;
  constexpr std::size_t spread = 100;
  const std::size_t pages = kind == BareFault::mprotect_alone ? 1 : faults_a_round * spread;
  const std::size_t faults_possible = std::min(pages, faults_a_round);
  BareFaults faults;
  for (std::uint64_t round = 0; faults.total.size() < count; ++round) {
    const std::size_t wanted = std::min(faults_possible, count - faults.total.size());
    const auto which = choose_pages(pages, wanted, Order::random, round);
    if (kind == BareFault::remap) {
      const FilledMemfd file(pages * host_page_bytes());
      file.extend(2 * pages * host_page_bytes());
      copies_file = file.descriptor();
      const PlainMemory source = file.map_shared();
      load_all(source.pages());
      originals = source.data();
      time_faults(file.map_shared().pages(), which, handle<remap>, faults);
    } else {
      const PlainMemory memory = PlainMemory::anonymous(pages * host_page_bytes());
      const std::size_t times = kind == BareFault::mprotect_alone ? count : 1;
      for (std::size_t i = 0; i < times; ++i) {
        time_faults(memory.pages(), which, handle<make_writable>, faults);
      }
    }
  }
  return faults;
}

}  // namespace cow_bench
