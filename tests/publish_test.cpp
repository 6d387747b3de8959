// cow::publish, attach and unpublish: what a template is, whom it outlives, and what is left of it
// in /dev/shm.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
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
using support::complaint_about;
using support::filled;
using support::refusal_of;
using support::SentTemplate;
using support::TemplateName;

TEST_CASE("a process that was there before a template attaches it, by name and by descriptor",
          "[api]") {
  const TemplateName name;
  support::ForkedChild child([&](support::Peer& peer) -> std::string {
    if (!peer.hear()) return "nobody published";
    const Region region = attach(name);
    if (region.size() != 70 * support::page_bytes()) return "another size";
    return complaint_about(region, 1);
  });
  const Region region = filled(70, 1);
  const Snapshot snapshot = region.snapshot();
  cow::publish(name, snapshot);
  child.peer().say();
  const support::ChildResult result = child.wait();
  CHECK(result.complaint == "");
  CHECK(result.exited());

  const SentTemplate sent(snapshot);
  CHECK(complaint_about(cow::attach(sent.number(), support::options()), 1) == "");
  cow::unpublish(name);
  CHECK(support::shared_objects(name).empty());
}

TEST_CASE("a template is the snapshot, whatever is stored to its region, its end and its zeros",
          "[api]") {
  const TemplateName name;
  const std::size_t page = support::page_bytes();
  Region region = Region::create(600 * page + 123, support::options());
  support::store(region, 3, 5);
  support::store(region, 599, 6);
  region.bytes().back() = std::byte{7};
  const Snapshot snapshot = region.snapshot();
  const std::vector<std::byte> then = support::plain_copy(region.bytes());
  support::store(region, 3, 9);
  cow::publish(name, snapshot);
  support::store(region, 599, 9);
  const Region attached = attach(name);
  CHECK(support::difference(then, attached.bytes()) == "");
  CHECK(attached.stats().mappings <= 3);
}

TEST_CASE("no load of a template by name takes memory of /dev/shm, and zeros at its end never do",
          "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(2000 * page, support::options());
  support::store(region, 3, 5);
  support::store(region, 500, 6);
  const Snapshot snapshot = region.snapshot();
  const std::size_t around = 3 * std::max<std::size_t>(page, 65536);  // header and list
  for (const bool reserve : {true, false}) {
    CAPTURE(reserve);
    const TemplateName name;
    cow::publish(name, snapshot, {.mode = 0600, .reserve_zeros = reserve});
    const std::size_t before = support::bytes_on_disk(name.path());
    CHECK(before <= (reserve ? 501 : 2) * page + around);
    const Region attached = attach(name);
    CHECK(support::difference(support::plain_copy(region.bytes()), attached.bytes()) == "");
    const std::size_t after = support::bytes_on_disk(name.path());
    if (reserve) CHECK(after == before);
    CHECK(after <= 501 * page + around);
    CHECK(support::broken_invariant(attached) == "");
  }
}

TEST_CASE("no load of a template by descriptor takes memory, which is all its publisher's",
          "[api]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(2000 * page, support::options());
  support::store(region, 3, 5);
  support::store(region, 500, 6);
  const std::size_t around = 3 * std::max<std::size_t>(page, 65536);  // header and list
  const SentTemplate sent(region.snapshot());
  const auto bytes_in_memory = [&] {
    struct stat status {};
    REQUIRE(::fstat(sent.number(), &status) == 0);
    return static_cast<std::size_t>(status.st_blocks) * 512;
  };
  const std::size_t before = bytes_in_memory();
  CHECK(before <= 501 * page + around);
  const Region attached = cow::attach(sent.number(), support::options());
  CHECK(support::difference(support::plain_copy(region.bytes()), attached.bytes()) == "");
  CHECK(bytes_in_memory() == before);
  CHECK(support::broken_invariant(attached) == "");
}

