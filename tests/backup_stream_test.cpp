// Backups to descriptors: what comes out of a pipe or a socket is an image that load reads, whole
// or not at all, and a destination that fails or is stuck is a sentence.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "backup_support.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::Backup;
using cow::BackupOptions;
using cow::BackupReport;
using cow::Region;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;

Region mixed_region(std::size_t pages) {
  Region region = Region::create(pages * support::page_bytes() - 100, support::options());
  for (std::size_t page = 0; page < pages; ++page) {
    if (page % 3 != 1)
      support::store(region, page, page % 5 == 0 ? 0u : static_cast<unsigned>(1 + page % 255), 7);
  }
  return region;
}

/// Writes all that comes out of a descriptor to a file.
class Reader {
 public:
  Reader(int from, std::filesystem::path to)
      : thread_([from, to = std::move(to)] {
          std::ofstream file(to, std::ios::binary);
          std::vector<char> buffer(10'000);
          for (;;) {
            const ssize_t got = ::read(from, buffer.data(), buffer.size());
            if (got <= 0) break;
            file.write(buffer.data(), got);
          }
        }) {}
  void wait() { thread_.join(); }

 private:
  std::thread thread_;
};

int error_of(Backup backup) {
  try {
    backup.wait();
  } catch (const std::system_error& error) {
    return support::is_sentence(error.what()) ? error.code().value() : -1;
  }
  return 0;
}

std::string complaint_about(const std::filesystem::path& file) {
  try {
    static_cast<void>(Region::load(file));
  } catch (const std::system_error& error) {
    return error.code().value() == EBADMSG ? error.what() : "";
  }
  return "";
}

}  // namespace

TEST_CASE("a backup through a pipe or a socket is an image that load reads", "[api]") {
  const Folder folder;
  for (const bool is_socket : {false, true}) {
    CAPTURE(is_socket);
    Region region = mixed_region(1200);
    const Bytes expected = support::plain_copy(region.bytes());
    int ends[2];
    REQUIRE((is_socket ? ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : ::pipe(ends)) == 0);
    Reader reader(ends[0], folder / "image");
    Backup backup = region.backup(ends[1]);
    CHECK((::fcntl(ends[1], F_GETFL) & O_NONBLOCK) == 0);
    ::close(ends[1]);  // the backup has its own
    for (std::size_t page = 0; page < 1200; page += 2) support::store(region, page, 3, 11);
    const BackupReport report = backup.wait();
    reader.wait();
    ::close(ends[0]);
    CHECK(std::filesystem::file_size(folder / "image") == report.bytes_written);
    Region loaded = Region::load(folder / "image");
    CHECK(support::difference(expected, loaded.bytes()) == "");
    CHECK(support::broken_invariant(loaded) == "");
  }
}

