// Which pages of a private mapping were stored to, without anybody keeping stores off.

#include "os/write_watch.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using cow::os::AddressRun;
using cow::os::WriteWatch;
using Then = cow::os::WriteWatch::Then;

namespace {

constexpr std::size_t kPages = 512;

/// A file of ones in memory, and a private mapping of it that is watched.
class WatchedMapping {
 public:
  explicit WatchedMapping(const WriteWatch& watch) : watch_(watch) {
    REQUIRE(file_ >= 0);
    REQUIRE(::ftruncate(file_, static_cast<off_t>(bytes())) == 0);
    const std::vector<std::byte> ones(bytes(), std::byte{1});
    REQUIRE(::pwrite(file_, ones.data(), bytes(), 0) == static_cast<ssize_t>(bytes()));
    void* const at = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE, file_, 0);
    REQUIRE(at != MAP_FAILED);
    begin_ = static_cast<std::byte*>(at);
    REQUIRE(watch_.watch(all()) == 0);
  }
  ~WatchedMapping() {
    ::munmap(begin_, bytes());
    ::close(file_);
  }
  WatchedMapping(const WatchedMapping&) = delete;
  WatchedMapping& operator=(const WatchedMapping&) = delete;

  [[nodiscard]] static std::size_t bytes() { return kPages * support::page_bytes(); }
  [[nodiscard]] AddressRun all() const { return {begin_, begin_ + bytes()}; }
  [[nodiscard]] std::byte* page(std::size_t page) const {
    return begin_ + page * support::page_bytes();
  }
  [[nodiscard]] AddressRun pages(std::size_t first, std::size_t last) const {
    return {page(first), page(last)};
  }
  void store(std::size_t at, unsigned value) const {
    *const_cast<volatile std::byte*>(page(at)) = std::byte(value);
  }
  [[nodiscard]] unsigned load(std::size_t at) const {
    return std::to_integer<unsigned>(*const_cast<volatile std::byte*>(page(at)));
  }
  [[nodiscard]] std::vector<AddressRun> look() const {
    std::vector<AddressRun> runs(kPages);
    const WriteWatch::Found found = watch_.look(all(), runs, 0, Then::arm_again);
    REQUIRE(found.error == 0);
    REQUIRE(found.end == all().end);
    runs.resize(found.runs);
    return runs;
  }
  [[nodiscard]] std::vector<AddressRun> copies() const {
    std::vector<AddressRun> runs(kPages);
    const WriteWatch::Found found = watch_.find_copies(all(), runs, WriteWatch::Where::in_memory);
    REQUIRE(found.error == 0);
    runs.resize(found.runs);
    return runs;
  }
  [[nodiscard]] std::byte in_file(std::size_t at) const {
    std::byte byte{};
    REQUIRE(::pread(file_, &byte, 1, static_cast<off_t>(at * support::page_bytes())) == 1);
    return byte;
  }

 private:
  const WriteWatch& watch_;
  int file_ = ::memfd_create("watched", MFD_CLOEXEC);
  std::byte* begin_ = nullptr;
};

/// Nothing where the kernel has no such watch, which is said.
std::optional<WriteWatch> open_watch() {
  if (!support::has_host_pages()) return std::nullopt;
  try {
    return WriteWatch::open();
  } catch (const std::system_error& error) {
    WARN("skipped: " << error.what());
    return std::nullopt;
  }
}

/// The descriptors that a watch has.
std::vector<int> numbers_of_watches() {
  std::vector<int> numbers;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.find("[userfaultfd]") == std::string::npos && !target.ends_with("/pagemap"))
      continue;
    numbers.push_back(std::stoi(entry.path().filename().string()));
  }
  return numbers;
}

using Runs = std::vector<AddressRun>;

}  // namespace

TEST_CASE("a look finds the pages that were stored to, once, and the file keeps what it held",
          "[os]") {
  const auto watch = open_watch();
  if (!watch) return;
  const WatchedMapping memory(*watch);
  CHECK(memory.look() == Runs{});

  memory.store(3, 7);
  memory.store(5, 7);
  memory.store(6, 7);
  CHECK(memory.look() == Runs{memory.pages(3, 4), memory.pages(5, 7)});
  CHECK(memory.in_file(5) == std::byte{1});
  CHECK(memory.look() == Runs{});

  memory.store(6, 8);
  CHECK(memory.look() == Runs{memory.pages(6, 7)});
  CHECK(memory.load(6) == 8);
}

