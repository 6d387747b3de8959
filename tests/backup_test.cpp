// Region::backup: the bytes of the call's moment, whatever is stored meanwhile, by a thread that
// lets go of what it has saved; progress, cancelling, and who may have one.

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "backup_support.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::Backup;
using cow::BackupOptions;
using cow::BackupProgress;
using cow::BackupReport;
using cow::Region;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;

/// Pages with bytes, pages of zeros that were stored, pages nobody stored to, in several leaves.
Region mixed_region(std::size_t pages, const cow::RegionOptions& options = support::options()) {
  Region region = Region::create(pages * support::page_bytes() - 100, options);
  for (std::size_t page = 0; page < pages; ++page) {
    if (page % 3 != 1)
      support::store(region, page, page % 5 == 0 ? 0u : static_cast<unsigned>(1 + page % 255), 7);
  }
  return region;
}

void store_to_all(Region& region) {
  const std::size_t pages = (region.size() + region.page_bytes() - 1) / region.page_bytes();
  for (std::size_t page = 0; page < pages; ++page) support::store(region, page, 200, 9);
}

std::string difference_of_image(const Bytes& expected, const std::filesystem::path& file) {
  const Region loaded = Region::load(file);
  return support::difference(expected, loaded.bytes());
}

template <class Work>
int error_of(const Work& work) {
  try {
    work();
  } catch (const std::system_error& error) {
    return support::is_sentence(error.what()) ? error.code().value() : -1;
  }
  return 0;
}

}  // namespace

TEST_CASE("a backup holds the moment of the call, whatever is stored before it ends", "[api]") {
  const Folder folder;
  Region region = mixed_region(1200);
  const Bytes expected = support::plain_copy(region.bytes());
  Backup backup = region.backup(folder / "image");
  store_to_all(region);
  const BackupReport report = backup.wait();
  CHECK(backup.done());
  CHECK(difference_of_image(expected, folder / "image") == "");
  CHECK(report.pages > 0);
  CHECK(report.bytes_written >= report.pages * region.page_bytes());
  CHECK(report.waits.count == 0);
  CHECK(support::load(region.bytes(), 3, 9) == 200);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a page that a backup has saved is not copied when it is stored to", "[api][handler]") {
  const Folder folder;
  Region region = Region::create(300 * support::page_bytes(), support::single_page_options());
  store_to_all(region);
  support::Gate gate;
  BackupOptions options;
  options.progress = gate.progress(1);
  Backup backup = region.backup(folder / "image", options);
  gate.wait_until_held();
  const std::uint64_t before = region.stats().pages_copied;
  support::store(region, 0, 1);
  CHECK(region.stats().pages_copied == before);
  support::store(region, 299, 1);
  CHECK(region.stats().pages_copied == before + 1);
  CHECK(support::broken_invariant(region) == "");
  gate.open();
  backup.wait();
}

