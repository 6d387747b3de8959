// Thousands of children: when they are gone, whatever way they went, the parent holds what it held
// before, and nobody had to tell it.

#include "catch.hpp"
#include "process_view.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 40;
constexpr std::uint64_t most_turns = 10;

/// All that a child could cost its parent, in words, so that two of them can be compared.
std::string holdings() {
  const cow::ProcessStats stats = cow::process_stats();  // the control call that notices
  std::ostringstream text;
  text << stats.regions << " regions, " << stats.families << " families, " << stats.bytes_in_use
       << " bytes, " << stats.frames_in_use << " frames, " << stats.bytes_metadata
       << " bytes of metadata, " << stats.mappings_in_use << " mappings, "
       << process_view::descriptors().size() << " descriptors";
  return text.str();
}

/// The same as soon as it is `expected`, or what it stays at.
std::string holdings_in_the_end(const std::string& expected) {
  std::string now;
  (void)support::eventually([&] { return (now = holdings()) == expected; });
  return now;
}

class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_) == 0); }
  ~Pipe() {
    close_read_end();
    close_write_end();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void close_read_end() { close(ends_[0]); }
  void close_write_end() { close(ends_[1]); }
  [[nodiscard]] int read_end() const { return ends_[0]; }
  [[nodiscard]] int write_end() const { return ends_[1]; }
  /// Waits until every write end is closed.
  void wait_for_end() const {
    char token = 0;
    while (::read(ends_[0], &token, 1) < 0 && errno == EINTR) {
    }
  }

 private:
  static void close(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  int ends_[2] = {-1, -1};
};

enum class Ending { exits, killed, aborts, wild_store, execs, when_told };
constexpr std::size_t endings = 6;

void* const forbidden_page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

[[noreturn]] void come_to_an_end(Ending ending, Pipe& told) {
  switch (ending) {
    case Ending::exits: break;
    case Ending::killed: ::kill(::getpid(), SIGKILL); break;
    case Ending::aborts: std::signal(SIGABRT, SIG_DFL); std::abort();
    case Ending::wild_store: *static_cast<volatile char*>(forbidden_page) = 1; break;
    case Ending::execs: ::execlp("true", "true", nullptr); ::_exit(127);
    case Ending::when_told: told.wait_for_end(); break;
  }
  ::_exit(0);
}

bool is_as_expected(int status, Ending ending) {
  switch (ending) {
    case Ending::killed: return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    case Ending::aborts: return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    case Ending::wild_store: return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
    default: return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
}

struct Child {
  pid_t pid;
  Ending ending;
};

/// Children that live side by side.
class Batch {
 public:
  /// Forks a child that does `work` and then comes to that end.
  template <typename Work>
  void fork(Ending ending, const Work& work) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      told_.close_write_end();
      support::die_silently_of_faults();
      work();
      come_to_an_end(ending, told_);
    }
    children_.push_back({pid, ending});
  }

  /// Ends those who wait to be told. How many did not end the way they were meant to.
  std::size_t wait() {
    told_.close_write_end();
    std::size_t wrong = 0;
    for (const Child& child : children_) {
      int status = 0;
      while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
      }
      wrong += !is_as_expected(status, child.ending);
    }
    return wrong;
  }

  /// With SIGCHLD ignored the kernel clears away who has ended.
  void look_on_until_gone() {
    told_.close_write_end();
    for (const Child& child : children_) {
      while (::kill(child.pid, 0) == 0) std::this_thread::yield();
    }
  }

 private:
  Pipe told_;
  std::vector<Child> children_;
};

class ChildSignalIgnored {
 public:
  ChildSignalIgnored() : before_(std::signal(SIGCHLD, SIG_IGN)) {}
  ~ChildSignalIgnored() { std::signal(SIGCHLD, before_); }
  ChildSignalIgnored(const ChildSignalIgnored&) = delete;
  ChildSignalIgnored& operator=(const ChildSignalIgnored&) = delete;

 private:
  void (*before_)(int);
};

Region filled(std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), pattern);
  return region;
}

/// What a child does with its parent's regions before it ends.
void use(Region& region, const Snapshot& snapshot, std::size_t turn) {
  for (std::size_t i = 0; i < turn % 4; ++i) support::flip(region, (turn + 7 * i) % pages);
  if (turn % 3 == 0) region.restore(snapshot);
  if (turn % 5 == 0) support::flip(region, turn % pages);
  if (turn % 7 == 0) {
    Region clone = region.clone();
    support::flip(clone, turn % pages);
  }
}

constexpr std::size_t batch_size = 48;

std::size_t batches(std::size_t forks) { return support::scaled(forks / batch_size); }

}  // namespace

