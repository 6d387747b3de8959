// Backups of regions that have room to grow for years: what a limit has to be goes by the data.

#include <unistd.h>

#include <algorithm>

#include "backup_support.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::BackupOptions;
using cow::BackupReport;
using cow::Region;
using support::Folder;

namespace {

Region region_with_data(std::size_t bytes, std::size_t pages) {
  Region region = Region::create(bytes, support::single_page_options());
  for (std::size_t page = 0; page < pages; ++page)
    support::store(region, page, static_cast<unsigned>(1 + page % 200), 16);
  return region;
}

}  // namespace

TEST_CASE("the least limit of a backup is that of the data, whatever room there is to grow",
          "[api][handler]") {
  const std::size_t small_bytes = std::size_t{64} << 20;
  const std::size_t large_bytes = std::size_t{16} << 30;
  const Region small = region_with_data(small_bytes, 1'000);
  const Region large = region_with_data(large_bytes, 1'000);
  const std::size_t more =
      large.estimate_backup().least_extra_bytes - small.estimate_backup().least_extra_bytes;
  // The lists are longer, but only what is near a page with data is memory: of four lists, and of
  // the summaries of three, and of the checksums, a page for each leaf.
  const std::size_t leaves = 1'000 / 512 + 1;
  const auto host_page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  CHECK(more <= leaves * 8 * host_page);
}

TEST_CASE("a limit near the least holds for a region with little data and much room",
          "[api][handler]") {
  const Folder folder;
  Region region = region_with_data(std::size_t{16} << 30, 4'000);
  BackupOptions options;
  options.most_extra_bytes = region.estimate_backup().least_extra_bytes + 16 * region.page_bytes();
  const std::size_t before = support::kernel_bytes();
  std::size_t most = 0;
  options.progress = [&](const cow::BackupProgress&) {
    most = std::max(most, support::kernel_bytes());
    return true;
  };
  const BackupReport report = region.backup(folder / "image", options).wait();
  CHECK(report.peak_extra_bytes <= options.most_extra_bytes);
  // The memory of a sanitizer or an emulator is not the backup's.
  if (!support::has_sanitizer && !support::is_emulated())
    CHECK(most <= before + options.most_extra_bytes);
  const Region loaded = Region::load(folder / "image");
  CHECK(std::equal(loaded.bytes().begin(), loaded.bytes().begin() + (std::ptrdiff_t{32} << 20),
                   region.bytes().begin()));
}
