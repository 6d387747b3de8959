// The limit on the memory that a backup takes: it holds by the kernel's own count, stores wait for
// it and go on, and control calls keep it, too.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "backup_support.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "mm/fault/handler_copies.hpp"
#include "mm/resources/costs.hpp"
#include "mm/watch/kernel_copies.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::Backup;
using cow::BackupOptions;
using cow::BackupReport;
using cow::Region;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;

// What docs/backup.md says the kernel's count may pass a limit by.
constexpr std::size_t kSlackBytes = std::size_t{1} << 20;

/// Every page of the host's has bytes: where a granule has a hole, a copy has none.
Region full_region(std::size_t pages) {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  const auto host_page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (std::size_t at = 16; at < region.size(); at += host_page)
    region.bytes()[at] = static_cast<std::byte>(1 + at % 200);
  return region;
}

/// The least limit with room for `pages` pages.
std::size_t limit_for(const Region& region, std::size_t pages) {
  return region.estimate_backup().least_extra_bytes + (pages - 1) * (region.page_bytes() + 16);
}

/// A store on a thread of its own, which waits.
class WaitingStore {
 public:
  WaitingStore(Region& region, std::size_t page)
      : thread_([this, &region, page] {
          thread_id_.store(::gettid());
          support::store(region, page, 99);
          is_done_.store(true);
        }) {
    while (thread_id_.load() == 0 || !has_stopped()) std::this_thread::yield();
  }
  ~WaitingStore() { thread_.join(); }
  WaitingStore(const WaitingStore&) = delete;
  WaitingStore& operator=(const WaitingStore&) = delete;
  [[nodiscard]] bool is_done() const { return is_done_.load(); }

 private:
  // It waits, or has ended, which it should not have.
  [[nodiscard]] bool has_stopped() const {
    return is_done() || support::is_asleep(thread_id_.load());
  }

