// What other calls do to a backup that goes on, and what a backup leaves to them: sizes that
// change, pages that are discarded or leased, fork(), and the last moment at which it can be
// cancelled.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "alternate_stack.hpp"
#include "backup_support.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::Backup;
using cow::BackupOptions;
using cow::Region;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t kMiB = std::size_t{1} << 20;

Region full_region(std::size_t bytes, std::size_t most_bytes = 0) {
  cow::RegionOptions options = support::single_page_options();
  options.most_bytes = most_bytes;
  Region region = Region::create(bytes, options);
  std::memset(region.data(), 1, region.size());
  return region;
}

/// Of `region`, to a file by its path or by a descriptor.
void save(const Region& region, const std::filesystem::path& path, bool as_stream) {
  if (!as_stream) {
    region.backup(path).wait();
    return;
  }
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  Backup backup = region.backup(file);
  ::close(file);
  backup.wait();
}

Region loaded(const std::filesystem::path& path) {
  cow::LoadOptions options;
  options.mode = cow::LoadMode::copied;
  return Region::load(path, options);
}

}  // namespace

TEST_CASE("a backup beside a region that grows has the size of its moment", "[api][handler]") {
  const Folder folder;
  for (const bool as_stream : {false, true}) {
    CAPTURE(as_stream);
    for (int round = 0; round < 20; ++round) {
      Region region = full_region(kMiB, 256 * kMiB);
      const std::size_t step = region.page_bytes();
      std::atomic<bool> stops{false};
      std::thread grower([&] {
        while (!stops.load() && region.size() < 256 * kMiB) {
          const std::size_t size = region.size();
          region.grow(size + step);
          std::memset(region.data() + size, 2, step);
        }
      });
      // Whoever wants the lock often has to wait for it, a backup between its steps, too.
      std::thread other([&] {
        while (!stops.load()) static_cast<void>(region.snapshot());
      });
      while (region.size() == kMiB) std::this_thread::yield();
      save(region, folder / "image", as_stream);
      stops.store(true);
      grower.join();
      other.join();
      const Region image = loaded(folder / "image");
      REQUIRE(image.size() > kMiB);
      REQUIRE(image.size() <= region.size());
      // What was grown before the last step was stored to before it.
      const std::size_t stored = image.size() - step;
      REQUIRE(std::memcmp(image.data(), region.data(), stored) == 0);
    }
  }
}

TEST_CASE("a backup leaves out the pages of a lease that lie behind the region's end",
          "[api][handler]") {
  const Folder folder;
  Region region = full_region(kMiB, 32 * kMiB);
  const cow::Snapshot small = region.snapshot();
  region.grow(32 * kMiB);
  const std::size_t page = region.page_bytes();
  for (const std::size_t first : {kMiB / page, kMiB / page + 1, 16 * kMiB / page}) {
    CAPTURE(first);
    region.grow(32 * kMiB);
    cow::WriteLease lease = region.write_lease(first * page, 3 * page);
    region.restore(small);
    std::memset(lease.data(), 9, lease.size());
    for (const bool as_stream : {false, true}) {
      CAPTURE(as_stream);
      save(region, folder / "image", as_stream);
      const Region image = loaded(folder / "image");
      CHECK(image.size() == region.size());
      CHECK(std::memcmp(image.data(), region.data(), region.size()) == 0);
    }
    CHECK(support::broken_invariant(region) == "");
  }
}

