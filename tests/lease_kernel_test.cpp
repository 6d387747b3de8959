// Leases and the kernel as a writer: system calls that fill memory of a region.

#include "catch.hpp"
#include "kernel_call.hpp"
#include "kernel_writers.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;
using cow::WriteLease;
using support::Descriptor;
using support::KernelWrite;
using support::KernelWriter;

namespace {

constexpr std::size_t pages = 5;

/// A region whose last page is not a whole one.
Region filled(std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes() - 8, support::options());
  support::fill(region.bytes(), pattern);
  return region;
}

struct Place {
  const char* name;
  std::size_t offset;
};

/// Where `bytes` bytes go: the first, a middle and the last page, and two pages at once.
std::vector<Place> places_for(std::size_t bytes) {
  const std::size_t page = support::page_bytes();
  std::vector<Place> places = {{"the first page", 0},
                               {"a middle page", 2 * page + 64},
                               {"the last page", (pages * page - 8 - bytes) / 8 * 8}};
  if (bytes > 1) {
    const std::size_t alignment = bytes > 8 ? 8 : bytes / 2;
    places.push_back({"two pages", 3 * page - bytes / 2 / alignment * alignment});
  }
  return places;
}

/// Calls `use(writer, place)` for every system call and every place; in words, what all of them
/// found.
template <class Use>
std::string for_each_case(const Use& use) {
  std::string complaints;
  for (const KernelWriter& writer : support::kernel_writers()) {
    for (const Place& place : places_for(writer.bytes)) {
      const std::string complaint = use(writer, place);
      if (!complaint.empty()) {
        complaints += std::string(writer.name) + ", " + place.name + ": " + complaint + "\n";
      }
    }
  }
  return complaints;
}

/// Puts a name into a list of them, once.
void note(std::string& names, const char* name) {
  const std::string words = std::string(", ") + name;
  if (names.find(words) == std::string::npos) names += words;
}

/// Whether the call fails with EFAULT on ordinary memory that is read-only. An emulator may not
/// check.
bool minds_protection(const KernelWriter& writer) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory = ::mmap(nullptr, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  const KernelWrite written = writer.write(static_cast<std::byte*>(memory));
  ::munmap(memory, page);
  return written.error == EFAULT;
}

/// Writes twice, with a snapshot before, between and behind. Empty if all went well.
class LeasedWrites {
 public:
  LeasedWrites(const KernelWriter& writer, const Place& place)
      : writer_(writer), offset_(place.offset), region_(filled(1)) {}

  /// False where there is no such call.
  [[nodiscard]] bool available() const { return !unavailable_; }

  std::string run() {
    std::byte* const target = region_.data() + offset_;
    if (writer_.prepare != nullptr) writer_.prepare(target);
    const std::vector<std::byte> at_first = support::plain_copy(region_.bytes());
    const Snapshot past = region_.snapshot();
    {
      const WriteLease lease = region_.write_lease(offset_, writer_.bytes);
      write(lease, at_first);
      const std::vector<std::byte> between = support::plain_copy(region_.bytes());
      const Snapshot meanwhile = region_.snapshot();
      const std::uint64_t faults = region_.stats().faults;
      support::fill(lease.bytes(), 2);
      if (writer_.prepare != nullptr) writer_.prepare(target);
      write(lease, between);
      if (region_.stats().faults != faults) complain("a store to the leased pages faulted");
      expect_same(between, meanwhile.bytes(), "the snapshot taken during the lease");
      expect_same(at_first, past.bytes(), "the snapshot taken before");
    }
    check_after_lease();
    expect_same(at_first, past.bytes(), "the snapshot taken before, in the end,");
    return complaint_;
  }