TEST_CASE("stores to an attached region reach neither the template nor others that attached it",
          "[api]") {
  const TemplateName name;
  cow::publish(name, filled(100, 2).snapshot());
  Region first = attach(name);
  const Region second = attach(name);
  support::ForkedChild child([&](support::Peer& peer) -> std::string {
    Region third = attach(name);
    for (std::size_t page = 0; page < 100; page += 3) support::flip(third, page);
    if (!peer.say() || !peer.hear()) return "nobody listens";
    support::fill(third.bytes(), 4);
    return complaint_about(third, 4);
  });
  REQUIRE(child.peer().hear());
  CHECK(complaint_about(first, 2) == "");
  support::fill(first.bytes(), 3);
  CHECK(complaint_about(second, 2) == "");
  CHECK(complaint_about(attach(name), 2) == "");
  child.peer().say();
  CHECK(child.wait().complaint == "");
  CHECK(complaint_about(first, 3) == "");
}

TEST_CASE("a name that is taken is refused, and its template stays what it is", "[api]") {
  const TemplateName name;
  cow::publish(name, filled(10, 1).snapshot());
  const Snapshot other = filled(20, 2).snapshot();
  const auto refused = refusal_of([&] { cow::publish(name, other); });
  CHECK(refused.error == EEXIST);
  CHECK(refused.says("the name is taken"));
  CHECK(complaint_about(attach(name), 1) == "");
  CHECK(support::shared_objects(name).size() == 1);
  cow::unpublish(name);
  cow::publish(name, other);
  CHECK(complaint_about(attach(name), 2) == "");
}

TEST_CASE("of two that publish one name at the same moment one has it", "[api]") {
  const Snapshot one = filled(50, 1).snapshot();
  const Snapshot other = filled(50, 2).snapshot();
  for (std::size_t i = 0; i < support::scaled(50); ++i) {
    const TemplateName name;
    support::ForkedChild child([&](support::Peer& peer) -> std::string {
      if (!peer.hear()) return "nobody is there";
      const int error = refusal_of([&] { cow::publish(name, other); }).error;
      return error == 0 ? "published" : std::to_string(error);
    });
    child.peer().say();
    const int error = refusal_of([&] { cow::publish(name, one); }).error;
    const std::string answer = child.wait().complaint;
    CAPTURE(error, answer);
    REQUIRE(((error == 0 && answer == std::to_string(EEXIST)) ||
             (error == EEXIST && answer == "published")));
    REQUIRE(complaint_about(attach(name), error == 0 ? 1 : 2) == "");
    REQUIRE(support::shared_objects(name).size() == 1);
  }
}

TEST_CASE("names that cannot be meant, and modes that let others write, are refused in a sentence",
          "[api]") {
  const Snapshot snapshot = filled(1, 1).snapshot();
  const std::string zero("a\0b", 3);
  for (const std::string& name : {std::string(), std::string("a/b"), std::string("/a"),
                                  std::string(".a"), zero, std::string(201, 'a')}) {
    CAPTURE(name);
    for (const std::string& words :
         {support::words_of<std::invalid_argument>([&] { cow::publish(name, snapshot); }),
          support::words_of<std::invalid_argument>([&] { (void)cow::attach(name); }),
          support::words_of<std::invalid_argument>([&] { cow::unpublish(name); })}) {
      CHECK(words.find("the name of a template") != std::string::npos);
      CHECK(support::is_sentence(words));
    }
  }
  const TemplateName name;
  for (const unsigned mode : {0666u, 0620u, 0700u, 04600u, 0u, 0200u, 0044u}) {
    CAPTURE(mode);
    CHECK(support::words_of<std::invalid_argument>([&] {
            cow::publish(name, snapshot, {.mode = mode});
          }).find("PublishOptions::mode") != std::string::npos);
  }
  CHECK_FALSE(name.is_published());
  const TemplateName base;
  const std::string longest = base.text() + std::string(200 - base.text().size(), 'x');
  cow::publish(longest, snapshot);
  CHECK(complaint_about(attach(longest), 1) == "");
  cow::unpublish(longest);
}