  std::atomic<pid_t> thread_id_{0};
  std::atomic<bool> is_done_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("under a storm of stores a backup is one moment, and its memory stays below the limit",
          "[api][handler]") {
  const Folder folder;
  const std::size_t pages = (std::size_t{24} << 20) / support::page_bytes();
  for (const std::size_t percent : {1u, 10u, 100u}) {
    CAPTURE(percent);
    Region region = full_region(pages);
    BackupOptions options;
    options.most_extra_bytes = std::max(region.size() * percent / 100, limit_for(region, 1));
    support::Storm storm(region, 8);
    storm.wait_for_stores(pages / 4);
    support::MemoryWatch memory;
    const BackupReport report = region.backup(folder / "image", options).wait();
    const std::size_t extra = memory.most_extra();
    storm.stop();
    CHECK(report.peak_extra_bytes <= options.most_extra_bytes);
    if (!support::has_sanitizer) CHECK(extra <= options.most_extra_bytes + kSlackBytes);
    const Region loaded = Region::load(folder / "image");
    CHECK(storm.check(loaded.bytes()) == "");
    CHECK(support::broken_invariant(region) == "");
    CHECK(report.waits.p50 <= report.waits.p99);
    CHECK(report.waits.p99 <= report.waits.max);
    CHECK(report.waits.max <= report.waits.total);
  }
}

TEST_CASE("a store that a limit has no room for waits until its page is saved", "[api][handler]") {
  const Folder folder;
  Region region = full_region(600);
  const Bytes expected = support::plain_copy(region.bytes());
  support::Gate gate;
  BackupOptions options;
  options.most_extra_bytes = limit_for(region, 2);
  options.progress = gate.progress(1);
  Backup backup = region.backup(folder / "image", options);
  gate.wait_until_held();
  const std::uint64_t before = region.stats().pages_copied;
  support::store(region, 500, 1);
  support::store(region, 501, 1);
  CHECK(region.stats().pages_copied == before + 2);
  support::store(region, 0, 1);  // saved already
  CHECK(region.stats().pages_copied == before + 2);
  {
    const WaitingStore store(region, 502);
    CHECK(!store.is_done());
    CHECK(region.stats().pages_copied == before + 2);
    gate.open();
  }
  const BackupReport report = backup.wait();
  CHECK(region.stats().pages_copied == before + 2);
  CHECK(report.waits.count == 1);
  CHECK(report.waits.max == report.waits.total);
  CHECK(report.waits.max.count() > 0);
  const Region loaded = Region::load(folder / "image");
  CHECK(support::difference(expected, loaded.bytes()) == "");
}

TEST_CASE("stores of a clone are charged to a backup of its region", "[api][handler]") {
  const Folder folder;
  Region region = full_region(600);
  Region clone = region.clone();
  const Bytes expected = support::plain_copy(region.bytes());
  support::Gate gate;
  BackupOptions options;
  options.most_extra_bytes = limit_for(region, 1);
  options.progress = gate.progress(1);
  Backup backup = region.backup(folder / "image", options);
  gate.wait_until_held();
  support::store(clone, 500, 1);
  support::store(region, 500,
                 2);  // the same page costs the backup one frame, however many leave it
  {
    const WaitingStore store(clone, 501);
    CHECK(!store.is_done());
    gate.open();
  }
  backup.wait();
  const Region loaded = Region::load(folder / "image");
  CHECK(support::difference(expected, loaded.bytes()) == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("control calls that change many pages wait until a limited backup has saved them",
          "[api][handler]") {
  const Folder folder;
  for (const int call : {0, 1, 2, 3}) {
    CAPTURE(call);
    Region region = full_region(600);
    const cow::Snapshot old = region.snapshot();
    for (std::size_t page = 0; page < 600; ++page) support::store(region, page, 7);
    const Bytes expected = support::plain_copy(region.bytes());
    support::Gate gate;
    BackupOptions options;
    options.most_extra_bytes = limit_for(region, 4);
    options.progress = gate.progress(1);
    Backup backup = region.backup(folder / "image", options);
    gate.wait_until_held();
    std::atomic<bool> is_done{false};
    std::thread caller([&] {
      if (call == 0) region.restore(old);
      if (call == 1) region.discard(300 * region.page_bytes(), 200 * region.page_bytes());
      if (call == 2) static_cast<void>(region.write_lease(300 * region.page_bytes(), 100'000));
      if (call == 3) region.apply({{400, 20}}, old);
      is_done.store(true);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(!is_done.load());
    gate.open();
    const BackupReport report = backup.wait();
    caller.join();
    CHECK(report.peak_extra_bytes <= options.most_extra_bytes);
    CHECK(report.waits.count == 0);  // no store did
    const Region loaded = Region::load(folder / "image");
    CHECK(support::difference(expected, loaded.bytes()) == "");
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("a store waits for one batch, not for all that a control call waits for",
          "[api][handler]") {
  const Folder folder;
  Region region = full_region(2'000);
  std::atomic<unsigned> calls{0};
  std::atomic<unsigned> allowed{0};
  BackupOptions options;
  options.most_extra_bytes = limit_for(region, 1);
  options.progress = [&](const cow::BackupProgress&) {
    ++calls;
    while (calls.load() > allowed.load()) std::this_thread::yield();
    return true;
  };
  Backup backup = region.backup(folder / "image", options);
  while (calls.load() == 0) std::this_thread::yield();
  support::store(region, 1'998, 1);  // there is room for this one
  std::atomic<pid_t> caller_id{0};
  std::thread caller([&] {
    caller_id.store(::gettid());
    region.discard(500 * region.page_bytes(), 1'000 * region.page_bytes());
  });
  while (caller_id.load() == 0 || !support::is_asleep(caller_id.load())) std::this_thread::yield();
  {
    const WaitingStore store(region, 1'999);
    allowed.store(1);  // one batch more
    while (calls.load() == 1) std::this_thread::yield();
    for (int i = 0; !store.is_done() && i < 5'000; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(store.is_done());
    allowed.store(~0u);
  }
  caller.join();
  backup.wait();
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a limit below the least is refused with the least in words, and the least works",
          "[api][handler]") {
  const Folder folder;
  Region region = full_region(600);
  const cow::BackupEstimate estimate = region.estimate_backup();
  CHECK(estimate.pages == 600);
  CHECK(estimate.bytes_at_most >= 600 * region.page_bytes());
  CHECK(estimate.most_extra_bytes > estimate.least_extra_bytes);
  BackupOptions options;
  options.most_extra_bytes = estimate.least_extra_bytes - 1;
  try {
    static_cast<void>(region.backup(folder / "image", options));
    FAIL("not refused");
  } catch (const std::invalid_argument& error) {
    CHECK(std::string(error.what()).find(std::to_string(estimate.least_extra_bytes)) !=
          std::string::npos);
  }
  options.most_extra_bytes = estimate.least_extra_bytes;
  Backup backup = region.backup(folder / "image", options);
  for (std::size_t page = 0; page < 600; ++page) support::store(region, page, 3, 40);
  const BackupReport report = backup.wait();
  CHECK(report.bytes_written <= estimate.bytes_at_most);
  CHECK(report.peak_extra_bytes <= estimate.least_extra_bytes);
}

TEST_CASE("the estimate of a backup's duration follows the backups to paths, and no streams",
          "[api]") {
  const Folder folder;
  const Region region = full_region(600);
  const cow::CostAverage& average =
      (support::kernel_copies() ? cow::kernel_copies() : cow::handler_copies()).costs().backup;
  const std::uint64_t before = average.notes();
  const int file = ::open((folder / "stream").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  region.backup(file).wait();
  ::close(file);
  CHECK(average.notes() == before);
  const BackupReport report = region.backup(folder / "image").wait();
  CHECK(average.notes() == before + 1);
  const cow::BackupEstimate estimate = region.estimate_backup();
  CHECK(estimate.duration.count() ==
        std::max(estimate.cut.count(), static_cast<std::int64_t>(average.estimate_ns(600))));
  CHECK(estimate.duration >= estimate.cut);
  CHECK(report.pages == 600);
}

TEST_CASE("leased pages count when a backup begins, and more than its limit are refused",
          "[api][handler]") {
  const Folder folder;
  Region region = full_region(600);
  BackupOptions options;
  options.most_extra_bytes = limit_for(region, 100);
  cow::WriteLease lease = region.write_lease(0, 200 * region.page_bytes());
  CHECK_THROWS_AS(region.backup(folder / "image", options), std::invalid_argument);
  lease = region.write_lease(0, 50 * region.page_bytes());
  const Bytes expected = support::plain_copy(region.bytes());
  Backup backup = region.backup(folder / "image", options);
  lease.data()[1] = std::byte{3};
  backup.wait();
  const Region loaded = Region::load(folder / "image");
  CHECK(support::difference(expected, loaded.bytes()) == "");
}

TEST_CASE("stores that wait for a backup go on when its reader goes, or when it is cancelled",
          "[api][handler]") {
  for (const bool reader_goes : {true, false}) {
    CAPTURE(reader_goes);
    Region region = full_region(2000);
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    BackupOptions options;
    options.most_extra_bytes = limit_for(region, 1);
    Backup backup = region.backup(ends[1], options);
    support::store(region, 1998, 1);
    {
      const WaitingStore store(region, 1999);
      if (reader_goes) {
        ::close(std::exchange(ends[0], -1));
      } else {
        backup.cancel();
      }
    }
    try {
      backup.wait();
      FAIL("not an error");
    } catch (const std::system_error& error) {
      CHECK(error.code().value() == (reader_goes ? EPIPE : ECANCELED));
      CHECK(support::is_sentence(error.what()));
    }
    CHECK(cow::process_stats().bytes_recycled == 0);
    CHECK(support::broken_invariant(region) == "");
    for (const int end : ends) ::close(end);
  }
}

TEST_CASE("progress may store to the region: the backup's own thread does not wait for itself",
          "[api][handler]") {
  const Folder folder;
  Region region = full_region(600);
  const Bytes expected = support::plain_copy(region.bytes());
  BackupOptions options;
  options.most_extra_bytes = limit_for(region, 1);
  std::size_t page = 600;
  options.progress = [&](const cow::BackupProgress&) {
    if (page > 0) support::store(region, --page, 1);
    if (page > 0) region.discard(--page * region.page_bytes(), region.page_bytes());
    return true;
  };
  region.backup(folder / "image", options).wait();
  const Region loaded = Region::load(folder / "image");
  CHECK(support::difference(expected, loaded.bytes()) == "");
}