TEST_CASE("when a backup has ended, all frames are those that the region shows", "[api][handler]") {
  const Folder folder;
  Region region = mixed_region(700);
  region.backup(folder / "first").wait();
  cow::trim();
  const std::size_t before = cow::process_stats().bytes_in_use;
  Backup backup = region.backup(folder / "image");
  store_to_all(region);
  backup.wait();
  const std::size_t pages_stored = cow::process_stats().bytes_in_use - before;
  Region same = mixed_region(700);
  store_to_all(same);
  cow::trim();
  CHECK(pages_stored <= 700 * region.page_bytes());
  CHECK(cow::process_stats().bytes_recycled == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("progress of a backup grows to all pages, and false or a throw ends it", "[api]") {
  const Folder folder;
  Region region = mixed_region(700);
  std::vector<BackupProgress> told;
  BackupOptions options;
  options.progress = [&](const BackupProgress& progress) {
    told.push_back(progress);
    return true;
  };
  const BackupReport report = region.backup(folder / "image", options).wait();
  REQUIRE(!told.empty());
  for (std::size_t i = 1; i < told.size(); ++i) {
    CHECK(told[i - 1].pages_done <= told[i].pages_done);
    CHECK(told[i - 1].bytes_written <= told[i].bytes_written);
  }
  CHECK(told.back().pages_total == 700);
  CHECK(told.back().pages_done == 700);
  CHECK(told.back().bytes_written == report.bytes_written);

  const Bytes before = support::plain_copy(Region::load(folder / "image").bytes());
  store_to_all(region);
  options.progress = [](const BackupProgress&) { return false; };
  Backup refused = region.backup(folder / "image", options);
  CHECK(error_of([&] { refused.wait(); }) == ECANCELED);
  CHECK(error_of([&] { refused.wait(); }) == ECANCELED);
  options.progress = [](const BackupProgress& progress) {
    return progress.pages_done < progress.pages_total;  // no at its last call
  };
  CHECK(error_of([&] { region.backup(folder / "image", options).wait(); }) == ECANCELED);
  options.progress = [](const BackupProgress&) -> bool { throw std::length_error("mine"); };
  CHECK_THROWS_AS(region.backup(folder / "image", options).wait(), std::length_error);
  CHECK(difference_of_image(before, folder / "image") == "");
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a backup that is cancelled, or whose handle goes, leaves the file that was there",
          "[api]") {
  const Folder folder;
  Region region = mixed_region(700);
  const Bytes before = support::plain_copy(region.bytes());
  region.backup(folder / "image").wait();
  store_to_all(region);
  support::Gate gate;
  BackupOptions options;
  options.progress = gate.progress(1);
  Backup backup = region.backup(folder / "image", options);
  gate.wait_until_held();
  CHECK(!backup.done());
  backup.cancel();
  gate.open();
  CHECK(error_of([&] { backup.wait(); }) == ECANCELED);
  {
    const Backup dropped = region.backup(folder / "image", options);
    static_cast<void>(dropped);
  }
  store_to_all(region);
  Backup moved = std::move(backup);
  CHECK_THROWS_AS(backup.wait(), std::logic_error);
  backup.cancel();
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a family has one backup at a time, and the next one when that has ended", "[api]") {
  const Folder folder;
  Region region = mixed_region(700);
  const Region clone = region.clone();
  support::Gate gate;
  BackupOptions options;
  options.progress = gate.progress(1);
  Backup backup = region.backup(folder / "image", options);
  gate.wait_until_held();
  CHECK(error_of([&] { static_cast<void>(clone.backup(folder / "other")); }) == EBUSY);
  gate.open();
  backup.wait();
  Backup next = clone.backup(folder / "other");
  next.wait();
  CHECK(difference_of_image(support::plain_copy(clone.bytes()), folder / "other") == "");
}

TEST_CASE("snapshots, clones, restores and the region's end go on during a backup", "[api]") {
  const Folder folder;
  auto region = std::make_unique<Region>(mixed_region(1200));
  const cow::Snapshot old = region->snapshot();
  store_to_all(*region);
  const Bytes expected = support::plain_copy(region->bytes());
  support::Gate gate;
  BackupOptions options;
  options.progress = gate.progress(2);
  Backup backup = region->backup(folder / "image", options);
  gate.wait_until_held();
  const cow::Snapshot now = region->snapshot();
  Region clone = region->clone();
  support::store(clone, 1000, 5);
  support::store(*region, 1001, 5);
  CHECK(!cow::describe(*region).empty());
  region->restore(old);
  region->discard(0, 100 * region->page_bytes());
  {
    const cow::WriteLease lease = region->write_lease(0, 50 * region->page_bytes());
    lease.data()[0] = std::byte{1};
  }
  CHECK(support::broken_invariant(*region) == "");
  CHECK(support::difference(expected, now.bytes()) == "");
  region.reset();
  gate.open();
  backup.wait();
  CHECK(difference_of_image(expected, folder / "image") == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("regions of every kind can be backed up", "[api]") {
  const Folder folder;
  const auto check = [&](Region region, const char* kind) {
    CAPTURE(kind);
    const Bytes expected = support::plain_copy(region.bytes());
    Backup backup = region.backup(folder / "image");
    store_to_all(region);
    backup.wait();
    CHECK(difference_of_image(expected, folder / "image") == "");
    CHECK(support::broken_invariant(region) == "");
  };
  check(mixed_region(600), "plain");
  cow::RegionOptions reserved = support::options();
  reserved.reserve_frames = true;
  if (!support::kernel_copies()) check(mixed_region(600, reserved), "reserved frames");
  if (!support::kernel_copies()) {
    cow::RegionOptions granule;
    granule.granule_bytes = 64 << 10;
    Region region = Region::create(std::size_t{6} << 20, granule);
    support::fill(region.bytes(), 3);
    check(std::move(region), "granules of 64 KiB");
  }
  std::ofstream(folder / "file") << std::string(3'000'000, 'x') << std::string(500'000, '\0');
  check(Region::open(folder / "file"), "opened from a file");
  mixed_region(600).snapshot().save(folder / "saved");
  check(Region::load(folder / "saved"), "loaded");
  if (!support::kernel_copies()) {
    cow::LoadOptions mapped;
    mapped.mode = cow::LoadMode::mapped;
    check(Region::load(folder / "saved", mapped), "mapped");
  }
  Region leased = mixed_region(600);
  const cow::WriteLease lease = leased.write_lease(0, 100 * leased.page_bytes());
  const Bytes expected = support::plain_copy(leased.bytes());
  Backup backup = leased.backup(folder / "image");
  lease.data()[5] = std::byte{77};
  backup.wait();
  CHECK(difference_of_image(expected, folder / "image") == "");
}

TEST_CASE("where the kernel copies, a backup works without a limit and refuses one", "[mm]") {
  if (!support::kernel_can_be_had()) return;
  const Folder folder;
  Region region = support::kernel_region(700);
  for (std::size_t page = 0; page < 700; page += 3)
    support::store(region, page, static_cast<unsigned>(1 + page % 200));
  const Bytes expected = support::plain_copy(region.bytes());
  Backup backup = region.backup(folder / "image");
  store_to_all(region);
  backup.wait();
  CHECK(difference_of_image(expected, folder / "image") == "");
  BackupOptions options;
  options.most_extra_bytes = std::size_t{1} << 30;
  CHECK_THROWS_AS(region.backup(folder / "image", options), std::invalid_argument);
  region.backup(folder / "image").wait();
}
