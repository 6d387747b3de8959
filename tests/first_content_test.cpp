// What a region begins with when it is neither zeros nor a named file: an open descriptor, a
// buffer.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;

/// Closes it at the end, if nobody did before.
class Open {
 public:
  explicit Open(int number) : number_(number) { REQUIRE(number_ >= 0); }
  ~Open() { close(); }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

int memfd_with(const Bytes& content) {
  const int file = ::memfd_create("first content", MFD_CLOEXEC);
  if (file >= 0 &&
      ::write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    ::close(file);
    return -1;
  }
  return file;
}

int refused_with(int descriptor, std::string& words) {
  try {
    (void)Region::open(descriptor);
  } catch (const std::system_error& error) {
    words = error.what();
    return error.code().value();
  }
  return 0;
}

}  // namespace

TEST_CASE("a region opened from a descriptor shows the file's bytes, and never writes it",
          "[api]") {
  const Folder folder;
  const std::size_t page = support::page_bytes();
  for (const std::size_t size : {std::size_t{1}, page, page + 1, 700 * page + 123}) {
    CAPTURE(size);
    const Bytes content = support::filled_bytes(size, size);
    support::write_file(folder / "file", content);
    const Open file(::open((folder / "file").c_str(), O_RDONLY | O_CLOEXEC));
    Region region = Region::open(file.number(), support::options());
    CHECK(region.size() == size);
    CHECK(support::difference(content, region.bytes()) == "");
    support::fill(region.bytes(), 99);
    CHECK(support::read_file(folder / "file") == content);
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("a region opened from a descriptor moves no position and outlives the descriptor",
          "[api]") {
  const std::size_t page = support::page_bytes();
  const Bytes content = support::filled_bytes(40 * page + 5, 1);
  const std::size_t descriptors = support::open_descriptors();
  {
    Open file(memfd_with(content));
    REQUIRE(::lseek(file.number(), 77, SEEK_SET) == 77);
    Region region = Region::open(file.number(), support::options());
    const Snapshot before = region.snapshot();
    support::store(region, 3, 1);
    (void)region.clone(cow::CloneMode::eager);  // looks for holes of the file
    CHECK(cow::diff(before, region.snapshot()) == std::vector<cow::PageRange>{{3, 1}});
    CHECK(::lseek(file.number(), 0, SEEK_CUR) == 77);
    file.close();
    Bytes expected = content;
    expected[3 * page] = std::byte{1};
    CHECK(support::difference(expected, region.bytes()) == "");
    CHECK(support::difference(content, before.bytes()) == "");
  }
  CHECK(support::open_descriptors() == descriptors);
}

TEST_CASE("an unlinked file and a sealed memfd are opened by their descriptors", "[api]") {
  const Folder folder;
  const Bytes content = support::filled_bytes(5 * support::page_bytes(), 1);
  support::write_file(folder / "file", content);
  const Open unlinked(::open((folder / "file").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::unlink((folder / "file").c_str()) == 0);
  const Open memfd(::memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::write(memfd.number(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  REQUIRE(::fcntl(memfd.number(), F_ADD_SEALS,
                  F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
  for (const int file : {unlinked.number(), memfd.number()}) {
    Region region = Region::open(file, support::options());
    CHECK(support::difference(content, region.bytes()) == "");
    support::fill(region.bytes(), 2);
    CHECK(support::shows(region.clone().bytes(), 2));
  }
}

TEST_CASE("a descriptor that is no file to read is refused by its number", "[api]") {
  const Folder folder;
  support::write_file(folder / "file", support::filled_bytes(10, 1));
  support::write_file(folder / "empty", {});
  int pipe_ends[2];
  REQUIRE(::pipe2(pipe_ends, O_CLOEXEC) == 0);
  const Open reader(pipe_ends[0]);
  const Open writer(pipe_ends[1]);
  const Open write_only(::open((folder / "file").c_str(), O_WRONLY | O_CLOEXEC));
  const Open only_a_path(::open((folder / "file").c_str(), O_PATH | O_CLOEXEC));
  const Open empty(::open((folder / "empty").c_str(), O_RDONLY | O_CLOEXEC));
  const Open a_folder(::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC));
  const Open device(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::size_t descriptors = support::open_descriptors();
  const struct {
    int descriptor;
    int error;
  } refused[] = {
      {-1, EBADF},
      {1'000'000, EBADF},
      {reader.number(), ENOTSUP},
      {write_only.number(), EACCES},
      {only_a_path.number(), EBADF},
      {empty.number(), ENODATA},
      {a_folder.number(), EISDIR},
      {device.number(), ENOTSUP},
  };
  for (const auto& each : refused) {
    std::string words;
    CAPTURE(each.descriptor, words);
    CHECK(refused_with(each.descriptor, words) == each.error);
    CHECK(words.find("descriptor " + std::to_string(each.descriptor)) != std::string::npos);
    CHECK(support::is_sentence(words));
  }
  CHECK(support::open_descriptors() == descriptors);
}

TEST_CASE("a region from bytes has them without a fault", "[api]") {
  const std::size_t page = support::page_bytes();
  for (const std::size_t size :
       {std::size_t{1}, page - 1, page, page + 1, 700 * page + 123, 3000 * page}) {
    CAPTURE(size);
    const Bytes content = support::filled_bytes(size, size);
    const std::uint64_t faults = cow::process_stats().faults;
    Region region = Region::from_bytes(content, support::options());
    CHECK(cow::process_stats().faults == faults);
    CHECK(region.size() == size);
    CHECK(support::difference(content, region.bytes()) == "");
    const std::size_t whole = (size + page - 1) / page * page;
    CHECK(support::all_zero({region.data() + size, whole - size}));
    CHECK(support::broken_invariant(region) == "");
    const Snapshot snapshot = region.snapshot();
    support::fill(region.bytes(), 7);
    CHECK(support::difference(content, snapshot.bytes()) == "");
  }
}

TEST_CASE("the bytes of a region are copied to one of another family", "[api]") {
  Region source = Region::create(600 * support::page_bytes(), support::options());
  support::fill(source.bytes(), 1);
  cow::RegionOptions reserving = support::options();
  reserving.reserve_frames = true;
  if (support::kernel_copies()) reserving.reserve_frames = false;
  Region copy =
      Region::from_bytes(source.bytes().subspan(0, 20 * support::page_bytes()), reserving);
  support::fill(source.bytes(), 2);
  const Snapshot past = copy.snapshot();
  Bytes expected(600 * support::page_bytes());
  support::fill(expected, 1);
  expected.resize(copy.size());
  CHECK(support::difference(expected, past.bytes()) == "");
  CHECK_THROWS_AS(copy.restore(source.snapshot()), std::invalid_argument);
}

TEST_CASE("no bytes, and bytes that cannot be read, make no region", "[api]") {
  const cow::ProcessStats before = cow::process_stats();
  const std::string words =
      support::words_of<std::invalid_argument>([] { (void)Region::from_bytes({}); });
  CHECK(words.find("Region::from_bytes") != std::string::npos);
  const auto host_page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t length = 16 * support::page_bytes() + host_page;
  void* const nowhere = ::mmap(nullptr, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(nowhere != MAP_FAILED);
  const std::span<const std::byte> unreadable(static_cast<const std::byte*>(nowhere),
                                              16 * support::page_bytes());
  CHECK_THROWS_AS(Region::from_bytes(unreadable, support::options()), std::system_error);
  ::munmap(nowhere, length);
  CHECK(cow::process_stats().families == before.families);
  CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
}

TEST_CASE("bytes of which any part cannot be read are refused alike, whole pages or the last few",
          "[api]") {
  const auto host_page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t pages = 4 * support::page_bytes() / host_page;
  void* const mapped = ::mmap(nullptr, (pages + 1) * host_page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  const auto* const begin = static_cast<const std::byte*>(mapped);
  REQUIRE(::mprotect(static_cast<std::byte*>(mapped) + pages * host_page, host_page, PROT_NONE) ==
          0);
  const cow::ProcessStats before = cow::process_stats();
  for (const bool reserve : {false, true}) {
    cow::RegionOptions options = support::options();
    options.reserve_frames = reserve && !support::kernel_copies();
    for (const std::size_t more : {std::size_t{1}, std::size_t{100}, host_page}) {
      const std::span<const std::byte> unreadable(begin, pages * host_page + more);
      int error = 0;
      std::string words;
      try {
        (void)Region::from_bytes(unreadable, options);
      } catch (const std::system_error& refusal) {
        error = refusal.code().value();
        words = refusal.what();
      }
      CAPTURE(reserve, more, words);
      CHECK(error == EFAULT);
      CHECK(support::is_sentence(words));
      CHECK(words.find("cannot be read") != std::string::npos);
      CHECK(words.find("shorter") == std::string::npos);
    }
    // Up to the last byte that can be read all is well.
    CHECK(Region::from_bytes({begin + 5, pages * host_page - 5}, options).bytes().back() ==
          std::byte{0});
  }
  ::munmap(mapped, (pages + 1) * host_page);
  CHECK(cow::process_stats().families == before.families);
  CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
}

TEST_CASE("a descriptor of a device is refused without the device being opened again", "[api]") {
  const Open device(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const support::ChildResult result = support::run_in_child([&]() -> std::string {
    // Whoever opens anything now is told that there are too many.
    const int next = ::dup(device.number());
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), static_cast<rlim_t>(next)};
    if (next < 0 || ::setrlimit(RLIMIT_NOFILE, &none) != 0) return "no limit can be set";
    if (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) return "files can still be opened";
    std::string words;
    return refused_with(device.number(), words) == ENOTSUP ? "" : "refused otherwise: " + words;
  });
  CHECK(result.complaint == "");
}