TEST_CASE("deltas follow a stream, and a stream cannot be mapped", "[api]") {
  const Folder folder;
  Region region = mixed_region(600);
  const int file = ::open((folder / "stream").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  region.backup(file).wait();
  ::close(file);
  Region loaded = Region::load(folder / "stream");
  const cow::Snapshot base = loaded.snapshot();
  support::store(loaded, 5, 200);
  loaded.snapshot().save_delta(base, folder / "delta");
  const Region again = Region::load({folder / "stream", folder / "delta"});
  CHECK(support::difference(support::plain_copy(loaded.bytes()), again.bytes()) == "");
  cow::LoadOptions mapped;
  mapped.mode = cow::LoadMode::mapped;
  CHECK_THROWS_AS(Region::load(folder / "stream", mapped), std::invalid_argument);
  CHECK(complaint_about(folder / "delta") != "");
}

TEST_CASE("a stream that was cut, added to or changed anywhere is refused", "[api]") {
  const Folder folder;
  Region region = Region::create(3 * support::page_bytes(), support::options());
  support::store(region, 0, 1);
  support::store(region, 2, 1);
  const int file = ::open((folder / "stream").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  region.backup(file).wait();
  ::close(file);
  const Bytes whole = support::read_file(folder / "stream");
  REQUIRE(complaint_about(folder / "stream") == "");
  for (std::size_t bytes = 0; bytes < whole.size(); bytes += bytes < 400 ? 1 : 97) {
    support::write_file(folder / "cut", std::span(whole).first(bytes));
    INFO(bytes);
    CHECK(complaint_about(folder / "cut") != "");
  }
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  support::write_file(folder / "longer", longer);
  CHECK(complaint_about(folder / "longer") != "");
  for (std::size_t at = 0; at < whole.size(); at += at < 400 ? 1 : 101) {
    Bytes changed = whole;
    changed[at] ^= std::byte{4};
    support::write_file(folder / "changed", changed);
    INFO(at);
    CHECK(complaint_about(folder / "changed") != "");
  }
}

TEST_CASE("a backup that its destination does not take fails in words", "[api]") {
  Region region = mixed_region(2000);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  BackupOptions options;
  SECTION("a pipe whose reader has gone") {
    ::close(std::exchange(ends[0], -1));
    int error = 0;
    try {
      error = error_of(region.backup(ends[1]));
    } catch (const std::system_error& refused) {
      error = refused.code().value();
    }
    CHECK(error == EPIPE);
  }
  SECTION("a reader that takes nothing") {
    options.longest_stall = std::chrono::milliseconds(60);
    CHECK(error_of(region.backup(ends[1], options)) == ETIMEDOUT);
  }
  SECTION("a reader that takes nothing, until it is cancelled") {
    Backup backup = region.backup(ends[1]);
    backup.cancel();
    CHECK(error_of(std::move(backup)) == ECANCELED);
  }
  SECTION("a full device") {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    REQUIRE(full >= 0);
    CHECK(error_of(region.backup(full)) == ENOSPC);
    ::close(full);
  }
  SECTION("a descriptor that is not open for writing") {
    CHECK_THROWS_AS(region.backup(ends[0]), std::system_error);
    CHECK_THROWS_AS(region.backup(-1), std::system_error);
  }
  for (std::size_t page = 0; page < 2000; ++page) support::store(region, page, 9);
  CHECK(support::broken_invariant(region) == "");
  for (const int end : ends) ::close(end);
}

TEST_CASE("a backup that would pass the limit on the size of a file fails in words", "[api]") {
  if (support::has_thread_sanitizer) {
    WARN("skipped: ThreadSanitizer starts no threads in a child");
    return;
  }
  const auto result = support::run_in_child([]() -> std::string {
    const Folder folder;
    Region region = mixed_region(2000);
    const int file = ::open((folder / "stream").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    region.backup(folder / "image").wait();  // the region's own file has grown to what it needs
    const rlimit limit{100'000, 100'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit";
    if (const int error = error_of(region.backup(file)); error != EFBIG)
      return "a stream failed with " + std::to_string(error);
    try {
      static_cast<void>(region.backup(folder / "image"));
      return "a file that is too long was begun";
    } catch (const std::system_error& error) {
      if (error.code().value() != EFBIG) return error.what();
    }
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a child that is forked during a backup has none, and its parent's goes on",
          "[api][handler]") {
  if (support::has_thread_sanitizer || support::is_emulated()) {
    WARN("skipped: ThreadSanitizer and the emulator start no threads in a child");
    return;
  }
  const Folder folder;
  Region region = mixed_region(1200);
  const Bytes expected = support::plain_copy(region.bytes());
  support::Gate gate;
  BackupOptions options;
  options.most_extra_bytes = region.estimate_backup().least_extra_bytes;
  options.progress = gate.progress(1);
  Backup backup = region.backup(folder / "image", options);
  gate.wait_until_held();
  const auto result = support::run_in_child([&]() -> std::string {
    for (std::size_t page = 0; page < 1200; ++page) support::store(region, page, 5);
    if (!backup.done()) return "done() says that wait() would wait";
    int error = 0;
    try {
      backup.wait();
    } catch (const std::system_error& thrown) {
      error = thrown.code().value();
    }
    if (error != ESRCH) return "wait() gave " + std::to_string(error);
    region.backup(folder / "of_child").wait();
    { const Backup ended = std::move(backup); }
    const Bytes now = support::plain_copy(region.bytes());
    const Region loaded = Region::load(folder / "of_child");
    return support::difference(now, loaded.bytes()) + support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  gate.open();
  backup.wait();
  const Region loaded = Region::load(folder / "image");
  CHECK(support::difference(expected, loaded.bytes()) == "");
}
