// Files by name: how chains are named, and what becomes of a file that a save replaces.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::Region;

namespace {

struct stat status_of(const std::filesystem::path& path) {
  struct stat status {};
  ::stat(path.c_str(), &status);
  return status;
}

mode_t mode_of(const std::filesystem::path& path) { return status_of(path).st_mode & 07777; }

cow::Snapshot something() {
  Region region = Region::create(support::page_bytes());
  region.bytes()[0] = std::byte{1};
  return region.snapshot();
}

}  // namespace

TEST_CASE("a chain can be named in braces, whatever the names are", "[api]") {
  const support::Folder folder;
  Region region = Region::create(support::page_bytes());
  const cow::Snapshot base = region.snapshot();
  base.save(folder / "full.cow");
  region.bytes()[0] = std::byte{1};
  const cow::Snapshot next = region.snapshot();
  next.save_delta(base, folder / "step1.cow");
  region.bytes()[0] = std::byte{2};
  region.snapshot().save_delta(next, folder / "step2.cow");

  const std::string full = folder / "full.cow";
  const std::string step1 = folder / "step1.cow";
  const std::filesystem::path step2 = folder / "step2.cow";
  cow::LoadOptions mapped;
  mapped.mode = cow::LoadMode::mapped;
  const auto shows = [](const Region& loaded, unsigned value) {
    return support::load(loaded.bytes(), 0) == value;
  };
  CHECK(shows(Region::load({full.c_str()}), 0));
  CHECK(shows(Region::load({full.c_str(), step1.c_str()}), 1));
  CHECK(shows(Region::load({full.c_str(), step1.c_str(), step2.c_str()}), 2));
  CHECK(shows(Region::load({full}), 0));
  CHECK(shows(Region::load({full, step1}), 1));
  CHECK(shows(Region::load({std::string_view(full), std::string_view(step1)}), 1));
  CHECK(shows(Region::load({full, step1, step2}), 2));
  CHECK(shows(Region::load({full.c_str(), step1, step2}), 2));
  CHECK(shows(Region::load({std::filesystem::path(full)}), 0));
  CHECK(shows(Region::load({full, step1}, mapped), 1));
  CHECK(shows(Region::load(full), 0));
  CHECK(shows(Region::load(full.c_str(), mapped), 0));
  const std::vector<std::filesystem::path> chain = {full, step1};
  CHECK(shows(Region::load(chain), 1));
  CHECK(shows(Region::load({chain}), 1));
  CHECK_THROWS_AS(Region::load({}), std::invalid_argument);

  std::filesystem::current_path(folder.path());
  CHECK(shows(Region::load({"full.cow", "step1.cow"}), 1));
  CHECK(shows(Region::load({"full.cow"}), 0));
  std::filesystem::current_path("/");
}

TEST_CASE("a save keeps the mode of the file that it replaces", "[api]") {
  const support::Folder folder;
  const cow::Snapshot snapshot = something();
  const mode_t mask = ::umask(022);
  snapshot.save(folder / "new");
  CHECK(mode_of(folder / "new") == 0644);
  for (const mode_t mode : {0600U, 0640U, 0444U, 0666U, 0400U, 0U}) {
    CAPTURE(mode);
    ::chmod((folder / "new").c_str(), mode);
    snapshot.save(folder / "new");
    CHECK(mode_of(folder / "new") == mode);
    CHECK(std::filesystem::file_size(folder / "new") > 0);
  }
  ::umask(mask);
}

TEST_CASE("a save keeps the owner of the file that it replaces, where it may", "[api]") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can give files away");
    return;
  }
  const support::Folder folder;
  const std::filesystem::path image = folder / "image";
  something().save(image);
  REQUIRE(::chown(image.c_str(), 1234, 5678) == 0);
  REQUIRE(::chmod(image.c_str(), 04754) == 0);
  something().save(image);
  CHECK(status_of(image).st_uid == 1234);
  CHECK(status_of(image).st_gid == 5678);
  CHECK(mode_of(image) == 04754);
}

TEST_CASE("where a save may not keep the owner, nobody is allowed what he was not before",
          "[api]") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can make files of somebody else");
    return;
  }
  const support::Folder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  const std::filesystem::path image = folder / "image";
  something().save(image);
  REQUIRE(::chown(image.c_str(), 1234, 5678) == 0);
  REQUIRE(::chmod(image.c_str(), 06774) == 0);
  const support::ChildResult result = support::run_in_child([&]() -> std::string {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return "still root";
    support::stay_readable();
    something().save(image);
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(status_of(image).st_uid == 65534);
  CHECK(status_of(image).st_gid == 65534);
  // What group 5678 was allowed is not for group 65534, which gets what everybody has.
  CHECK(mode_of(image) == 0744);
}
