// Leases and memory that is pinned: io_uring's registered buffers, O_DIRECT and vmsplice write to
// and read from frames, whatever the page tables say meanwhile.

#include "catch.hpp"
#include "folder.hpp"
#include "io_ring.hpp"
#include "kernel_call.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;
using cow::WriteLease;
using support::Descriptor;
using support::IoRing;

namespace {

constexpr std::size_t pages = 6;

Region filled(std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), pattern);
  return region;
}

/// A file with `pattern` in `bytes` bytes; fill() it again for other ones.
class Source {
 public:
  explicit Source(std::size_t bytes)
      : file_(::memfd_create("source", MFD_CLOEXEC)), bytes_(bytes) {}
  void fill(std::uint64_t pattern) {
    support::fill(bytes_, pattern);
    REQUIRE(::pwrite(file_, bytes_.data(), bytes_.size(), 0) ==
            static_cast<ssize_t>(bytes_.size()));
  }
  operator int() const { return file_; }

 private:
  Descriptor file_;
  std::vector<std::byte> bytes_;
};

/// False, and says so, where a ring cannot be had or the region's pages cannot be pinned.
bool pinned(const IoRing& ring, std::span<std::byte> bytes) {
  if (!ring.works()) {
    WARN("skipped: no io_uring here");
    return false;
  }
  if (!ring.pin(bytes)) {
    WARN("skipped: io_uring cannot register buffers here, errno " << errno);
    return false;
  }
  return true;
}

/// Reads pattern `pattern` into `target`, which is pinned. False if it did not arrive.
bool reads_fixed(const IoRing& ring, Source& source, std::uint64_t pattern,
                 std::span<std::byte> target) {
  source.fill(pattern);
  ring.start_fixed_read(source, 0, target);
  return ring.finish() == static_cast<long>(target.size()) && support::shows(target, pattern);
}

struct Pipe {
  Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int ends[2] = {-1, -1};
};

}  // namespace

