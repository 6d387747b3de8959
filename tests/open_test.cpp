// Region::open: a region whose bytes are those of a file, which is read when touched and never
// written.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;

std::string refusal(const std::filesystem::path& path) {
  return support::words_of<std::system_error>([&] { (void)Region::open(path); });
}

}  // namespace

TEST_CASE("an opened region shows the file's bytes, and zeros behind its end", "[api]") {
  const Folder folder;
  const std::size_t page = support::page_bytes();
  for (const std::size_t size :
       {std::size_t{1}, page - 1, page, page + 1, 3 * page, 700 * page + 123}) {
    const Bytes content = support::filled_bytes(size, size);
    support::write_file(folder / "file", content);
    Region region = Region::open(folder / "file", support::options());
    CAPTURE(size);
    CHECK(region.size() == size);
    CHECK(support::difference(content, region.bytes()) == "");
    const std::size_t whole = (size + page - 1) / page * page;
    CHECK(support::all_zero({region.data() + size, whole - size}));
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("stores to an opened region never reach the file", "[api]") {
  const Folder folder;
  const std::size_t page = support::page_bytes();
  const Bytes content = support::filled_bytes(600 * page + 77, 3);
  support::write_file(folder / "file", content);
  Region region = Region::open(folder / "file", support::options());
  Bytes expected = content;
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{5}, 40 * page + 3, 511 * page, 512 * page, 600 * page + 76}) {
    region.bytes()[at] = expected[at] = std::byte{0xa5};
  }
  CHECK(support::difference(expected, region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
  for (std::byte& byte : region.bytes()) byte = std::byte{1};
  CHECK(support::read_file(folder / "file") == content);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("opening a file reads none of its whole pages", "[api]") {
  const Folder folder;
  const std::size_t size = 64 * support::page_bytes();
  support::write_file(folder / "file", support::filled_bytes(size, 1));
  const int file = ::open((folder / "file").c_str(), O_RDONLY | O_CLOEXEC);
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  void* const seen = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  REQUIRE(seen != MAP_FAILED);
  const auto in_memory = [&] {
    std::vector<unsigned char> pages(size / static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
    ::mincore(seen, size, pages.data());
    return std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; });
  };
  if (in_memory() != 0) {
    WARN("skipped because this file system keeps every page of a file in memory");
  } else {
    Region region = Region::open(folder / "file", support::options());
    CHECK(in_memory() == 0);
    CHECK(support::shows(region.bytes(), 1));
    CHECK(in_memory() != 0);
  }
  ::munmap(seen, size);
  ::close(file);
}

TEST_CASE("one store to an opened region copies one page", "[api][handler]") {
  const Folder folder;
  support::write_file(folder / "file", support::filled_bytes(2000 * support::page_bytes(), 9));
  Region region = Region::open(folder / "file", support::single_page_options());
  CHECK(region.stats().pages_shared == 2000);
  CHECK(region.stats().mappings == 1);
  support::store(region, 1234, 1);
  CHECK(region.stats().faults == 1);
  CHECK(region.stats().pages_copied == 1);
  CHECK(region.stats().pages_private == 1);
  CHECK(region.stats().mappings == 3);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("control calls work on an opened region as on any", "[api]") {
  const Folder folder;
  const std::size_t page = support::page_bytes();
  const Bytes content = support::filled_bytes(1100 * page + 5, 4);
  support::write_file(folder / "file", content);
  Region region = Region::open(folder / "file", support::single_page_options());
  const Snapshot opened = region.snapshot();
  CHECK(cow::diff(opened, opened).empty());
  for (const std::size_t stored : {3u, 4u, 700u, 1100u}) support::flip(region, stored);
  const Bytes stored_bytes = support::plain_copy(region.bytes());
  const Snapshot stored = region.snapshot();
  CHECK(cow::diff(opened, stored) == std::vector<cow::PageRange>{{3, 2}, {700, 1}, {1100, 1}});

  Region lazy = region.clone();
  Region eager = region.clone(cow::CloneMode::eager);
  Region past = Region::from_snapshot(opened);
  for (Region* copy : {&lazy, &eager, &past}) {
    support::flip(*copy, 9);
    support::flip(*copy, 1099);
    CHECK(support::broken_invariant(*copy) == "");
  }
  CHECK(support::difference(stored_bytes, region.bytes()) == "");
  CHECK(support::difference(stored_bytes, stored.bytes()) == "");
  CHECK(support::difference(content, opened.bytes()) == "");

  for (std::size_t i = 0; i < 1100; i += 7) support::flip(region, i);
  region.restore(opened);
  CHECK(support::difference(content, region.bytes()) == "");
  region.restore(stored);
  CHECK(support::difference(stored_bytes, region.bytes()) == "");
  past.restore(stored);
  CHECK(support::difference(stored_bytes, past.bytes()) == "");
  for (const Region* any : {&region, &lazy, &eager, &past}) {
    CHECK(support::broken_invariant(*any) == "");
  }
  CHECK(support::read_file(folder / "file") == content);
}

TEST_CASE("an eager clone of an opened region does not need the file", "[api]") {
  const Folder folder;
  const Bytes content = support::filled_bytes(520 * support::page_bytes(), 5);
  support::write_file(folder / "file", content);
  Region copy = [&] {
    Region region = Region::open(folder / "file", support::options());
    return region.clone(cow::CloneMode::eager);
  }();
  const int file = ::open((folder / "file").c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(::pwrite(file, "changed", 7, 0) == 7);
  ::close(file);
  CHECK(support::difference(content, copy.bytes()) == "");
  CHECK(support::broken_invariant(copy) == "");
}

TEST_CASE("a lease on an opened region is filled by the kernel and does not reach the file",
          "[api]") {
  const Folder folder;
  const Bytes content = support::filled_bytes(30 * support::page_bytes(), 6);
  support::write_file(folder / "file", content);
  Region region = Region::open(folder / "file", support::options());
  const Snapshot before = region.snapshot();
  {
    const cow::WriteLease lease = region.write_lease(100, 9 * support::page_bytes());
    const int zeros = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
    REQUIRE(::read(zeros, lease.data(), lease.size()) == static_cast<ssize_t>(lease.size()));
    ::close(zeros);
    CHECK(support::all_zero(lease.bytes()));
  }
  CHECK(support::difference(content, before.bytes()) == "");
  CHECK(support::read_file(folder / "file") == content);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a child made by fork keeps an opened region, apart from its parent's", "[api]") {
  const Folder folder;
  const Bytes content = support::filled_bytes(600 * support::page_bytes(), 7);
  support::write_file(folder / "file", content);
  Region region = Region::open(folder / "file", support::options());
  support::flip(region, 1);
  const Bytes at_fork = support::plain_copy(region.bytes());
  const support::ChildResult child = support::run_in_child([&]() -> std::string {
    std::string wrong = support::difference(at_fork, region.bytes());
    if (!wrong.empty()) return wrong;
    const Snapshot before = region.snapshot();
    for (const std::size_t page : {0u, 1u, 300u, 599u}) support::flip(region, page);
    if (cow::diff(before, region.snapshot()).empty()) return "no difference";
    region.restore(before);
    wrong = support::difference(at_fork, region.bytes());
    return wrong.empty() ? support::broken_invariant(region) : wrong;
  });
  CHECK(child.exited());
  CHECK(child.complaint == "");
  support::flip(region, 2);
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::read_file(folder / "file") == content);
}

TEST_CASE("what replaces an opened file does not change the region, but what is written to it may",
          "[api]") {
  const Folder folder;
  const Bytes content = support::filled_bytes(20 * support::page_bytes(), 8);
  support::write_file(folder / "file", content);
  Region region = Region::open(folder / "file", support::options());
  support::write_file(folder / "other", support::filled_bytes(7, 1));
  std::filesystem::rename(folder / "other", folder / "file");
  CHECK(support::difference(content, region.bytes()) == "");

  support::write_file(folder / "file", content);
  Region second = Region::open(folder / "file", support::options());
  support::flip(second, 3);
  const Bytes as_stored = support::plain_copy(second.bytes());
  const int file = ::open((folder / "file").c_str(), O_WRONLY | O_CLOEXEC);
  const auto at = static_cast<off_t>(3 * support::page_bytes() + 9);
  REQUIRE(::pwrite(file, "changed", 7, at) == 7);  // a page of which there is a copy
  ::close(file);
  CHECK(support::difference(as_stored, second.bytes()) == "");
}

TEST_CASE("a page that was cut off an opened file is SIGBUS when touched, as with any mapped file",
          "[api]") {
  if (support::has_sanitizer) {
    WARN("skipped because a sanitizer takes SIGBUS for itself");
    return;
  }
  const Folder folder;
  const std::size_t page = std::max<std::size_t>(support::page_bytes(), 65536);
  support::write_file(folder / "file", support::filled_bytes(20 * page, 8));
  Region region = Region::open(folder / "file", support::options());
  std::filesystem::resize_file(folder / "file", 2 * page);
  const support::ChildResult child = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    std::signal(SIGBUS, SIG_DFL);
    const volatile std::byte* const bytes = region.data();
    if (bytes[page] != std::as_const(region).bytes()[page]) return "two loads differ";
    return bytes[10 * page] == std::byte{0} ? "it shows zeros" : "it can still be read";
  });
  CHECK(child.died_of(SIGBUS));
}

TEST_CASE("files that cannot be opened as a region are refused in a sentence that names them",
          "[api]") {
  const Folder folder;
  (void)cow::process_stats();  // gives back what was kept for children that are gone
  const std::size_t descriptors = support::open_descriptors();
  CHECK(refusal(folder / "missing").find("missing") != std::string::npos);
  support::write_file(folder / "empty", {});
  CHECK(refusal(folder / "empty").find("empty' is empty") != std::string::npos);
  CHECK(refusal(folder.path()).find("is a folder") != std::string::npos);
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(refusal(folder / "fifo").find("is a pipe") != std::string::npos);
  CHECK(refusal("/dev/null").find("is a device") != std::string::npos);
  if (!support::is_emulated()) {  // qemu makes a real file of it
    CHECK(refusal("/proc/self/maps").find("is empty") != std::string::npos);
  }
  CHECK(refusal("").find("could not be opened") != std::string::npos);
  support::write_file(folder / "huge", {});
  std::error_code too_large;
  std::filesystem::resize_file(folder / "huge", (std::uintmax_t{1} << 47) + 1, too_large);
  if (!too_large) {
    CHECK(refusal(folder / "huge").find("more bytes than a process can address") !=
          std::string::npos);
  }
  if (::geteuid() != 0) {
    support::write_file(folder / "secret", support::filled_bytes(10, 1));
    ::chmod((folder / "secret").c_str(), 0);
    CHECK(refusal(folder / "secret").find("secret") != std::string::npos);
  }
  CHECK(support::open_descriptors() == descriptors);
}

TEST_CASE("an opened region with reserved frames stores without asking for more", "[api]") {
  const Folder folder;
  const Bytes content = support::filled_bytes(600 * support::page_bytes() + 1, 2);
  support::write_file(folder / "file", content);
  cow::RegionOptions options = support::options();
  options.reserve_frames = true;
  Region region = Region::open(folder / "file", options);
  const Snapshot before = region.snapshot();
  for (std::size_t page = 0; page <= 600; ++page) support::flip(region, page);
  CHECK(support::difference(content, before.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
}
