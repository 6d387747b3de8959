// What regions, snapshots and children leave behind is given back in pieces, so that nobody who
// stores waits for more than one of them, and for no more than was used.

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "injection.hpp"
#include "mm/resources/piece.hpp"
#include "mm/space/family.hpp"
#include "os/lock.hpp"
#include "process_view.hpp"
#include "sanitizer.hpp"
#include "stopped_thread.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

// So many that dropping them at once could not be taken for a piece.
constexpr std::size_t pages = 8192;

// A piece ends behind the group of slots, or the leaf, with which it is used up.
constexpr std::uint64_t most_in_a_hold =
    cow::Piece::kMostFrames + cow::Piece::kMostLooks + cow::Extent::kGroupSlots;
static_assert(most_in_a_hold < pages);

Region written_region(unsigned value, const cow::RegionOptions& options = support::options()) {
  Region region = Region::create(pages * support::page_bytes(), options);
  support::fill(region.bytes(), value);
  return region;
}

/// The most slots that anybody looked at in one hold of a family's lock while `work` ran.
std::uint64_t most_slots_in_a_hold(const std::function<void()>& work) {
  cow::FamilyList& all = cow::FamilyList::instance();
  all.for_each([](cow::Family& family) { family.set_most_slots_in_a_hold(0); });
  work();
  std::uint64_t most = 0;
  all.for_each([&](cow::Family& family) { most = std::max(most, family.most_slots_in_a_hold()); });
  return most;
}

std::uint64_t slots_looked_at() {
  std::uint64_t slots = 0;
  cow::FamilyList::instance().for_each(
      [&](cow::Family& family) { slots += family.frames().slots_looked_at(); });
  return slots;
}

std::size_t pages_in_use() { return cow::process_stats().bytes_in_use / support::page_bytes(); }

void store_to_every(Region& region, std::size_t nth, unsigned value) {
  for (std::size_t page = 0; page < pages; page += nth) support::store(region, page, value);
}

}  // namespace