TEST_CASE("READ_FIXED into a lease that was registered before a snapshot leaves it unchanged",
          "[mm]") {
  const std::size_t page = GENERATE(std::size_t{0}, pages / 2, pages - 1);
  CAPTURE(page);
  Region region = filled(1);
  const Snapshot before = region.snapshot();
  const std::size_t bytes = support::page_bytes();
  std::optional<WriteLease> lease = region.write_lease(page * bytes, bytes);
  const IoRing ring;
  if (!pinned(ring, lease->bytes())) return;
  Source source(bytes);
  std::vector<Snapshot> history;
  for (std::uint64_t pattern = 2; pattern < 8; ++pattern) {
    history.push_back(region.snapshot());
    REQUIRE(reads_fixed(ring, source, pattern, lease->bytes()));
    if (pattern % 2 == 0) static_cast<void>(history.back().bytes());  // mapped, or not
  }
  CHECK(support::broken_invariant(region) == "");
  CHECK(ring.unpin());
  lease.reset();
  CHECK(support::shows(before.bytes(), 1));
  CHECK(support::shows(history[0].bytes(), 1));
  for (std::size_t i = 1; i < history.size(); ++i) {
    CHECK(support::shows(history[i].bytes().subspan(page * bytes, bytes), i + 1));
  }
  support::fill(region.bytes(), 9);
  CHECK(support::shows(history[5].bytes().subspan(page * bytes, bytes), 6));
  CHECK(support::shows(region.bytes(), 9));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("what a device wrote under a lease is in the snapshot after it, and a restore undoes it",
          "[mm]") {
  Region region = filled(1);
  const std::size_t bytes = support::page_bytes();
  const IoRing ring;
  Source source(bytes);
  for (const bool while_leased : {true, false}) {
    support::fill(region.bytes(), 1);
    std::optional<WriteLease> lease = region.write_lease(3 * bytes, bytes);
    if (!pinned(ring, lease->bytes())) return;
    const Snapshot before = region.snapshot();
    REQUIRE(reads_fixed(ring, source, 2, lease->bytes()));
    CHECK(ring.unpin());
    if (while_leased) {
      region.restore(before);
      CHECK(support::shows(region.bytes(), 1));
      continue;
    }
    lease.reset();
    const Snapshot after = region.snapshot();
    CHECK(support::shows(after.bytes().subspan(3 * bytes, bytes), 2));
    CHECK(support::shows(before.bytes(), 1));
    region.restore(before);
    CHECK(support::shows(region.bytes(), 1));
  }
}

TEST_CASE("what is pinned under a lease stays what the region shows, whatever is done to it",
          "[mm]") {
  Region region = filled(1);
  const Snapshot start = region.snapshot();
  const std::size_t bytes = support::page_bytes();
  const WriteLease lease = region.write_lease(bytes, 3 * bytes);
  const IoRing ring;
  if (!pinned(ring, lease.bytes())) return;
  Source source(3 * bytes);
  const auto still_pinned = [&](std::uint64_t pattern) {
    return reads_fixed(ring, source, pattern, lease.bytes());
  };
  const Snapshot taken = region.snapshot();
  CHECK(still_pinned(2));
  Region lazy = region.clone();
  CHECK(still_pinned(3));
  Region eager = region.clone(cow::CloneMode::eager);
  CHECK(still_pinned(4));
  region.restore(start);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(still_pinned(5));
  const WriteLease whole = region.write_lease(0, region.size());
  CHECK(still_pinned(6));
  { const WriteLease overlapping = region.write_lease(2 * bytes, bytes); }
  const auto child = support::run_in_child([] { return std::string(); });
  CHECK(child.exited());
  CHECK(still_pinned(7));
  const Region moved = std::move(region);
  CHECK(still_pinned(8));
  CHECK(support::broken_invariant(moved) == "");

  CHECK(support::shows(start.bytes(), 1));
  CHECK(support::shows(taken.bytes(), 1));
  CHECK(support::shows(lazy.bytes().subspan(bytes, 3 * bytes), 2));
  CHECK(support::shows(eager.bytes().subspan(bytes, 3 * bytes), 3));
  CHECK(ring.unpin());
}

TEST_CASE("zero pages that are restored under a lease keep the frames that are pinned", "[mm]") {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  const Snapshot zeros = region.snapshot();
  const WriteLease lease = region.write_lease(0, region.size());
  const IoRing ring;
  if (!pinned(ring, lease.bytes())) return;
  Source source(region.size());
  CHECK(reads_fixed(ring, source, 2, lease.bytes()));
  region.restore(zeros);
  CHECK(support::all_zero(region.bytes()));
  CHECK(support::broken_invariant(region) == "");
  CHECK(reads_fixed(ring, source, 3, lease.bytes()));
  CHECK(support::all_zero(zeros.bytes()));
  CHECK(ring.unpin());
}

TEST_CASE("a read that is under way during a snapshot ends in the region", "[mm]") {
  const bool fixed = GENERATE(false, true);
  CAPTURE(fixed);
  Region region = filled(1);
  const Snapshot before = region.snapshot();
  const std::size_t bytes = 64;
  std::optional<WriteLease> lease = region.write_lease(0, region.size());
  const IoRing ring;
  if (!pinned(ring, lease->bytes())) return;
  const Pipe pipe;
  std::byte* const target = lease->data() + 2 * support::page_bytes() - bytes / 2;
  const std::span<std::byte> place(target, bytes);
  if (fixed) ring.start_fixed_read(pipe.ends[0], 0, place);
  if (!fixed) ring.start_read(pipe.ends[0], 0, place);
  const Snapshot meanwhile = region.snapshot();
  const Region clone = region.clone();
  std::vector<std::byte> message(bytes);
  support::fill(message, 5);
  REQUIRE(::write(pipe.ends[1], message.data(), bytes) == static_cast<ssize_t>(bytes));
  CHECK(ring.finish() == static_cast<long>(bytes));
  CHECK(support::shows(place, 5));
  CHECK(support::shows(before.bytes(), 1));
  CHECK(support::shows(meanwhile.bytes(), 1));
  CHECK(support::shows(clone.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
  CHECK(ring.unpin());
}

TEST_CASE("a read that is under way ends in the lease when the region is gone", "[mm]") {
  const std::size_t regions = cow::process_stats().regions;
  std::optional<Region> region = filled(1);
  const Snapshot before = region->snapshot();
  std::optional<WriteLease> lease = region->write_lease(0, region->size());
  {
    const IoRing ring;
    if (!pinned(ring, lease->bytes())) return;
    const Pipe pipe;
    ring.start_fixed_read(pipe.ends[0], 0, lease->bytes().first(64));
    region.reset();
    std::vector<std::byte> message(64);
    support::fill(message, 5);
    REQUIRE(::write(pipe.ends[1], message.data(), 64) == 64);
    CHECK(ring.finish() == 64);
    CHECK(support::shows(lease->bytes().first(64), 5));
  }
  CHECK(cow::process_stats().regions == regions + 1);
  lease.reset();
  CHECK(cow::process_stats().regions == regions);
  CHECK(support::shows(before.bytes(), 1));
}

namespace {

/// A file on a real disk, opened for O_DIRECT; -1 where the file system has no such thing.
Descriptor direct_file(std::span<const std::byte> contents) {
  const support::Folder folder;
  const std::filesystem::path path = folder / "direct";
  support::write_file(path, contents);
  return Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
}

}  // namespace

TEST_CASE("O_DIRECT reads into leased pages", "[mm]") {
  const std::size_t page = GENERATE(std::size_t{0}, pages / 2, pages - 1);
  CAPTURE(page);
  const std::size_t bytes = support::page_bytes();
  std::vector<std::byte> contents(bytes);
  support::fill(contents, 7);
  const Descriptor file = direct_file(contents);
  if (file < 0) {
    WARN("skipped: no O_DIRECT in the folder for temporary files");
    return;
  }
  Region region = filled(1);
  const Snapshot before = region.snapshot();
  const ssize_t whole = static_cast<ssize_t>(bytes);
  {
    const WriteLease lease = region.write_lease(page * bytes, bytes);
    const ssize_t first = ::pread(file, lease.data(), bytes, 0);
    if (first < 0 && errno == EINVAL) {
      WARN("skipped: O_DIRECT refuses this alignment here");
      return;
    }
    CHECK(first == whole);
    CHECK(support::shows(lease.bytes(), 7));
    support::fill(lease.bytes(), 2);
    const Snapshot meanwhile = region.snapshot();
    CHECK(::pread(file, lease.data(), bytes, 0) == whole);
    CHECK(support::shows(lease.bytes(), 7));
    CHECK(support::shows(meanwhile.bytes().subspan(page * bytes, bytes), 2));
  }
  const Snapshot behind = region.snapshot();
  support::fill(region.bytes(), 3);
  CHECK(support::shows(behind.bytes().subspan(page * bytes, bytes), 7));
  CHECK(support::shows(before.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("pages that were spliced into a pipe under a lease are the region's own", "[mm]") {
  Region region = filled(1);
  const std::size_t bytes = support::page_bytes();
  const WriteLease lease = region.write_lease(bytes, 2 * bytes);
  const Pipe pipe;
  // A pipe holds few pieces: one host page of each of the two.
  const auto host_page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const iovec pieces[] = {{lease.data(), host_page}, {lease.data() + bytes, host_page}};
  const ssize_t spliced = ::vmsplice(pipe.ends[1], pieces, 2, 0);
  if (spliced < 0) {
    WARN("skipped: no vmsplice here, errno " << errno);
    return;
  }
  REQUIRE(spliced == static_cast<ssize_t>(2 * host_page));
  const Snapshot snapshot = region.snapshot();
  support::fill(lease.bytes(), 2);
  std::vector<std::byte> expected = support::plain_copy(lease.bytes().first(host_page));
  const auto second = lease.bytes().subspan(bytes, host_page);
  expected.insert(expected.end(), second.begin(), second.end());
  std::vector<std::byte> seen(2 * host_page);
  REQUIRE(::read(pipe.ends[0], seen.data(), seen.size()) == spliced);
  // As with ordinary memory, the reader sees a store that came after the splice.
  CHECK(support::difference(expected, seen) == "");
  CHECK(support::shows(snapshot.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}
