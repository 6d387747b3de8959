// Attaching a template: that its frames are shared until they are stored to, by the kernel's own
// count; how it is passed on; what an attached region can do.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"
#include "template_support.hpp"

using cow::Region;
using cow::Snapshot;
using support::attach;
using support::filled;
using support::SentTemplate;
using support::TemplateName;

namespace {

constexpr int all_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

/// What /proc/self/smaps says of the addresses of a region, in bytes.
struct Shares {
  std::size_t resident = 0;
  std::size_t proportional = 0;  ///< each page divided by how many processes show it
  std::size_t own = 0;           ///< shown by nobody else
};

Shares shares_of(const Region& region) {
  const auto first = reinterpret_cast<std::uintptr_t>(region.data());
  Shares shares;
  std::ifstream smaps("/proc/self/smaps");
  bool within = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::size_t kib = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
      within = begin < first + region.size() && end > first;
    }
    if (!within) continue;
    if (std::sscanf(line.c_str(), "Rss: %zu kB", &kib) == 1) shares.resident += kib << 10;
    if (std::sscanf(line.c_str(), "Pss: %zu kB", &kib) == 1) shares.proportional += kib << 10;
    if (std::sscanf(line.c_str(), "Private_Clean: %zu kB", &kib) == 1) shares.own += kib << 10;
    if (std::sscanf(line.c_str(), "Private_Dirty: %zu kB", &kib) == 1) shares.own += kib << 10;
  }
  return shares;
}

void send_descriptor(int socket, int descriptor) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  REQUIRE(::sendmsg(socket, &message, 0) == 1);
}

int received_descriptor(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  int descriptor = -1;
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}

}  // namespace

TEST_CASE("processes that attach a template share its frames until they store", "[api]") {
  if (support::is_emulated()) {
    WARN("skipped: an emulator's smaps are its own");
    return;
  }
  constexpr std::size_t pages = 512;
  constexpr std::size_t processes = 4;
  constexpr std::size_t stored = 32;
  const TemplateName name;
  cow::publish(name, filled(pages, 1).snapshot());
  const std::size_t page = support::page_bytes();
  const auto body = [&](support::Peer& peer) -> std::string {
    cow::RegionOptions one_page = support::single_page_options();
    Region region = cow::attach(name, one_page);
    if (!support::shows(region.bytes(), 1)) return "other bytes";
    if (!peer.say() || !peer.hear()) return "nobody listens";
    const Shares read = shares_of(region);
    if (!peer.say() || !peer.hear()) return "nobody listens";
    for (std::size_t i = 0; i < stored; ++i) support::flip(region, 16 * i);
    const Shares stored_to = shares_of(region);
    if (!peer.say() || !peer.hear()) return "nobody listens";
    const auto text = [](const Shares& shares) {
      return std::to_string(shares.resident) + " resident, " + std::to_string(shares.proportional) +
             " proportional, " + std::to_string(shares.own) + " own; ";
    };
    const std::string seen = text(read) + text(stored_to);
    // Every page is shown by all of them, and counts for each of them by its share.
    if (read.resident != pages * page || read.own != 0) return seen;
    if (read.proportional > pages * page / processes + 4096) return seen;
    // What was stored to is one's own, and nothing else. Of a large page the kernel shows the part
    // that was touched.
    const bool is_right = stored_to.own >= stored * 4096 && stored_to.own <= stored * page;
    return is_right ? "" : seen;
  };
  std::vector<std::unique_ptr<support::ForkedChild>> children;
  for (std::size_t i = 0; i < processes; ++i) {
    children.push_back(std::make_unique<support::ForkedChild>(body));
  }
  for (int step = 0; step < 3; ++step) {
    for (const auto& child : children) REQUIRE(child->peer().hear());
    for (const auto& child : children) REQUIRE(child->peer().say());
  }
  for (const auto& child : children) CHECK(child->wait().complaint == "");
}

TEST_CASE("attaching takes no frame, one mapping and two descriptors, whatever the size", "[api]") {
  for (const std::size_t pages : {1u, 700u, 3000u}) {
    const TemplateName name;
    cow::publish(name, filled(pages, 1).snapshot());
    (void)cow::process_stats();
    const std::size_t descriptors = support::open_descriptors();
    const cow::ProcessStats before = cow::process_stats();
    {
      const Region region = attach(name);
      CHECK(region.stats().mappings == 1);
      CHECK(region.stats().pages_shared == pages);
      CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
      CHECK(support::open_descriptors() <= descriptors + 2 + (support::kernel_copies() ? 2 : 0));
    }
    CHECK(support::open_descriptors() == descriptors);
    CHECK(cow::process_stats().families == before.families);
  }
}