 private:
  void complain(const std::string& what) {
    if (complaint_.empty()) complaint_ = what;
  }
  void expect_same(std::span<const std::byte> expected, std::span<const std::byte> seen,
                   const std::string& whose) {
    const std::string difference = support::difference(expected, seen);
    if (!difference.empty()) complain(whose + " changed: " + difference);
  }
  void expect_intact() {
    const std::string broken = support::broken_invariant(region_);
    if (!broken.empty()) complain(broken);
  }

  void write(const WriteLease& lease, const std::vector<std::byte>& before) {
    const std::size_t page = support::page_bytes();
    const std::size_t leased = (offset_ + writer_.bytes - 1) / page - offset_ / page + 1;
    if (region_.stats().pages_leased != leased) complain("stats() counts other leased pages");
    const KernelWrite written = writer_.write(lease.data());
    unavailable_ = unavailable_ || written.unavailable;
    if (unavailable_) return;
    if (written.error != 0) complain(std::string("failed: ") + std::strerror(written.error));
    complain(written.wrong);
    const auto now = std::as_const(region_).bytes();
    expect_same(std::span(before).first(offset_), now.first(offset_), "what lies before");
    expect_same(std::span(before).subspan(offset_ + writer_.bytes),
                now.subspan(offset_ + writer_.bytes), "what lies behind");
    expect_intact();
  }

  void check_after_lease() {
    if (region_.stats().pages_leased != 0) complain("pages stay leased");
    const std::vector<std::byte> in_the_end = support::plain_copy(region_.bytes());
    const Snapshot behind = region_.snapshot();
    if (region_.stats().pages_writable != 0) complain("pages stay writable");
    expect_intact();
    support::fill(region_.bytes(), 3);
    if (!support::shows(region_.bytes(), 3)) complain("stores are lost");
    expect_same(in_the_end, behind.bytes(), "the snapshot taken after the lease");
    expect_intact();
  }

  const KernelWriter& writer_;
  std::size_t offset_;
  Region region_;
  bool unavailable_ = false;
  std::string complaint_;
};

}  // namespace

TEST_CASE("without a lease the kernel refuses to write to a protected page", "[mm][handler]") {
  std::size_t shown = 0;
  std::string silent;
  const std::string complaints = for_each_case([&](const KernelWriter& writer, const Place& place) {
    if (!minds_protection(writer)) {
      note(silent, writer.name);
      return std::string();
    }
    Region region = filled(1);
    std::byte* const target = region.data() + place.offset;
    if (writer.prepare != nullptr) writer.prepare(target);
    const Snapshot snapshot = region.snapshot();
    const std::uint64_t faults = region.stats().faults;
    const std::vector<std::byte> before = support::plain_copy(region.bytes());
    const KernelWrite written = writer.write(target);
    if (written.error != EFAULT) return std::string("wrote to a page that is protected");
    if (region.stats().faults != faults) return std::string("the handler was asked");
    ++shown;
    const std::string changed = support::difference(before, region.bytes());
    return changed.empty() ? support::difference(before, snapshot.bytes()) : changed;
  });
  CHECK(complaints == "");
  if (!silent.empty()) WARN("skipped, as this kernel or emulator does not refuse them" << silent);
  if (shown == 0) return;
  CHECK(shown >= 20);
}

TEST_CASE(
    "without a lease a read into pages of which some are protected ends short, without an error",
    "[mm][handler]") {
  const Descriptor file(::memfd_create("source", MFD_CLOEXEC));
  Region region = Region::create(8 * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 1);
  const auto size = static_cast<ssize_t>(region.size());
  REQUIRE(::pwrite(file, region.data(), region.size(), 0) == size);
  const Snapshot snapshot = region.snapshot();
  for (std::size_t page = 0; page < 3; ++page) support::store(region, page, 0xee);
  const ssize_t count = ::pread(file, region.data(), region.size(), 0);
  if (support::is_emulated() && count < 0) {
    WARN("skipped: the emulator refuses the whole call");
    return;
  }
  CHECK(count > 0);
  CHECK(count <= static_cast<ssize_t>(3 * support::page_bytes()));
  const WriteLease lease = cow::write_lease(region.data(), region.size());
  CHECK(::pread(file, region.data(), region.size(), 0) == size);
  CHECK(support::shows(region.bytes(), 1));
}

