// Which templates are refused: descriptors of what could still be changed, objects of others,
// images that lie; and what becomes of a named one that its own user cuts.

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "api/image_format.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"
#include "template_support.hpp"

using cow::ImageHeader;
using cow::Region;
using cow::Snapshot;
using support::attach;
using support::filled;
using support::refusal_of;
using support::SentTemplate;
using support::TemplateName;

namespace {

using Bytes = std::vector<std::byte>;

constexpr int all_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

/// A memfd with these bytes and seals.
int memory_with(const Bytes& bytes, int seals, int open_again_as = -1) {
  int file = static_cast<int>(
      ::syscall(SYS_memfd_create, "test-template", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  if (seals != 0) REQUIRE(::fcntl(file, F_ADD_SEALS, seals) == 0);
  if (open_again_as < 0) return file;
  const int again = ::open(("/proc/self/fd/" + std::to_string(file)).c_str(), open_again_as);
  ::close(file);
  return again;
}

Bytes image_of(const Snapshot& snapshot) {
  const support::Folder folder;
  snapshot.save(folder / "image");
  return support::read_file(folder / "image");
}

support::Refusal refusal_of_descriptor(int descriptor) {
  return refusal_of([&] { (void)cow::attach(descriptor); });
}

/// A descriptor that was refused stays open and where it is, and nothing else is left.
support::Refusal refusal_of_memory(const Bytes& bytes, int seals, int open_again_as = -1) {
  const SentTemplate sent(memory_with(bytes, seals, open_again_as));
  const std::size_t before = support::open_descriptors();
  const support::Refusal refused = refusal_of_descriptor(sent.number());
  CHECK(support::open_descriptors() == before);
  CHECK(::fcntl(sent.number(), F_GETFD) >= 0);
  return refused;
}

/// Runs in a child with another user; "skipped" where that is not allowed.
support::ChildResult as_another_user(const std::function<std::string()>& body) {
  return support::run_in_child([&]() -> std::string {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return "skipped";
    support::stay_readable();
    return body();
  });
}

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("skipped: only root can be several users");
  return false;
}

}  // namespace

TEST_CASE("a descriptor is refused whose memory its sender could still change, and which seal is "
          "missing is said",
          "[api]") {
  const Bytes image = image_of(filled(5, 3).snapshot());
  for (const auto& [seals, words] :
       {std::pair{0, "F_SEAL_WRITE"}, std::pair{F_SEAL_SHRINK | F_SEAL_GROW, "F_SEAL_WRITE"},
        std::pair{F_SEAL_WRITE | F_SEAL_GROW, "F_SEAL_SHRINK"},
        std::pair{F_SEAL_WRITE | F_SEAL_SHRINK, "F_SEAL_GROW"}}) {
    const support::Refusal refused = refusal_of_memory(image, seals);
    CAPTURE(refused.words);
    CHECK(refused.error == EPERM);
    CHECK(refused.says(words));
  }
  // With all of them it is taken, by whatever descriptor that can read.
  for (const int as : {-1, O_RDONLY | O_CLOEXEC}) {
    const SentTemplate sent(memory_with(image, all_seals, as));
    CHECK(support::shows(cow::attach(sent.number()).bytes(), 3));
  }
}

TEST_CASE("what is no template is refused as a descriptor in a sentence", "[api]") {
  const support::Folder folder;
  const Bytes image = image_of(filled(5, 3).snapshot());
  support::write_file(folder / "image", image);
  const SentTemplate file(::open((folder / "image").c_str(), O_RDONLY | O_CLOEXEC));
  const support::Refusal of_file = refusal_of_descriptor(file.number());
  CHECK((of_file.error == EINVAL || of_file.error == EPERM));  // a file in memory has some seals
  CHECK((of_file.says("Region::load") || of_file.says("F_SEAL_WRITE")));
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  const SentTemplate reads(pipe[0]);
  const SentTemplate writes(pipe[1]);
  CHECK(refusal_of_descriptor(reads.number()).says("no template"));
  for (const int number : {-1, 123456}) {
    CHECK(refusal_of_descriptor(number).error == EBADF);
    CHECK(refusal_of_descriptor(number).says("not open"));
  }
  CHECK(refusal_of_memory({}, all_seals).error == EBADMSG);
  CHECK(refusal_of_memory(Bytes(5000, std::byte{'a'}), all_seals).says("not begin as an image"));
  const TemplateName name;
  cow::publish(name, filled(5, 3).snapshot());
  const SentTemplate named(::open(name.path().c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(refusal_of_descriptor(named.number()).says("F_SEAL_WRITE"));
}

TEST_CASE("a hostile image is refused in a sentence, by name and by descriptor", "[api]") {
  const Bytes good = image_of(filled(20, 3).snapshot());
  const std::size_t page = support::page_bytes();
  const auto forged = [&](const std::function<void(ImageHeader&)>& change) {
    Bytes bad = good;
    ImageHeader header{};
    std::memcpy(&header, bad.data(), sizeof header);
    change(header);
    header.header_checksum = cow::checksum128(
        {reinterpret_cast<const std::byte*>(&header), offsetof(ImageHeader, header_checksum)});
    std::memcpy(bad.data(), &header, sizeof header);
    return bad;
  };
  std::vector<Bytes> bad{
      forged([](ImageHeader& h) { h.version = 2; }),
      forged([](ImageHeader& h) { h.page_bytes = 2048; }),
      forged([](ImageHeader& h) { h.page_bytes *= 2; }),
      forged([](ImageHeader& h) { h.size_bytes = std::uint64_t{1} << 46; }),
      forged([&](ImageHeader& h) { h.size_bytes += page; }),
      forged([](ImageHeader& h) { h.data_pages = UINT64_MAX / 8; }),
      forged([](ImageHeader& h) { h.file_bytes += 1; }),
      forged([](ImageHeader& h) { h.kind = cow::ImageKind::delta; }),
      Bytes(good.begin(), good.end() - 1),
      Bytes(good.begin(), good.begin() + 300),
  };
  bad.push_back(good);
  bad.back()[20] ^= std::byte{1};
  bad.push_back(good);
  bad.back().back() ^= std::byte{1};
  for (std::size_t i = 0; i < bad.size(); ++i) {
    CAPTURE(i);
    const support::Refusal by_descriptor = refusal_of_memory(bad[i], all_seals);
    CHECK(by_descriptor.error == EBADMSG);
    CHECK(by_descriptor.says("is not a good image"));
    const TemplateName name;
    support::write_file(name.path(), bad[i]);
    REQUIRE(::chmod(name.path().c_str(), 0400) == 0);
    const support::Refusal by_name = refusal_of([&] { (void)cow::attach(name); });
    CAPTURE(by_name.words);
    CHECK(by_name.error == EBADMSG);
    CHECK(by_name.says(name.path().c_str()));
  }
}

TEST_CASE("a descriptor is refused whose memory has holes before its last data, listed or not",
          "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(40 * page, support::options());
  for (const std::size_t at : {0u, 1u, 30u}) support::store(region, at, 9);
  const Bytes good = image_of(region.snapshot());
  ImageHeader header{};
  std::memcpy(&header, good.data(), sizeof header);
  // `pages` are written, and besides them header and list.
  const auto refused_with = [&](const std::vector<std::size_t>& pages) {
    const SentTemplate sent(static_cast<int>(
        ::syscall(SYS_memfd_create, "test-template", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    const auto put = [&](std::size_t at, std::size_t bytes) {
      const ssize_t count =
          ::pwrite(sent.number(), good.data() + at, bytes, static_cast<off_t>(at));
      REQUIRE(count == static_cast<ssize_t>(bytes));
    };
    put(0, sizeof header);
    put(header.index_offset, good.size() - header.index_offset);
    for (const std::size_t at : pages) put(header.data_offset + at * page, page);
    REQUIRE(::fcntl(sent.number(), F_ADD_SEALS, all_seals) == 0);
    return refusal_of_descriptor(sent.number());
  };
  std::vector<std::size_t> dense;
  for (std::size_t at = 0; at <= 30; ++at) dense.push_back(at);
  for (const std::vector<std::size_t>& pages :
       {std::vector<std::size_t>{}, std::vector<std::size_t>{0, 1, 30},
        std::vector<std::size_t>(dense.begin(), dense.end() - 1)}) {
    const support::Refusal refused = refused_with(pages);
    CAPTURE(pages.size(), refused.words);
    CHECK(refused.error == EBADMSG);
    CHECK(refused.says("holes"));
  }
  CHECK(refused_with(dense).words == "");
}

TEST_CASE("a name that becomes a pipe while it is looked at keeps nobody waiting", "[api]") {
  const TemplateName name;
  const support::ForkedChild hostile([&](support::Peer&) -> std::string {
    for (;;) {
      (void)::mkfifo(name.path().c_str(), 0666);
      (void)::unlink(name.path().c_str());
    }
  });
  const support::ChildResult result = support::run_in_child([&]() -> std::string {
    ::alarm(300);  // who waits for the other end waits for ever
    bool seen_pipe = false;
    const int tries = static_cast<int>(std::max<std::size_t>(support::scaled(20'000), 500));
    for (int i = 0; i < tries || (!seen_pipe && i < 2'000'000); ++i) {
      const support::Refusal refused = refusal_of([&] { (void)attach(name); });
      if (refused.error != ENOENT && refused.error != ENOTSUP) return refused.words;
      seen_pipe = seen_pipe || refused.error == ENOTSUP;
    }
    return seen_pipe ? "" : "there never was a pipe";
  });
  ::kill(hostile.pid(), SIGKILL);
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("in a user namespace that knows no user a template by name is nobody's", "[api]") {
  const TemplateName name;
  cow::publish(name, filled(5, 3).snapshot(), {.mode = 0644});
  const SentTemplate sent(filled(5, 4).snapshot());
  const support::ChildResult result = support::run_in_child([&]() -> std::string {
    if (::unshare(CLONE_NEWUSER) != 0) return "skipped";
    const support::Refusal refused = refusal_of([&] { (void)attach(name); });
    if (refused.error != EPERM || !refused.says("pass a descriptor")) {
      return "attached, or refused otherwise: " + refused.words;
    }
    return support::shows(cow::attach(sent.number(), support::options()).bytes(), 4) ? "" : "no";
  });
  if (result.complaint == "skipped") {
    WARN("skipped: no user namespace can be had");
    return;
  }
  CHECK(result.complaint == "");
}

TEST_CASE("objects that others may write, and those of other users, are not taken by name",
          "[api]") {
  const Snapshot snapshot = filled(5, 3).snapshot();
  for (const mode_t mode : {0620u, 0602u, 0666u}) {
    const TemplateName name;
    cow::publish(name, snapshot);
    REQUIRE(::chmod(name.path().c_str(), mode) == 0);
    const support::Refusal refused = refusal_of([&] { (void)attach(name); });
    CHECK(refused.error == EPERM);
    CHECK(refused.says("pass a descriptor"));
  }
  if (!is_root()) return;
  const TemplateName name;
  cow::publish(name, snapshot);
  REQUIRE(::chown(name.path().c_str(), 1234, 1234) == 0);
  const support::Refusal refused = refusal_of([&] { (void)attach(name); });
  CHECK(refused.error == EPERM);
  CHECK(refused.says("belongs to user 1234"));
}

TEST_CASE("another user attaches what root published for all, and nothing else, nor unpublishes it",
          "[api]") {
  if (!is_root()) return;
  const TemplateName for_all;
  const TemplateName for_root;
  const Region region = filled(30, 3);
  cow::publish(for_all, region.snapshot(), {.mode = 0644});
  cow::publish(for_root, region.snapshot());
  const SentTemplate sent(region.snapshot());
  const support::ChildResult other = as_another_user([&]() -> std::string {
    Region attached = attach(for_all);
    support::flip(attached, 3);
    support::flip(attached, 3);
    if (!support::shows(attached.bytes(), 3)) return "other bytes";
    const auto refused = refusal_of([&] { (void)attach(for_root); });
    if (refused.error != EACCES || !refused.says("PublishOptions::mode")) return refused.words;
    const auto kept = refusal_of([&] { cow::unpublish(for_all); });
    if ((kept.error != EACCES && kept.error != EPERM) || !kept.says("another user")) {
      return kept.words;
    }
    return support::shows(cow::attach(sent.number(), support::options()).bytes(), 3) ? "" : "no";
  });
  if (other.complaint == "skipped") {
    WARN("skipped: no other user can be had");
    return;
  }
  CHECK(other.complaint == "");
  CHECK(for_all.is_published());
}

TEST_CASE("a pipe, a folder or a link under the name is refused, and keeps nobody waiting",
          "[api]") {
  const TemplateName pipe;
  REQUIRE(::mkfifo(pipe.path().c_str(), 0600) == 0);
  CHECK(refusal_of([&] { (void)attach(pipe); }).says("a pipe"));
  const TemplateName folder;
  REQUIRE(::mkdir(folder.path().c_str(), 0700) == 0);
  CHECK(refusal_of([&] { (void)attach(folder); }).error == ENOTSUP);
  REQUIRE(::rmdir(folder.path().c_str()) == 0);
  const TemplateName target;
  cow::publish(target, filled(3, 1).snapshot());
  const TemplateName link;
  REQUIRE(::symlink(target.path().c_str(), link.path().c_str()) == 0);
  CHECK(refusal_of([&] { (void)attach(link); }).says("a link"));
  CHECK(refusal_of([&] { cow::publish(link, filled(3, 1).snapshot()); }).error == EEXIST);
}

TEST_CASE("a template by name that its own user cuts is SIGBUS where it is touched, and nowhere "
          "else",
          "[api]") {
  if (support::has_sanitizer) {
    WARN("skipped because a sanitizer takes SIGBUS for itself");
    return;
  }
  const TemplateName name;
  const std::size_t page = support::page_bytes();
  cow::publish(name, filled(200, 3).snapshot());
  REQUIRE(::chmod(name.path().c_str(), 0600) == 0);
  const auto child = [&](const std::function<std::string(Region&)>& body) {
    return support::run_in_child([&]() -> std::string {
      support::die_silently_of_faults();
      std::signal(SIGBUS, SIG_DFL);
      Region region = attach(name);
      if (::truncate(name.path().c_str(), static_cast<off_t>(65536 + 20 * page)) != 0) return "no";
      std::string complaint = body(region);
      return complaint;
    });
  };
  const auto put_back = [&] {
    (void)::unlink(name.path().c_str());
    cow::publish(name, filled(200, 3).snapshot());
    REQUIRE(::chmod(name.path().c_str(), 0600) == 0);
  };
  CHECK(child([&](Region& region) -> std::string {
          return std::as_const(region).bytes()[100 * page] == std::byte{0} ? "zeros" : "read";
        }).died_of(SIGBUS));
  put_back();
  // Control calls that need no such page go on; those that do say so; what is there can be used.
  const support::ChildResult lives = child([&](Region& region) -> std::string {
    const Snapshot snapshot = region.snapshot();
    Region clone = region.clone();
    support::flip(clone, 3);
    const support::Folder folder;
    const auto refused = refusal_of([&] { snapshot.save(folder / "image"); });
    if (refused.error != EIO) return "saved: " + refused.words;
    const auto again = refusal_of([&] { (void)cow::publish(snapshot); });
    if (again.error != EIO) return "published: " + again.words;
    return std::as_const(region).bytes()[10 * page] != std::byte{0} ? "" : "zeros";
  });
  CHECK(lives.complaint == "");
  CHECK(lives.exited());
  put_back();
}
