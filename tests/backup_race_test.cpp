// A backup with a limit begins at any moment of a call that changes pages without a fault.

#include <sys/syscall.h>

#include <atomic>
#include <chrono>
#include <cow/cow.hpp>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "backup_support.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "stopped_thread.hpp"
#include "support.hpp"

using cow::Region;
using support::CallFilter;
using support::StoppedThread;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Found {
  bool was_stopped = false;          ///< the call that discards has so many of those calls
  bool was_done_while_held = false;  ///< it had returned when the backup had not saved everything
  bool image_has_data = false;       ///< the backup's moment was before it
};

/// The thread that discards is stopped at its call number `at` when the backup begins.
Found backup_in_discard(int at, const std::filesystem::path& image) {
  Region region = Region::create(16 * kMiB, support::single_page_options());
  std::memset(region.data(), 1, region.size());
  Found found;
  std::atomic<bool> is_done{false};
  StoppedThread discarding(CallFilter().stop_at(SYS_rt_sigprocmask), [&] {
    region.discard(0, region.size());
    is_done = true;
  });
  for (int i = 0; i < at; ++i) discarding.go_on();
  found.was_stopped = discarding.is_stopped();
  support::Gate gate;
  cow::BackupOptions options;
  options.most_extra_bytes = 2 * kMiB;
  options.progress = gate.progress(1);
  std::optional<cow::Backup> backup;
  support::WaitingThread saving([&] { backup.emplace(region.backup(image, options)); });
  constexpr std::chrono::milliseconds kAWhile{50};
  std::this_thread::sleep_for(kAWhile);  // it begins now, or waits for who is stopped
  std::thread letting_go([&] { discarding.finish(); });
  gate.wait_until_held();
  std::this_thread::sleep_for(kAWhile);
  found.was_done_while_held = is_done;
  gate.open();
  letting_go.join();
  saving.wait_for_end();
  backup->wait();
  found.image_has_data = Region::load(image).bytes().back() == std::byte{1};
  return found;
}

}  // namespace

TEST_CASE("what a backup with a limit has not saved is not discarded, whenever it began", "[api]") {
  SKIP_WITHOUT_STOPPED_THREADS();
  if (support::kernel_copies()) {
    WARN("skipped: where the kernel copies there are no limits");
    return;
  }
  const support::Folder folder;
  int at = 0;
  for (bool was_stopped = true; was_stopped; ++at) {
    CAPTURE(at);
    const Found found = backup_in_discard(at, folder / std::to_string(at));
    CHECK_FALSE((found.was_done_while_held && found.image_has_data));
    was_stopped = found.was_stopped;
    REQUIRE(at < 100);
  }
  CHECK(at > 2);
}
