#include "api/backup_estimate.hpp"

#include <algorithm>

#include "api/backup_file.hpp"
#include "api/control_call.hpp"
#include "mm/control/past_reader.hpp"
#include "mm/control/touched.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/copy_on_write.hpp"

namespace cow::detail {

namespace {

// What the thread's stack, what libc has for it, and this state take, with some room.
constexpr std::size_t kThreadBytes = std::size_t{128} << 10;
// What is known of a slot in an extent that pages of the past are copied to.
constexpr std::size_t kSlotBytes = 16;

PageCount leased_pages(AddressSpace& space) noexcept {
  PageCount pages{0};
  for (const PageSpan span : space.leases()) pages = pages + span.count();
  return pages;
}

std::size_t bytes_of_tables(const AddressSpace& space) noexcept {
  const PageTable& table = space.table();
  std::size_t leaves = 0;
  std::size_t directories = 0;
  for_each_leaf(table, [&](const Leaf&) { ++leaves; });
  for (std::uint64_t i = 0; i < table.directory_count(); ++i)
    directories += table.directory_at(i) != nullptr ? 1 : 0;
  if (space.family().frames().backing() == Backing::reserved) {
    leaves = leaves_for(table.pages());
    directories = table.directory_count();
  }
  return leaves * sizeof(Leaf) + directories * sizeof(Directory);
}

std::uint64_t pages_with_frames(const AddressSpace& space) noexcept {
  std::uint64_t frames = 0;
  for_each_leaf(space.table(), [&](const Leaf& leaf) {
    for (const Entry entry : leaf.entries) frames += entry.is_zero_page() ? 0 : 1;
  });
  return frames;
}

// About what the kernel takes to copy a leased page.
constexpr std::uint64_t kCopyNsOfKiB = 250;

// Of the lists only what is near a bit of a page with data is memory: for a leaf, one page of the
// bits and one of their summary.
std::size_t bytes_of_lists(PageCount pages, std::uint64_t leaves) noexcept {
  return kBackupLists * std::min(bytes_of_list(pages), 2 * leaves * os::page_bytes());
}

}  // namespace

std::uint64_t leaves_with_data(const AddressSpace& space) noexcept {
  if (space.family().frames().shows_file()) return leaves_for(space.table().pages());
  std::uint64_t leaves = 0;
  for_each_leaf(space.table(), [&](const Leaf&) { ++leaves; });
  return leaves;
}

BackupNeed need_of(AddressSpace& space, std::size_t target_bytes) noexcept {
  const Family& family = space.family();
  const PageGeometry geometry = family.geometry();
  const PageCount pages = family.pages();
  BackupNeed need;
  need.books = bytes_of_lists(pages, leaves_with_data(space)) + PastReader::bytes_taken(geometry) +
               target_bytes + bytes_of_tables(space) + kThreadBytes;
  need.leased = geometry.bytes(leased_pages(space));
  need.page = geometry.page_bytes() + kSlotBytes;
  const std::uint64_t frames = pages_with_frames(space);
  // Reserved frames are taken by the cut, one for each page there may be.
  const bool is_reserved = space.family().frames().backing() == Backing::reserved;
  if (is_reserved) need.reserved = pages;
  need.most = need.books + (is_reserved ? pages.value : frames) * need.page;
  need.least = is_reserved ? need.most : need.books + need.leased + need.page;
  need.most = std::max(need.most, need.least);
  return need;
}

BackupEstimate estimate_backup(AddressSpace& space, const BackupOptions& options) {
  check_callable(space.family());
  const Section section(space.family(), Section::Intent::look);
  const PageCount pages = space.family().pages();
  const BackupNeed need = need_of(space, BackupFile::extra_bytes(pages, leaves_with_data(space)));
  BackupEstimate estimate;
  const bool shows_file = space.family().frames().shows_file();
  estimate.pages = shows_file ? pages.value : pages_with_frames(space);
  // Each page may be a run of its own.
  const std::size_t listed = sizeof(ImageRun) + sizeof(std::uint64_t);
  estimate.bytes_at_most = kImageHeaderBytes + space.family().geometry().bytes({estimate.pages}) +
                           estimate.pages * listed;
  estimate.least_extra_bytes = need.least;
  estimate.most_extra_bytes = std::min(options.most_extra_bytes, need.most);
  const Costs& now = space.copy_on_write().costs();
  const auto sharing_ns =
      static_cast<std::uint64_t>(now.snapshot.estimate_ns(touched_by_sharing(space)));
  estimate.cut = std::chrono::nanoseconds(sharing_ns + need.leased / 1024 * kCopyNsOfKiB);
  const auto writing_ns = static_cast<std::uint64_t>(now.backup.estimate_ns(estimate.pages));
  estimate.duration = std::max(estimate.cut, std::chrono::nanoseconds(writing_ns));
  return estimate;
}

}  // namespace cow::detail
