// Three things that copy on write does to programs that do not expect it.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cow/cow.hpp>
#include <cstdio>
#include <cstring>

int main() {
  cow::RegionOptions options;
  options.mechanism = cow::Mechanism::handler;
  cow::Region region = cow::Region::create(1 << 20, options);
  std::memset(region.data(), 1, region.size());

  // 1. The kernel does not fault on a program's behalf.
  cow::Region clone = region.clone();
  const int zeros = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  const bool refused = ::read(zeros, clone.data(), 100) == -1 && errno == EFAULT;
  std::printf("read(2) into a shared page       %s\n", refused ? std::strerror(EFAULT) : "worked");
  const cow::WriteLease lease = clone.write_lease(0, 100);
  const bool leased = ::read(zeros, lease.data(), lease.size()) == 100;
  std::printf("the same with a lease            %s\n", leased ? "100 bytes" : std::strerror(errno));

  // 2. Who shares with you shows in what your own stores cost.
  cow::Region mine = cow::Region::create(1 << 20, options);
  mine.bytes()[0] = std::byte{1};
  cow::Region other = mine.clone();
  const bool other_stores = true;  // try false
  if (other_stores) other.bytes()[0] = std::byte{2};
  mine.bytes()[0] = std::byte{3};
  const bool copied = mine.stats().pages_copied == 1;  // else it was only made writable again
  std::printf("the other one has                %s\n", copied ? "not stored" : "stored");

  // 3. A fault cannot wait: a thread that blocks SIGSEGV must not store to a shared page.
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    region.bytes()[0] = std::byte{2};
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
  std::printf("a store with SIGSEGV blocked     %s\n", died ? "ended the process" : "went well");
  return refused && leased && copied != other_stores && died ? 0 : 1;
}