TEST_CASE("a page that was only loaded from is found once, and is no copy", "[os]") {
  const auto watch = open_watch();
  if (!watch) return;
  const WatchedMapping memory(*watch);
  for (std::size_t page = 0; page < kPages / 2; ++page) CHECK(memory.load(page) == 1);
  memory.store(100, 2);
  CHECK(memory.look() == Runs{memory.pages(0, kPages / 2)});
  CHECK(memory.copies() == Runs{memory.pages(100, 101)});
  CHECK(memory.look() == Runs{});
  memory.store(20, 2);
  CHECK(memory.look() == Runs{memory.pages(20, 21)});
}

TEST_CASE("a page that was dropped after it was armed is no copy in memory", "[os]") {
  const auto watch = open_watch();
  if (!watch) return;
  const WatchedMapping memory(*watch);
  CHECK(memory.load(3) == 1);
  memory.store(5, 7);
  CHECK(memory.look() == Runs{memory.pages(3, 4), memory.pages(5, 6)});
  REQUIRE(::madvise(memory.page(3), support::page_bytes(), MADV_DONTNEED) == 0);
  CHECK(memory.copies() == Runs{memory.pages(5, 6)});

  std::vector<AddressRun> runs(kPages);
  const auto find = [&](std::size_t page) {
    return watch->find_copies(memory.pages(page, page + 1), runs, WriteWatch::Where::anywhere);
  };
  CHECK((find(5).runs == 1 && find(5).in_memory));
  const WriteWatch::Found dropped = find(3);
  CHECK((dropped.runs == 0 || !dropped.in_memory));
  CHECK(memory.load(3) == 1);
}

TEST_CASE("pages that a look leaves unarmed, or that are disarmed, are found again", "[os]") {
  const auto watch = open_watch();
  if (!watch) return;
  const WatchedMapping memory(*watch);
  memory.store(3, 7);
  std::vector<AddressRun> runs(kPages);
  CHECK(watch->look(memory.all(), runs, 0, Then::leave).runs == 1);
  CHECK(memory.look() == Runs{memory.pages(3, 4)});
  REQUIRE(watch->disarm(memory.pages(3, 4)) == 0);
  CHECK(memory.look() == Runs{memory.pages(3, 4)});
  CHECK(memory.look() == Runs{});
}

TEST_CASE("a store that changes nothing makes the kernel copy the page", "[os]") {
  const auto watch = open_watch();
  if (!watch) return;
  const WatchedMapping memory(*watch);
  WriteWatch::note_store(memory.page(4), 3 * support::page_bytes());
  CHECK(memory.copies() == Runs{memory.pages(4, 7)});
  CHECK(memory.load(5) == 1);
}

TEST_CASE("what the kernel stores for a system call is found, too", "[os]") {
  const auto watch = open_watch();
  if (!watch) return;
  const WatchedMapping memory(*watch);
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  REQUIRE(::write(ends[1], "ab", 2) == 2);
  CHECK(::read(ends[0], memory.page(8) - 1, 2) == 2);
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(memory.look() == Runs{memory.pages(7, 9)});
}

TEST_CASE("a look with little room goes on where it ended", "[os]") {
  const auto watch = open_watch();
  if (!watch) return;
  const WatchedMapping memory(*watch);
  for (std::size_t page = 0; page < kPages; page += 2) memory.store(page, 9);
  const std::size_t room = GENERATE(1u, 3u, 64u, 100u);
  AddressRun rest = memory.all();
  std::size_t page = 0;
  while (rest.begin != rest.end) {
    std::vector<AddressRun> runs(room);
    const WriteWatch::Found found = watch->look(rest, runs, room, Then::arm_again);
    REQUIRE(found.error == 0);
    for (std::size_t i = 0; i < found.runs; ++i, page += 2) {
      CHECK(runs[i] == memory.pages(page, page + 1));
    }
    rest.begin = found.end;
  }
  CHECK(page == kPages);
}

TEST_CASE("a watch whose descriptors the program has closed refuses, whatever has their numbers",
          "[os]") {
  const auto watch = open_watch();
  if (!watch) return;
  const bool is_reused = GENERATE(false, true);
  const WatchedMapping memory(*watch);
  REQUIRE(numbers_of_watches().size() == 2);
  const support::ChildResult result = support::run_in_child([&]() -> std::string {
    const int other = ::open("/dev/null", O_RDWR);
    for (const int number : numbers_of_watches()) {
      is_reused ? ::dup2(other, number) : ::close(number);
    }
    std::array<AddressRun, 4> runs{};
    if (watch->watch(memory.all()) != EBADF) return "watch() went on";
    if (watch->disarm(memory.all()) != EBADF) return "disarm() went on";
    if (watch->look(memory.all(), runs, 0, Then::leave).error != EBADF) return "look() went on";
    if (watch->find_copies(memory.all(), runs, WriteWatch::Where::anywhere).error != EBADF) {
      return "find_copies() went on";
    }
    return "";
  });
  CHECK(result.complaint == "");
}
