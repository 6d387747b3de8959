// Children that do other things than fork() is for: vfork and exec, posix_spawn, and closing
// descriptors that are not theirs.

#include "catch.hpp"
#include "process_view.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 40;

Region filled(std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), pattern);
  return region;
}

/// The region's lines of /proc/self/maps.
std::string mappings_of(const Region& region) {
  std::string text;
  for (const process_view::Line& line : process_view::lines_of(region.data(), region.size())) {
    text += std::to_string(line.begin) + " " + line.permissions + "\n";
  }
  return text;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// vfork() and nothing else: the child has the parent's stack and memory until it is gone.
__attribute__((noinline)) pid_t vfork_child(const char* program) {
  const pid_t pid = ::vfork();
  if (pid == 0) {
    if (program != nullptr) ::execl(program, program, static_cast<char*>(nullptr));
    ::_exit(program == nullptr ? 0 : 127);
  }
  return pid;
}

const char* path_of_true() {
  return ::access("/bin/true", X_OK) == 0 ? "/bin/true" : "/usr/bin/true";
}

/// What the program `ls` finds in its own /proc/self/fd. If `handed_on` is a descriptor, it gets a
/// copy of it, as a program does for a child that it shares a file with.
std::string descriptors_of_a_program(int handed_on) {
  int line[2];
  if (::pipe2(line, O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, line[1], STDOUT_FILENO);
  if (handed_on >= 0) ::posix_spawn_file_actions_adddup2(&actions, handed_on, STDIN_FILENO);
  char name[] = "ls";
  char option[] = "-l";
  char folder[] = "/proc/self/fd/";
  char* arguments[] = {name, option, folder, nullptr};
  char* environment[] = {nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, name, &actions, nullptr, arguments, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(line[1]);
  std::string text;
  char buffer[512];
  for (ssize_t count = 0; (count = ::read(line[0], buffer, sizeof(buffer))) != 0;) {
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(line[0]);
  if (error == 0) wait_for(pid);
  return text;
}

/// What a parent and a child can tell each other without any descriptor.
struct Board {
  std::atomic<std::uint32_t> turn{0};  // odd: the child looks; even: it is the parent's
  std::atomic<std::uint32_t> wrong{0};

  static Board& make() {
    void* const page =
        ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    return *new (page) Board;
  }
};

void pause_a_little() { std::this_thread::sleep_for(std::chrono::microseconds(200)); }

}  // namespace

TEST_CASE("vfork, with _exit or with exec, leaves regions and their mappings alone", "[os]") {
#if defined(COW_TEST_THREAD_SANITIZER)
  constexpr bool is_fork = true;  // ThreadSanitizer makes every vfork a fork, which protects pages
#else
  constexpr bool is_fork = false;
#endif
  Region region = filled(1);
  const Snapshot snapshot = region.snapshot();
  for (std::size_t page = 0; page < pages; page += 3) support::store(region, page, 0xff);
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  const std::string mappings = mappings_of(region);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  for (std::size_t i = 0; i < support::scaled(200); ++i) {
    const pid_t pid = vfork_child(i % 2 == 0 ? nullptr : path_of_true());
    REQUIRE(pid > 0);
    REQUIRE(wait_for(pid) == 0);
  }
  if (!is_fork) CHECK(mappings_of(region) == mappings);
  CHECK(support::difference(plain, region.bytes()) == "");
  CHECK(support::shows(snapshot.bytes(), 1));
  const std::uint64_t faults = region.stats().faults;
  for (std::size_t page = 0; page < pages; page += 3) support::store(region, page, 0xfe);
  if (!is_fork) CHECK(region.stats().faults == faults);
  CHECK(support::eventually([&] { return cow::process_stats().bytes_in_use == in_use; }));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("vfork beside threads that fault: no store is lost", "[os]") {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  std::atomic<bool> stopping{false};
  std::uint64_t added = 0;
  std::thread other([&] {
    while (!stopping.load(std::memory_order_relaxed)) {
      const Snapshot shared = region.snapshot();
      for (std::size_t page = 0; page < pages; ++page) ++support::word_at(region, page);
      ++added;
    }
  });
  std::size_t failed = 0;
  for (std::size_t i = 0; i < support::scaled(200); ++i) {
    const pid_t pid = vfork_child(i % 2 == 0 ? nullptr : path_of_true());
    failed += pid < 0 || wait_for(pid) != 0;
  }
  stopping = true;
  other.join();
  CHECK(failed == 0);
  for (std::size_t page = 0; page < pages; ++page) {
    REQUIRE(support::word_at(region, page) == added);
  }
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("posix_spawn leaves regions and their mappings alone", "[os]") {
  Region region = filled(1);
  const Snapshot snapshot = region.snapshot();
  support::store(region, 3, 0xff);
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  const std::string mappings = mappings_of(region);
  for (std::size_t i = 0; i < support::scaled(50); ++i) {
    char name[] = "true";
    char* arguments[] = {name, nullptr};
    char* environment[] = {nullptr};
    pid_t pid = 0;
    REQUIRE(::posix_spawnp(&pid, name, nullptr, nullptr, arguments, environment) == 0);
    support::store(region, 3, static_cast<unsigned>(i));  // beside the child's start
    REQUIRE(wait_for(pid) == 0);
    REQUIRE(support::load(region.bytes(), 3) == i % 256);
    support::store(region, 3, 0xff);
  }
  CHECK(mappings_of(region) == mappings);
  CHECK(support::difference(plain, region.bytes()) == "");
  CHECK(support::shows(snapshot.bytes(), 1));
}

TEST_CASE("no descriptor of a region is inherited by another program", "[os]") {
  Region region = filled(1);
  const Region other = filled(2);
  support::ForkedChild child(
      [](support::Peer& parent) -> std::string { return parent.hear() ? "" : "alone"; });
  const std::string seen = descriptors_of_a_program(-1);
  CAPTURE(seen);
  CHECK(seen.find("pipe:") != std::string::npos);  // its standard output
  CHECK(seen.find("memfd:") == std::string::npos);
  // The same from a child, which has frame files of its own and those of its parent.
  const auto in_child = support::run_in_child([&]() -> std::string {
    support::fill(region.bytes(), 3);
    const std::string from_child = descriptors_of_a_program(-1);
    if (from_child.find("pipe:") == std::string::npos) return "nothing was listed";
    return from_child.find("memfd:") == std::string::npos ? "" : from_child;
  });
  CHECK(in_child.complaint == "");
  child.peer().say();
  CHECK(child.wait().complaint == "");
  // The listing does show a frame file that is handed on.
  const std::vector<int> files = process_view::frame_files();
  REQUIRE(files.size() >= 2);
  CHECK(descriptors_of_a_program(files[0]).find("memfd:cow-frames") != std::string::npos);
}

TEST_CASE("a child that closed every descriptor goes on reading what it had", "[os][handler]") {
  constexpr std::uint32_t turns = 12;
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  Region region = filled(1);
  Region zeros = Region::create(pages * support::page_bytes(), support::options());
  std::optional<Snapshot> snapshot = region.snapshot();
  support::store(region, 3, 0xff);
  std::optional<Region> other = region.clone();
  support::fill(other->bytes().first(other->size() / 2), 4);
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  const std::vector<std::byte> plain_other = support::plain_copy(other->bytes());
  const std::span<const std::byte> view = snapshot->bytes();
  Board& board = Board::make();
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::alarm(300);
    for (const int descriptor : process_view::descriptors()) {
      if (descriptor > STDERR_FILENO) ::close(descriptor);
    }
    for (std::uint32_t turn = 1; turn <= 2 * turns; turn += 2) {
      while (board.turn.load() != turn) pause_a_little();
      const bool right = support::same_bytes(plain, region.bytes()) &&
                         support::same_bytes(plain_other, other->bytes()) &&
                         support::shows(view, 1) && support::all_zero(zeros.bytes());
      if (!right) ++board.wrong;
      board.turn.store(turn + 1);
    }
    ::_exit(0);
  }
  for (std::uint32_t turn = 1; turn <= 2 * turns; turn += 2) {
    // Stores, clones, drops and new frames, each of which could take a frame from the child.
    support::fill(region.bytes(), 100 + turn);
    support::fill(zeros.bytes(), 200 + turn);
    Region clone = region.clone();
    support::fill(clone.bytes(), 300 + turn);
    if (turn == 5) other.reset();
    if (turn == 7) snapshot.reset();
    (void)filled(400 + turn);
    (void)cow::process_stats();
    board.turn.store(turn);
    while (board.turn.load() == turn && ::waitpid(pid, nullptr, WNOHANG) == 0) pause_a_little();
    if (board.turn.load() == turn) break;  // the child died
  }
  const std::uint32_t reached = board.turn.load();
  if (reached == 2 * turns) CHECK(wait_for(pid) == 0);
  CHECK(reached == 2 * turns);
  CHECK(board.wrong.load() == 0);
  ::munmap(&board, sizeof(Board));
  CHECK(support::shows(region.bytes(), 100 + 2 * turns - 1));
  support::settle(region);
  support::settle(zeros);
  // That it is gone is noticed as well.
  const std::size_t expected = in_use + region.size() + zeros.size();
  CHECK(support::eventually([&] { return cow::process_stats().bytes_in_use == expected; }));
  CHECK(support::broken_invariant(region) == "");
}