TEST_CASE("a template is passed over a socket to a process that shares nothing else", "[api]") {
  int sockets[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  support::ForkedChild child([&](support::Peer&) -> std::string {
    const int descriptor = received_descriptor(sockets[1]);
    if (descriptor < 0) return "nothing was received";
    Region region = cow::attach(descriptor, support::options());
    ::close(descriptor);
    if (!support::shows(region.bytes(), 7)) return "other bytes";
    support::fill(region.bytes(), 8);
    return support::broken_invariant(region);
  });
  {
    const SentTemplate sent(filled(60, 7).snapshot());
    CHECK((::fcntl(sent.number(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(sent.number(), F_GET_SEALS) & all_seals) == all_seals);
    CHECK((::fcntl(sent.number(), F_GETFL) & O_ACCMODE) == O_RDONLY);
    send_descriptor(sockets[0], sent.number());
    const Region own = cow::attach(sent.number(), support::options());
    CHECK(support::shows(own.bytes(), 7));
    const support::ChildResult result = child.wait();
    CHECK(result.complaint == "");
    CHECK(support::shows(own.bytes(), 7));
  }
  ::close(sockets[0]);
  ::close(sockets[1]);
}

TEST_CASE("an attached process cannot change the template by force", "[api]") {
  const TemplateName name;
  cow::publish(name, filled(20, 3).snapshot());
  const support::ChildResult result = support::run_in_child([&]() -> std::string {
    const Region region = attach(name);
    auto* const bytes = const_cast<std::byte*>(region.data());
    support::die_silently_of_faults();
    if (::mprotect(bytes, region.size(), PROT_READ | PROT_WRITE) == 0) {
      bytes[5] = std::byte{0xab};  // where the kernel copies: to a page of its own
    }
    const int memory = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    const auto at = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(bytes));
    if (memory >= 0) (void)(::pwrite(memory, "forced", 6, at + 9) == 6);
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(support::shows(attach(name).bytes(), 3));
}

TEST_CASE("a template keeps its page size, whatever is asked for but itself", "[api]") {
  const TemplateName name;
  cow::RegionOptions large;
  large.granule_bytes = 65536;
  Region region = Region::create(20 * large.granule_bytes, large);
  support::fill(region.bytes(), 2);
  cow::publish(name, region.snapshot());
  cow::RegionOptions asked;
  Region attached = cow::attach(name);
  CHECK(attached.page_bytes() == 65536);
  support::flip(attached, 0);
  support::flip(attached, 0);
  CHECK(support::shows(attached.bytes(), 2));
  CHECK(cow::attach(name, large).page_bytes() == 65536);
  asked.granule_bytes = 131072;
  const auto refused =
      support::words_of<std::invalid_argument>([&] { (void)cow::attach(name, asked); });
  CHECK(refused.find("granule_bytes is 131072") != std::string::npos);
}

TEST_CASE("a template is attached with either mechanism, and with reserved frames", "[api]") {
  if (!support::kernel_can_be_had()) return;
  const TemplateName name;
  cow::publish(name, filled(600, 5).snapshot());
  for (const cow::Mechanism mechanism : {cow::Mechanism::handler, cow::Mechanism::kernel}) {
    for (const bool reserve : {false, true}) {
      cow::RegionOptions options;
      options.mechanism = mechanism;
      options.reserve_frames = reserve;
      if (reserve && mechanism == cow::Mechanism::kernel) {
        CHECK_THROWS_AS(cow::attach(name, options), std::invalid_argument);
        continue;
      }
      Region region = cow::attach(name, options);
      CHECK(region.stats().mechanism == mechanism);
      const Snapshot before = region.snapshot();
      for (std::size_t page = 0; page < 600; page += 5) support::flip(region, page);
      CHECK(support::shows(before.bytes(), 5));
      CHECK(cow::diff(before, region.snapshot()).size() == 120);
      region.restore(before);
      CHECK(support::shows(region.bytes(), 5));
      support::fill(region.bytes(), 6);
      CHECK(support::shows(before.bytes(), 5));
      CHECK(support::broken_invariant(region) == "");
    }
  }
  CHECK(support::shows(attach(name).bytes(), 5));
}

TEST_CASE("zeros behind a template's last data are stored to, cloned and discarded as any",
          "[api]") {
  const std::size_t page = support::page_bytes();
  for (const std::size_t data : {1u, 511u, 512u, 513u, 1024u}) {
    CAPTURE(data);
    const TemplateName name;
    Region original = Region::create(700'000 * page, support::options());
    support::fill(original.bytes().first(data * page), 2);
    cow::publish(name, original.snapshot());
    Region region = attach(name);
    const Snapshot before = region.snapshot();
    for (const std::size_t at :
         {data - 1, data, data + 1, std::size_t{5000}, std::size_t{699'999}}) {
      support::store(region, at, 9, 7);
      CHECK(support::load(region.bytes(), at, 7) == 9);
      CHECK(support::load(region.bytes(), at, 8) == support::load(original.bytes(), at, 8));
    }
    CHECK(support::broken_invariant(region) == "");
    const Snapshot after = region.snapshot();
    CHECK(cow::diff(before, after).size() == 3);
    Region eager = region.clone(cow::CloneMode::eager);
    Region lazy = region.clone();
    region.discard((data - 1) * page, 3000 * page);
    CHECK(support::load(region.bytes(), data, 7) == 0);
    CHECK(support::load(eager.bytes(), data, 7) == 9);
    CHECK(support::load(lazy.bytes(), 699'999, 7) == 9);
    region.restore(before);
    CHECK(support::load(region.bytes(), 5000, 7) == 0);
    CHECK(support::shows(region.bytes().first(data * page), 2));
    for (const Region* each : {&region, &eager, &lazy}) {
      CHECK(support::broken_invariant(*each) == "");
    }
  }
}