namespace {

/// Calls `call` on a thread of its own while a backup with a limit waits for it at its first pages;
/// lets the backup save `pages` more, and returns the kernel's count before the backup began and
/// when the call was done.
struct Counts {
  std::size_t before = 0;
  std::size_t after = 0;
  std::size_t limit = 0;
};
Counts counts_beside_call(Region& region, std::size_t pages, const std::function<void()>& call) {
  const Folder folder;
  std::atomic<pid_t> caller_id{0};
  std::atomic<bool> is_done{false};
  Counts counts;
  std::uint64_t first = 0;
  BackupOptions options;
  options.progress = [&](const cow::BackupProgress& progress) {
    if (first == 0) {
      first = progress.pages_done;
      while (caller_id.load() == 0 || !support::is_asleep(caller_id.load()))
        std::this_thread::yield();
    }
    const bool is_call_saved =
        progress.pages_done >= std::min<std::uint64_t>(first + pages, progress.pages_total);
    // A call that still waits would wait for ever: the checks tell.
    for (int i = 0; is_call_saved && !is_done.load() && i < 5'000; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return true;
  };
  counts.limit = options.most_extra_bytes =
      region.estimate_backup().least_extra_bytes + 16 * region.page_bytes();
  counts.before = support::kernel_bytes();
  Backup backup = region.backup(folder / "image", options);
  std::thread caller([&] {
    caller_id.store(::gettid());
    call();
    counts.after = support::kernel_bytes();
    is_done.store(true);
  });
  caller.join();
  backup.wait();
  return counts;
}

}  // namespace

TEST_CASE("discards, restores and leases beside a backup keep its limit, by the kernel's count",
          "[api][handler]") {
  const std::size_t bytes = 32 * kMiB;
  for (const int call : {0, 1, 2}) {
    CAPTURE(call);
    Region region = Region::create(bytes, support::single_page_options());
    const cow::Snapshot empty = region.snapshot();
    std::memset(region.data(), 1, region.size());
    const std::size_t pages = bytes / region.page_bytes();
    cow::WriteLease lease;
    const Counts counts = counts_beside_call(region, call == 1 ? pages : pages / 2, [&] {
      if (call == 0) region.discard(bytes / 2, bytes / 2);
      if (call == 1) region.restore(empty);
      if (call == 2) lease = region.write_lease(bytes / 2, bytes / 2);
    });
    const std::size_t given_back = call == 0 ? bytes / 2 : call == 1 ? bytes : 0;
    if (!support::has_sanitizer)
      CHECK(counts.after + given_back <= counts.before + counts.limit + kMiB);
    lease = {};
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("a backup waits for ever if it may, and a negative time is refused", "[api]") {
  Region region = full_region(kMiB);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  BackupOptions options;
  options.longest_stall = std::chrono::milliseconds(-1);
  CHECK_THROWS_AS(region.backup(ends[1], options), std::invalid_argument);
  options.longest_stall = std::chrono::milliseconds::max();
  Backup backup = region.backup(ends[1], options);
  ::close(ends[1]);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));  // it looks every 20 ms
  std::vector<char> buffer(std::size_t{64} << 10);
  while (::read(ends[0], buffer.data(), buffer.size()) > 0) continue;
  CHECK(backup.wait().pages == region.size() / region.page_bytes());
  ::close(ends[0]);
}

TEST_CASE("a backup is cancelled up to its last step", "[api]") {
  const Folder folder;
  Region region = full_region(kMiB);
  std::atomic<Backup*> handle{nullptr};
  bool is_cancelled = false;
  BackupOptions options;
  options.progress = [&](const cow::BackupProgress& progress) {
    if (progress.bytes_written <= region.size()) return true;
    while (handle.load() == nullptr) std::this_thread::yield();
    handle.load()->cancel();  // all is written, header and lists included
    is_cancelled = true;
    return true;
  };
  Backup backup = region.backup(folder / "image", options);
  handle.store(&backup);
  try {
    backup.wait();
    FAIL("not cancelled");
  } catch (const std::system_error& error) {
    CHECK(error.code().value() == ECANCELED);
  }
  CHECK(is_cancelled);
  CHECK(!std::filesystem::exists(folder / "image"));
}

namespace {

struct OnStack {
  Region* region = nullptr;
  const cow::Snapshot* snapshot = nullptr;
  bool is_refused = false;
  ucontext_t outside{};
  ucontext_t inside{};
};
OnStack* g_on_stack = nullptr;

void restore_on_this_stack() {
  try {
    g_on_stack->region->restore(*g_on_stack->snapshot);
  } catch (const std::logic_error&) {
    g_on_stack->is_refused = true;
  }
}

}  // namespace

TEST_CASE("restore on a stack in a region is refused before it waits for a backup",
          "[api][handler]") {
  if (support::has_sanitizer) {
    WARN("skipped: a sanitizer does not know such a stack");
    return;
  }
  const support::AlternateStack alternate(std::size_t{128} << 10);
  const Folder folder;
  Region region = full_region(4 * kMiB);
  const cow::Snapshot snapshot = region.snapshot();
  support::Gate gate;
  BackupOptions options;
  options.most_extra_bytes = region.estimate_backup().least_extra_bytes + 2 * kMiB;
  options.progress = gate.progress(1);
  Backup backup = region.backup(folder / "image", options);
  gate.wait_until_held();
  OnStack on_stack{&region, &snapshot, false, {}, {}};
  g_on_stack = &on_stack;
  ::getcontext(&on_stack.inside);
  on_stack.inside.uc_stack.ss_sp = region.data() + 3 * kMiB;
  on_stack.inside.uc_stack.ss_size = kMiB;
  on_stack.inside.uc_link = &on_stack.outside;
  ::makecontext(&on_stack.inside, restore_on_this_stack, 0);
  ::swapcontext(&on_stack.outside, &on_stack.inside);
  CHECK(on_stack.is_refused);
  gate.open();
  backup.wait();
}

TEST_CASE("a child that is forked during a backup keeps no pipe of it open", "[api]") {
  Region region = full_region(kMiB);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  Backup backup = region.backup(ends[1]);
  ::close(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  bool has_ended = false;
  std::vector<char> buffer(std::size_t{64} << 10);
  for (pollfd asked{ends[0], POLLIN, 0}; !has_ended && ::poll(&asked, 1, 60'000) > 0;)
    has_ended = ::read(ends[0], buffer.data(), buffer.size()) <= 0;
  CHECK(has_ended);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  backup.wait();
  ::close(ends[0]);
}

TEST_CASE("a child that comes back from progress, which forked it, ends, and its parent goes on",
          "[api]") {
  if (support::has_sanitizer) {
    WARN("skipped: a sanitizer reports how the child ends");
    return;
  }
  const Folder folder;
  Region region = full_region(kMiB);
  pid_t child = -1;
  int status = 0;
  BackupOptions options;
  options.progress = [&](const cow::BackupProgress&) {
    if (child >= 0) return true;
    child = ::fork();
    if (child == 0) support::die_silently_of_faults();
    if (child > 0) ::waitpid(child, &status, 0);
    return true;
  };
  region.backup(folder / "image", options).wait();
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGBUS);
  CHECK(std::memcmp(loaded(folder / "image").data(), region.data(), region.size()) == 0);
}