TEST_CASE("with a lease the kernel's writes arrive and reach no snapshot", "[mm]") {
  std::size_t calls = 0;
  std::string missing;
  const std::string complaints = for_each_case([&](const KernelWriter& writer, const Place& place) {
    LeasedWrites writes(writer, place);
    const std::string complaint = writes.run();
    if (writes.available()) ++calls;
    if (!writes.available()) note(missing, writer.name);
    return writes.available() ? complaint : "";
  });
  CHECK(complaints == "");
  if (!missing.empty()) WARN("skipped, as they are not available here" << missing);
  CHECK(calls >= 4 * 22);
}

TEST_CASE("a lease of all pages takes a read that is longer than one page", "[mm]") {
  Region region = filled(1);
  const Snapshot before = region.snapshot();
  const Descriptor file(::memfd_create("source", MFD_CLOEXEC));
  std::vector<std::byte> source(region.size());
  support::fill(source, 2);
  const auto size = static_cast<ssize_t>(source.size());
  REQUIRE(::pwrite(file, source.data(), source.size(), 0) == size);
  std::vector<Snapshot> history;
  {
    const WriteLease lease = region.write_lease(0, region.size());
    for (std::uint64_t pattern = 2; pattern < 8; ++pattern) {
      support::fill(source, pattern);
      REQUIRE(::pwrite(file, source.data(), source.size(), 0) == size);
      REQUIRE(::pread(file, lease.data(), lease.size(), 0) == size);
      history.push_back(region.snapshot());
    }
  }
  CHECK(support::shows(region.bytes(), 7));
  CHECK(support::shows(before.bytes(), 1));
  for (std::size_t i = 0; i < history.size(); ++i) {
    CHECK(support::shows(history[i].bytes(), i + 2));
  }
  CHECK(support::broken_invariant(region) == "");
}

namespace {

/// Two UDP sockets, the second connected to the first; none where there is no loopback network.
struct UdpPair {
  Descriptor receiver{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  Descriptor sender{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};

  bool connect() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof(address);
    return ::bind(receiver, generic, length) == 0 &&
           ::getsockname(receiver, generic, &length) == 0 &&
           ::connect(sender, generic, length) == 0;
  }
};

}  // namespace

TEST_CASE("UDP loses no datagram while snapshots are taken of what it is received into", "[mm]") {
  const UdpPair udp;
  if (!udp.connect()) {
    WARN("skipped: there is no loopback network here");
    return;
  }
  Region region = filled(1);
  const Snapshot before = region.snapshot();
  const WriteLease lease = region.write_lease(0, region.size());
  std::atomic<bool> done{false};
  std::atomic<std::size_t> snapshots{0};
  std::thread observer([&] {
    while (!done.load()) {
      const Snapshot one = region.snapshot();
      snapshots.fetch_add(one.size() == region.size());
    }
  });
  // One on the way at a time: what is missing then was not dropped for want of room.
  support::Random random(1);
  std::uint64_t lost = 0;
  const std::uint64_t datagrams = support::scaled(2000);
  for (std::uint64_t number = 0; number < datagrams || snapshots.load() < 10; ++number) {
    const std::uint64_t words[2] = {number, ~number};
    std::byte* const target = lease.data() + random.below(lease.size() / 8 - 1) * 8;
    const bool sent = ::send(udp.sender, words, sizeof(words), 0) == sizeof(words);
    const bool received =
        sent && ::recv(udp.receiver, target, sizeof(words), MSG_DONTWAIT) == sizeof(words);
    lost += !received || std::memcmp(target, words, sizeof(words)) != 0;
  }
  done = true;
  observer.join();
  CHECK(lost == 0);
  CHECK(support::shows(before.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}