TEST_CASE("a clone that was overwritten is dropped in pieces, and all it had comes back",
          "[mm][handler]") {
  cow::RegionOptions options = support::options();
  options.reserve_frames = GENERATE(false, true);
  Region region = written_region(1, options);
  (void)region.clone();  // the home that it opens for its clones stays
  const std::size_t mappings = cow::process_stats().mappings_in_use;
  const std::size_t lines = support::count_process_mappings();
  std::optional<Region> clone = region.clone();
  support::fill(clone->bytes(), 2);
  support::settle(*clone);
  const std::uint64_t most = most_slots_in_a_hold([&] { clone.reset(); });
  CHECK(most > 0);
  CHECK(most <= most_in_a_hold);
  CHECK(cow::process_stats().mappings_in_use == mappings);
  if (!support::has_sanitizer) CHECK(support::count_process_mappings() <= lines);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
  CHECK(most_slots_in_a_hold([] { cow::trim(); }) <= most_in_a_hold);
  if (!options.reserve_frames) CHECK(pages_in_use() == pages);
  CHECK(cow::process_stats().bytes_recycled == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a region of many small mappings is dropped in pieces", "[mm][handler]") {
  Region region = written_region(1, support::single_page_options());
  (void)region.clone();
  const std::size_t mappings = cow::process_stats().mappings_in_use;
  std::optional<Region> clone = region.clone();
  store_to_every(*clone, 7, 2);
  REQUIRE(support::count_mappings(*clone) > pages / 7);
  CHECK(most_slots_in_a_hold([&] { clone.reset(); }) <= most_in_a_hold);
  CHECK(cow::process_stats().mappings_in_use == mappings);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a snapshot that holds frames alone is dropped in pieces, read or not", "[mm][handler]") {
  const bool is_read = GENERATE(false, true);
  CAPTURE(is_read);
  Region region = written_region(1, support::single_page_options());
  std::optional<Snapshot> snapshot = region.snapshot();
  if (is_read) REQUIRE(support::shows(snapshot->bytes(), 1));
  support::fill(region.bytes(), 2);
  support::settle(region);
  REQUIRE(pages_in_use() == 2 * pages);
  const std::uint64_t most = most_slots_in_a_hold([&] { snapshot.reset(); });
  CHECK(most > 0);
  CHECK(most <= most_in_a_hold);
  CHECK(pages_in_use() == pages);
  CHECK(support::shows(region.bytes(), 2));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("what was kept for a child that has ended is given back in pieces", "[mm][handler]") {
  Region region = written_region(1);
  {
    support::ForkedChild child(
        [&](support::Peer& parent) -> std::string { return parent.hear() ? "" : "no parent"; });
    support::fill(region.bytes(), 2);
    support::settle(region);
    REQUIRE(pages_in_use() == 2 * pages);
    child.peer().say();
    CHECK(child.wait().exited());
  }
  const std::uint64_t most = most_slots_in_a_hold(
      [] { (void)support::eventually([] { return pages_in_use() == pages; }); });
  CHECK(pages_in_use() == pages);
  CHECK(most > 0);
  CHECK(most <= most_in_a_hold);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("recycled frames that no control call needed go back in pieces", "[mm]") {
  Region region = written_region(1);
  {
    Region clone = region.clone();
    support::fill(clone.bytes(), 2);
  }
  (void)region.snapshot();  // takes over the frames for copies to come, and puts them in order
  const std::size_t recycled = cow::process_stats().bytes_recycled;
  const std::uint64_t most = most_slots_in_a_hold([&] {
    for (int i = 0; i < 200; ++i) (void)region.snapshot();
  });
  if (recycled > 0) CHECK(most > 0);
  CHECK(most <= most_in_a_hold);
  CHECK(cow::process_stats().bytes_recycled == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a store that waits for the family has it before the next control call or piece of one",
          "[mm]") {
  const Region region = Region::create(2 * 512 * support::page_bytes(), support::options());
  const cow::AddressSpace* space = nullptr;
  cow::FamilyList::instance().for_each([&](cow::Family& family) {
    const cow::Section section(family, cow::Section::Intent::look);
    family.for_each_shown([&](cow::ShownTable& shown) { space = shown.space; });
  });
  REQUIRE(space != nullptr);
  cow::FamilyLock lock;
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> served{0};
    const auto store = [&](std::uint64_t leaf) {
      const cow::LeafLock mine(lock, *space, leaf);
      ++served;
    };
    lock.lock_alone();
    support::WaitingThread one([&] { store(0); });
    support::WaitingThread other([&] { store(1); });
    one.wait_for_sleep();
    other.wait_for_sleep();
    lock.unlock();
    lock.lock_alone();
    CHECK(served == 2);
    lock.unlock();
    one.wait_for_end();
    other.wait_for_end();
  }
}

TEST_CASE("a fork between two pieces of a drop leaves parent and child whole", "[mm][handler]") {
  SKIP_WITHOUT_STOPPED_THREADS();
  const bool drops_view = GENERATE(false, true);
  CAPTURE(drops_view);
  Region region = written_region(1);
  std::optional<Snapshot> snapshot = region.snapshot();
  std::optional<Region> clone = region.clone();
  support::fill(clone->bytes(), 2);
  const std::byte* const dropped =
      drops_view ? snapshot->bytes().data() : std::as_const(*clone).data();
  {
    support::StoppedThread dropper(support::CallFilter().stop_at(SYS_madvise),
                                   [&] { drops_view ? snapshot.reset() : clone.reset(); });
    REQUIRE(dropper.is_stopped());
    support::store(region, 5, 9);  // nobody holds the lock meanwhile
    const auto result = support::run_in_child([&]() -> std::string {
      for (const auto& line : process_view::lines_of(dropped, region.size())) {
        if (line.shows_frames()) return "addresses are left";
      }
      if (support::load(region.bytes(), 5) != 9) return "the child sees other bytes";
      support::fill(region.bytes(), 3);
      const std::string wrong = support::broken_invariant(region);
      if (!wrong.empty()) return wrong;
      if (drops_view ? !support::shows(clone->bytes(), 2) : !support::shows(snapshot->bytes(), 1)) {
        return "a relative has changed";
      }
      snapshot.reset();
      if (drops_view) clone.reset();
      (void)region.snapshot();
      const bool is_one = process_view::frame_files().size() == 1;
      if (!is_one) return "the parent's frame file is kept";
      return support::shows(region.bytes(), 3) ? "" : "a store of the child's is lost";
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
    CHECK(support::broken_invariant(region) == "");
  }
  clone.reset();
  snapshot.reset();
  CHECK(support::load(region.bytes(), 5) == 9);
  CHECK(support::eventually([] {
    cow::trim();
    return pages_in_use() == pages;
  }));
  CHECK(support::broken_invariant(region) == "");
}

namespace {

std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoul(line.substr(6));
  }
  return 0;
}

/// Stores to 100 pages of a region of so many GiB, and drops it beside a relative. Returns how many
/// slots that looked at, or a complaint.
std::string complaint_about_sparse_drop(std::size_t gib) {
  constexpr std::size_t stores = 100;
  constexpr std::uint64_t leaf_pages = 512;
  const std::size_t size = gib << 30;
  const Region relative = Region::create(size, support::options());
  std::optional<Region> region = relative.clone();
  for (std::size_t i = 0; i < stores; ++i) region->data()[size / stores * i] = std::byte{1};
  const std::size_t resident = resident_kib();
  const std::uint64_t before = slots_looked_at();
  region.reset();
  cow::trim();
  const std::uint64_t looks = slots_looked_at() - before;
  // A fault takes frames of zeros for its whole leaf; each is dropped and looked at once more.
  if (looks > stores * 3 * (leaf_pages + cow::Extent::kGroupSlots)) {
    return std::to_string(gib) + " GiB: " + std::to_string(looks) + " slots were looked at";
  }
  if (cow::process_stats().bytes_in_use + cow::process_stats().bytes_recycled != 0) {
    return "memory is left";
  }
  constexpr std::size_t few_kib = 2048;
  if (!support::has_sanitizer && resident_kib() > resident + few_kib) {
    return std::to_string(gib) + " GiB: the drop took " +
           std::to_string(resident_kib() - resident) + " KiB";
  }
  return "";
}

}  // namespace

TEST_CASE("dropping and trimming a sparse region costs what was stored to, not its size",
          "[mm][handler]") {
  if (support::is_emulated()) return;
  for (const std::size_t gib : {std::size_t{1}, std::size_t{32}, std::size_t{1024}}) {
    const auto result = support::run_in_child([&] { return complaint_about_sparse_drop(gib); });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

namespace {

/// System calls of a snapshot beside so many children that live.
unsigned calls_of_a_snapshot(std::size_t children) {
  constexpr unsigned never = 1'000'000'000;
  injection::Plan none;
  none.k = never;
  const injection::Outcome outcome =
      injection::run(none, [&](const injection::Window& window) -> std::string {
        const Region region = Region::create(1, support::options());
        (void)region.snapshot();
        int ends[2];
        if (::pipe(ends) != 0) return "no pipe";
        for (std::size_t i = 0; i < children; ++i) {
          const pid_t pid = ::fork();
          if (pid < 0) return "no fork";
          if (pid > 0) continue;
          ::close(ends[1]);
          char nothing = 0;
          _exit(::read(ends[0], &nothing, 1) == 0 ? 0 : 1);  // until the parent ends
        }
        (void)region.snapshot();
        const auto thrown = window.run([&] { (void)region.snapshot(); });
        return thrown == nullptr ? "" : "a snapshot was refused";
      });
  CHECK(outcome.complaint == "");
  return outcome.calls;
}

}  // namespace

TEST_CASE("a control call asks only some of many children whether they have ended", "[mm]") {
  const std::string reason = injection::reason_to_skip({});
  if (!reason.empty()) {
    WARN("skipped: " << reason);
    return;
  }
  const unsigned with_few = calls_of_a_snapshot(4);
  const unsigned with_many = calls_of_a_snapshot(60);
  CHECK(with_few > 0);
  CHECK(with_many == with_few);
}

TEST_CASE("children that have ended are found behind any number that live", "[mm][handler]") {
  Region region = Region::create(40 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  support::settle(region);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  std::vector<std::unique_ptr<support::ForkedChild>> children;
  const auto until_told = [](support::Peer& parent) -> std::string {
    (void)parent.hear();
    return "";
  };
  for (std::size_t i = 0; i < 12; ++i) {
    children.push_back(std::make_unique<support::ForkedChild>(until_told));
  }
  support::fill(region.bytes(), 2);  // the twelve share the frames of what was there before
  {
    support::ForkedChild last(until_told);
    support::fill(region.bytes(), 3);
    support::settle(region);
    CHECK(cow::process_stats().bytes_in_use == 3 * in_use);
    last.peer().say();
    CHECK(last.wait().exited());
  }
  CHECK(support::eventually([&] {
    (void)region.snapshot();
    return cow::process_stats().bytes_in_use == 2 * in_use;
  }));
  for (auto& child : children) {
    child->peer().say();
    CHECK(child->wait().exited());
  }
  CHECK(support::eventually([&] {
    cow::trim();
    return cow::process_stats().bytes_in_use == in_use;
  }));
}