TEST_CASE("thousands of children, ended in every way, leave the parent what it held", "[api]") {
  const bool waits = GENERATE(true, false);
  CAPTURE(waits);
  std::optional<ChildSignalIgnored> ignored;
  if (!waits) ignored.emplace();
  Region region = filled(1);
  const Snapshot snapshot = region.snapshot();
  support::store(region, 3, 0xff);
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  support::settle(region);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  std::string before;
  std::size_t lines = 0;
  for (std::size_t round = 0; round <= batches(2000); ++round) {
    Batch batch;
    for (std::size_t i = 0; i < batch_size; ++i) {
      batch.fork(static_cast<Ending>(i % endings), [&] { use(region, snapshot, round + i); });
    }
    if (waits) {
      REQUIRE(batch.wait() == 0);
    } else {
      batch.look_on_until_gone();
    }
    // What the first fork protects stays protected, and the room it opens stays open.
    if (round == 0) {
      REQUIRE(support::eventually([&] { return cow::process_stats().bytes_in_use == in_use; }));
      before = holdings();
      lines = support::count_process_mappings();
    }
    REQUIRE(holdings_in_the_end(before) == before);
  }
  // Sanitizers map memory as they go along.
  if (!support::has_sanitizer) CHECK(support::count_process_mappings() == lines);
  CHECK(support::difference(plain, region.bytes()) == "");
  CHECK(support::shows(snapshot.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("the first child, too, costs its parent nothing when it is gone", "[api]") {
  Region region = filled(1);
  (void)region.clone();  // opens the room that a fork needs as well
  const std::string before = holdings();
  const auto ending = static_cast<Ending>(GENERATE(range(0, static_cast<int>(endings))));
  CAPTURE(ending);
  {
    Batch batch;
    batch.fork(ending, [&] { support::fill(region.bytes(), 2); });
    CHECK(batch.wait() == 0);
  }
  CHECK(holdings_in_the_end(before) == before);
  CHECK(support::shows(region.bytes(), 1));
}

TEST_CASE("memory comes back from children although the parent stores, clones and restores",
          "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const std::string at_first = holdings();
  {
    Region region = filled(1);
    support::settle(region);
    const std::size_t in_use = cow::process_stats().bytes_in_use;
    for (std::size_t round = 0; round < batches(2000); ++round) {
      const std::vector<std::byte> plain = support::plain_copy(region.bytes());
      std::optional<Snapshot> snapshot = region.snapshot();
      std::optional<Region> clone = region.clone();
      Batch batch;
      for (std::size_t i = 0; i < batch_size; ++i) {
        batch.fork(static_cast<Ending>(i % endings), [&] { use(region, *snapshot, round + i); });
        support::flip(random.one_in(2) ? region : *clone, random.below(pages), 5);
        if (random.one_in(9)) clone = region.clone();
        if (random.one_in(9)) region.restore(*snapshot);
      }
      region.restore(*snapshot);
      clone.reset();
      snapshot.reset();
      REQUIRE(batch.wait() == 0);
      REQUIRE(support::eventually([&] { return cow::process_stats().bytes_in_use == in_use; }));
      REQUIRE(support::difference(plain, region.bytes()) == "");
      REQUIRE(support::broken_invariant(region) == "");
    }
  }
  CHECK(holdings_in_the_end(at_first) == at_first);
}

TEST_CASE("a child that became another program is gone, though its process lives on",
          "[api][handler]") {
  Region region = filled(1);
  (void)region.clone();  // opens the room that a fork needs as well
  const std::string before = holdings();
  Pipe in;
  Pipe out;
  const std::size_t with_pipes = process_view::descriptors().size();
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::dup2(in.read_end(), STDIN_FILENO);
    ::dup2(out.write_end(), STDOUT_FILENO);
    in.close_write_end();
    out.close_read_end();
    ::execlp("cat", "cat", nullptr);
    ::_exit(127);
  }
  support::fill(region.bytes(), 2);
  CHECK(cow::process_stats().bytes_in_use >= pages * support::page_bytes());
  // What comes back has been through the other program.
  char token = 1;
  CHECK(::write(in.write_end(), &token, 1) == 1);
  CHECK(::read(out.read_end(), &token, 1) == 1);
  (void)cow::process_stats();
  CHECK(process_view::descriptors().size() == with_pipes);
  CHECK(::kill(pid, 0) == 0);
  in.close_write_end();
  in.close_read_end();
  out.close_write_end();
  out.close_read_end();
  int status = 0;
  CHECK(::waitpid(pid, &status, 0) == pid);
  CHECK(holdings_in_the_end(before) == before);
  CHECK(support::shows(region.bytes(), 2));
}

TEST_CASE("frames are kept for a grandchild whose parent has ended, and given back after it",
          "[api][handler]") {
  const bool ends_by_exec = GENERATE(false, true);
  CAPTURE(ends_by_exec);
  Region region = filled(1);
  std::optional<Snapshot> snapshot = region.snapshot();
  support::store(region, 3, 0xff);
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  // The line and the report of the child are the grandchild's after it.
  support::ForkedChild child([&](support::Peer& parent) -> std::string {
    const pid_t grandchild = ::fork();
    if (grandchild < 0) return "fork failed";
    if (grandchild > 0) {
      if (ends_by_exec) ::execlp("true", "true", nullptr);
      ::_exit(0);
    }
    for (std::uint64_t i = 0; i < most_turns; ++i) {
      if (!parent.hear()) return "the first process is gone";
      const std::string complaint = support::difference(plain, region.bytes());
      if (!complaint.empty()) return "grandchild: " + complaint;
      if (!support::shows(snapshot->bytes(), 1)) return "the grandchild's snapshot changed";
      parent.say();
    }
    support::fill(region.bytes(), 9);
    return support::shows(region.bytes(), 9) ? "" : "the grandchild's stores are lost";
  });
  siginfo_t ended{};
  REQUIRE(::waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT) == 0);  // the child, not the grandchild
  for (std::uint64_t i = 0; i < most_turns; ++i) {
    Region clone = region.clone();
    support::fill(clone.bytes(), 20 + i);
    support::fill(region.bytes(), 30 + i);
    child.peer().say();
    if (!child.peer().hear()) break;
  }
  const auto result = child.wait();
  CHECK(result.complaint == "");
  CHECK(result.exited());
  snapshot.reset();
  // The report ends when the grandchild exits, and the kernel may still be clearing up after it.
  CHECK(support::eventually([&] { return cow::process_stats().bytes_in_use == region.size(); }));
}