TEST_CASE("a template has the mode it was given for reading, whatever the umask, and none for "
          "writing",
          "[api]") {
  const Snapshot snapshot = filled(1, 1).snapshot();
  for (const unsigned mode : {0600u, 0640u, 0644u, 0444u}) {
    const TemplateName name;
    const mode_t before = ::umask(0777);
    cow::publish(name, snapshot, {.mode = mode});
    ::umask(before);
    struct stat status {};
    REQUIRE(::stat(name.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == (mode & 0444));
  }
}

TEST_CASE("a template outlives its publisher, and an attached region the name", "[api]") {
  const TemplateName name;
  const support::ChildResult published = support::run_in_child([&]() -> std::string {
    cow::publish(name, filled(40, 4).snapshot());
    support::die_silently_of_faults();
    ::raise(SIGKILL);
    return "lives";
  });
  CHECK(published.died_of(SIGKILL));
  Region region = attach(name);
  support::flip(region, 5);
  support::flip(region, 5);
  CHECK(complaint_about(region, 4) == "");

  cow::unpublish(name);
  CHECK(complaint_about(region, 4) == "");
  support::fill(region.bytes(), 5);
  CHECK(complaint_about(region, 5) == "");
  const auto late = refusal_of([&] { (void)attach(name); });
  CHECK(late.error == ENOENT);
  CHECK(late.says("a descriptor"));
  const auto again = refusal_of([&] { cow::unpublish(name); });
  CHECK(again.error == ENOENT);
  CHECK(again.says("nothing is published"));
  CHECK(support::shared_objects(name).empty());
}

TEST_CASE("a publisher that is killed leaves all of a template or nothing in /dev/shm", "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const TemplateName name;
  const Region region = filled(300, 6);
  const Snapshot snapshot = region.snapshot();
  std::size_t kills = 0;
  for (; kills < support::scaled(100); ++kills) {
    support::ForkedChild child([&](support::Peer& peer) -> std::string {
      if (!peer.say()) return "";
      for (;;) {
        cow::publish(name, snapshot);
        cow::unpublish(name);
      }
    });
    REQUIRE(child.peer().hear());
    const timespec moment{0, static_cast<long>(random.below(5'000'000))};
    ::nanosleep(&moment, nullptr);
    ::kill(child.pid(), SIGKILL);
    CHECK(child.wait().died_of(SIGKILL));
    CAPTURE(kills);
    const std::vector<std::string> left = support::shared_objects(name);
    REQUIRE(left.size() <= 1);
    if (left.empty()) continue;
    REQUIRE(left.front() == "libcow." + name.text());
    REQUIRE(complaint_about(attach(name), 6) == "");
    cow::unpublish(name);
  }
  CHECK(kills > 0);
}

TEST_CASE("an attached region is published, cloned, saved, restored and forked as any other",
          "[api]") {
  const TemplateName name;
  const TemplateName second;
  const support::Folder folder;
  const Snapshot original = filled(80, 1).snapshot();
  cow::publish(name, original);
  original.save(folder / "full");
  Region region = attach(name);
  const Snapshot attached = region.snapshot();
  for (std::size_t page = 0; page < 80; page += 7) support::flip(region, page);
  const std::vector<std::byte> stored = support::plain_copy(region.bytes());
  const Snapshot later = region.snapshot();
  CHECK(cow::diff(attached, later).size() == 12);

  cow::publish(second, later);
  cow::unpublish(name);
  CHECK(support::difference(stored, attach(second).bytes()) == "");

  later.save_delta(attached, folder / "delta");  // of the image that was published
  const Region loaded = Region::load({folder / "full", folder / "delta"});
  CHECK(support::difference(stored, loaded.bytes()) == "");

  Region clone = region.clone();
  const Region copy = region.clone(cow::CloneMode::eager);
  support::fill(clone.bytes(), 9);
  CHECK(support::difference(stored, region.bytes()) == "");
  CHECK(support::difference(stored, copy.bytes()) == "");
  const support::ChildResult child = support::run_in_child([&]() -> std::string {
    if (!support::difference(stored, region.bytes()).empty()) return "the child sees other bytes";
    support::fill(region.bytes(), 10);
    region.restore(attached);
    return complaint_about(region, 1);
  });
  CHECK(child.complaint == "");
  region.restore(attached);
  CHECK(complaint_about(region, 1) == "");
  {
    const cow::WriteLease lease = region.write_lease(0, region.size());
    std::fill(lease.bytes().begin(), lease.bytes().end(), std::byte{4});
  }
  region.discard(0, 4 * support::page_bytes());
  CHECK(support::load(region.bytes(), 4) == 4);
  CHECK(support::load(region.bytes(), 3) == 0);
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::difference(stored, attach(second).bytes()) == "");
}
