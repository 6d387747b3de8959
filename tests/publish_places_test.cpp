// Templates where shared memory is full, missing, or another one: each in a child with mounts of
// its own.

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

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

namespace {

/// Where there is no /proc: the kernel's mechanism needs one.
cow::RegionOptions without_proc() {
  cow::RegionOptions options = support::options();
  options.mechanism = cow::Mechanism::handler;
  return options;
}

void skip_without_mounts(const support::ChildResult& result) {
  if (result.complaint == "skipped") {
    WARN("skipped: a process may have no mounts of its own here");
    return;
  }
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

}  // namespace

TEST_CASE("where the zeros between data find no room the option that asked for it is named",
          "[api]") {
  const TemplateName name;
  skip_without_mounts(support::run_in_child([&]() -> std::string {
    Region region = Region::create(600 * support::page_bytes(), support::options());
    support::store(region, 1, 5);
    support::store(region, 599, 6);
    if (!support::has_shared_memory_of_its_own(200 * support::page_bytes())) return "skipped";
    const auto refused = refusal_of([&] { cow::publish(name, region.snapshot()); });
    if (refused.error != ENOSPC || !refused.says("reserve_zeros")) return "said " + refused.words;
    if (!support::shared_objects("").empty()) return "something is left";
    cow::publish(name, region.snapshot(), {.reserve_zeros = false});
    return support::load(attach(name).bytes(), 599) == 6 ? "" : "other bytes";
  }));
}

TEST_CASE("where shared memory is full nothing is published, and nothing is left", "[api]") {
  const TemplateName name;
  skip_without_mounts(support::run_in_child([&]() -> std::string {
    const Region region = filled(64, 1);
    const Snapshot large = region.snapshot();
    const Region little = filled(2, 2);
    if (!support::has_shared_memory_of_its_own(40 * support::page_bytes())) return "skipped";
    const std::size_t descriptors = support::open_descriptors();
    const auto refused = refusal_of([&] { cow::publish(name, large); });
    if (refused.error != ENOSPC || !refused.says("is full")) return "said " + refused.words;
    if (!support::shared_objects("").empty()) return "something is left";
    if (support::open_descriptors() != descriptors) return "a descriptor is left";
    if (std::filesystem::space("/dev/shm").free != std::filesystem::space("/dev/shm").capacity) {
      return "memory is left";
    }
    cow::publish(name, little.snapshot());
    return complaint_about(attach(name), 2);
  }));
  CHECK_FALSE(name.is_published());
}

TEST_CASE("in a container with a /dev/shm of its own there is no such name, and a descriptor works",
          "[api]") {
  const TemplateName name;
  const Region region = filled(30, 8);
  cow::publish(name, region.snapshot());
  const SentTemplate sent(region.snapshot());
  skip_without_mounts(support::run_in_child([&]() -> std::string {
    if (!support::has_shared_memory_of_its_own(1 << 20)) return "skipped";
    const auto refused = refusal_of([&] { (void)attach(name); });
    if (refused.error != ENOENT || !refused.says("container")) return "said " + refused.words;
    return complaint_about(cow::attach(sent.number(), support::options()), 8);
  }));
  CHECK(complaint_about(attach(name), 8) == "");
}

TEST_CASE("where there is no /dev/shm publishing by name says so, and by descriptor works",
          "[api]") {
  const support::Folder folder;
  skip_without_mounts(support::run_in_child([&]() -> std::string {
    const Snapshot snapshot = filled(3, 1).snapshot();
    if (::chroot(folder.path().c_str()) != 0 || ::chdir("/") != 0) return "skipped";
    const auto refused = refusal_of([&] { cow::publish("name", snapshot); });
    if (refused.error != ENOENT || !refused.says("/dev/shm")) return "said " + refused.words;
    if (refusal_of([] { cow::unpublish("name"); }).error != ENOENT) return "unpublished";
    const SentTemplate sent(snapshot);
    const Region region = cow::attach(sent.number(), without_proc());
    return support::shows(region.bytes(), 1) ? "" : "other bytes";
  }));
}

TEST_CASE(
    "without /proc a template is filled under a name that begins with a dot, and none is left",
    "[api]") {
  const support::Folder folder;
  REQUIRE(std::filesystem::create_directories(folder / "dev/shm"));
  skip_without_mounts(support::run_in_child([&]() -> std::string {
    const Region region = filled(30, 3);
    const Snapshot snapshot = region.snapshot();
    if (::chroot(folder.path().c_str()) != 0 || ::chdir("/") != 0) return "skipped";
    cow::publish("name", snapshot);
    if (refusal_of([&] { cow::publish("name", snapshot); }).error != EEXIST) return "twice";
    if (support::shared_objects("").size() != 1) return "something else is left";
    return support::shows(cow::attach("name", without_proc()).bytes(), 3) ? "" : "other bytes";
  }));
}
