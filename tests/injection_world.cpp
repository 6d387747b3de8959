#include "injection_world.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "folder.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace injection {

using cow::Region;
using cow::Snapshot;

// ---- Held ---------------------------------------------------------------------------------------

Held Held::now() {
  const cow::ProcessStats stats = cow::process_stats();
  const std::filesystem::directory_iterator descriptors("/proc/self/fd");
  return {static_cast<std::size_t>(std::distance(begin(descriptors), end(descriptors))),
          stats.families, stats.regions};
}

std::string Held::difference(const Held& later) const {
  const auto compare = [](const char* what, std::size_t then, std::size_t now) -> std::string {
    if (then == now) return "";
    return std::string(what) + ": " + std::to_string(then) + " before, " + std::to_string(now) +
           " afterwards; ";
  };
  return compare("descriptors", descriptors, later.descriptors) +
         compare("families", families, later.families) + compare("regions", regions, later.regions);
}

// ---- World --------------------------------------------------------------------------------------

World::World(std::size_t pages, bool reserve_frames) : reserve_frames_(reserve_frames) {
  cow::RegionOptions options = support::options();
  if (pages > 512) options.granule_bytes = 0;  // several leaves of large pages take too long
  options.reserve_frames = reserve_frames;
  page_bytes_ = Region::create(1, options).page_bytes();
  const std::size_t size = pages * page_bytes_ - 100;
  add(Region::create(size, options));
  const auto keep_now = [&](std::size_t region, bool mapped) {
    keep(regions[region].snapshot(), plain[region], mapped);
  };
  const std::size_t far = pages - 10;  // in the last leaf
  for (std::size_t page = 0; page < 8; ++page) store(0, page, 10);
  for (std::size_t page = far; page < far + 5; ++page) store(0, page, 11);
  keep_now(0, false);
  for (const std::size_t page : {std::size_t{2}, std::size_t{3}, far + 1}) store(0, page, 12);
  keep_now(0, true);
  for (const std::size_t page : {std::size_t{1}, std::size_t{9}, far + 6}) store(0, page, 13);
  add(regions[0].clone());
  for (const std::size_t page : {std::size_t{0}, std::size_t{5}, far + 7}) store(1, page, 14);
  for (const std::size_t page : {std::size_t{4}, std::size_t{6}, far + 2}) store(0, page, 15);
  keep_now(1, false);
  store(1, 7, 16);
  add(regions[0].clone(cow::CloneMode::eager));
  store(2, 3, 17);
  add(Region::create(size, options));  // a family of its own
  for (const std::size_t page : {std::size_t{1}, std::size_t{5}, far}) store(3, page, 18);
  for (std::size_t page = 0; page < 4; ++page) store(0, page, 19);
}

void World::break_into_pieces(std::size_t pages) {
  add(regions[0].clone());
  for (std::size_t page = 0; page < pages; page += 2) store(0, page, 20);
}

void World::hold_by_child() {
  int ends[2];
  if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  child_ = ::fork();
  if (child_ == 0) {
    ::close(ends[1]);
    char nothing = 0;
    while (::read(ends[0], &nothing, 1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  }
  ::close(ends[0]);
  line_to_child_ = ends[1];
}

void World::run_short_of_mappings() {
  claimed_mappings_ = support::max_map_count();
  cow::mapping_budget::add(static_cast<std::int64_t>(claimed_mappings_));
}

void World::add(Region region) {
  plain.push_back(support::plain_copy(region.bytes()));
  regions.push_back(std::move(region));
}

void World::keep(Snapshot snapshot, const std::vector<std::byte>& bytes, bool mapped) {
  const std::byte* const seen = mapped ? snapshot.bytes().data() : nullptr;
  pasts.push_back({std::move(snapshot), bytes, mapped, seen});
}

void World::store(std::size_t region, std::size_t page, unsigned value) {
  const std::size_t offset = page % 50;
  support::store(regions[region], page, value, offset);
  plain[region][page * page_bytes_ + offset] = static_cast<std::byte>(value);
}

std::string World::complaint() const {
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const std::string wrong = support::broken_invariant(regions[i]);
    if (!wrong.empty()) return "region " + std::to_string(i) + ": " + wrong;
  }
  return complaint_about_bytes();
}

std::string World::complaint(const Window& window) const {
  return window.refuses_for_good("mprotect") ? complaint_about_bytes() : complaint();
}

std::string World::complaint_about_bytes() const {
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const std::string wrong = support::difference(plain[i], regions[i].bytes());
    if (!wrong.empty()) return "region " + std::to_string(i) + ": " + wrong;
  }
  for (std::size_t i = 0; i < pasts.size(); ++i) {
    if (!pasts[i].mapped) continue;
    const std::string wrong = support::difference(pasts[i].bytes, pasts[i].snapshot.bytes());
    if (!wrong.empty()) return "mapped snapshot " + std::to_string(i) + ": " + wrong;
  }
  return "";
}

std::string World::complaint_about_unseen() const {
  for (std::size_t i = 0; i < pasts.size(); ++i) {
    const std::string wrong = support::difference(pasts[i].bytes, pasts[i].snapshot.bytes());
    if (!wrong.empty()) return "snapshot " + std::to_string(i) + ": " + wrong;
  }
  return "";
}

std::string World::store_everywhere() {
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const std::size_t pages = (plain[i].size() - 1) / page_bytes_ + 1;
    for (std::size_t page = 0; page < pages; ++page) {
      store(i, page, static_cast<unsigned>(page * 7 + i * 31 + 100));
    }
  }
  return complaint();
}

std::string World::drop_everything(bool memory_may_stay) {
  if (child_ > 0) {
    ::close(line_to_child_);
    ::waitpid(child_, nullptr, 0);
  }
  pasts.clear();
  extras.clear();
  leases.clear();
  regions.erase(regions.begin() + 1, regions.end());
  cow::mapping_budget::add(-static_cast<std::int64_t>(claimed_mappings_));
  support::settle(regions[0]);
  // Where the kernel copies, there is a copy above each frame.
  const std::size_t times = support::kernel_copies() ? 2 : 1;
  const std::size_t expected = times * ((plain[0].size() - 1) / page_bytes_ + 1) * page_bytes_;
  const bool is_exact = !memory_may_stay && !reserve_frames_;
  const auto found = [&] { return cow::process_stats().bytes_in_use - bytes_before_; };
  // A child that has ended may be kept for a moment by whoever looks at it in /proc.
  const bool as_expected = !is_exact || support::eventually([&] { return found() == expected; });
  const std::size_t at_the_end = found();
  std::string wrong = support::difference(plain[0], regions[0].bytes());
  if (wrong.empty()) wrong = support::broken_invariant(regions[0]);
  regions.clear();
  const std::size_t left = cow::process_stats().bytes_in_use - bytes_before_;
  if (!wrong.empty()) return "alone at the end: " + wrong;
  if (!as_expected) {
    return "a region of " + std::to_string(expected) + " bytes, alone in its family, uses " +
           std::to_string(at_the_end);
  }
  return left == 0 ? "" : std::to_string(left) + " bytes are in use, of no region";
}

// ---- One control call among failures ------------------------------------------------------------

namespace {

struct Attempts {
  bool succeeded = false;
  std::string complaint;
};

std::string complaint_after_error(const std::exception_ptr& error, const Held& before,
                                  const World& world, const Window& window) {
  if (!window.injects_errors()) return "a transfer that only took longer is an error";
  std::string wrong = complaint_about(error);
  if (wrong.empty()) wrong = before.difference(Held::now());
  if (!wrong.empty()) return wrong;
  return world.complaint(window);
}

/// Makes the call until it goes well, each time with failures. What a refused call leaves for the
/// next one, page tables in reserve for instance, must come to an end.
Attempts attempt(const Scenario& scenario, const Window& window, World& world) {
  constexpr int kMost = 24;
  std::size_t lines[kMost] = {};
  for (std::size_t& lines_now : lines) {
    const Held before = Held::now();
    const std::exception_ptr error = window.run([&] { scenario.call(world); });
    if (!error) return {true, ""};
    const std::string wrong = complaint_after_error(error, before, world, window);
    if (!wrong.empty()) return {false, "after an error: " + wrong};
    lines_now = support::count_process_mappings();
  }
  if (lines[kMost - 1] <= lines[kMost - 4] || support::has_sanitizer) return {};
  // Frames that cannot be cleared are never used again: the next call needs others.
  if (window.refuses_for_good("fallocate")) return {};
  return {false, "each refused call takes mappings: " + std::to_string(lines[kMost - 4]) +
                     ", then " + std::to_string(lines[kMost - 1])};
}

}  // namespace

std::string complaint_in(World& world, const Scenario& scenario, const Window& window,
                         bool stores_first) {
  scenario.prepare(world);
  const Attempts attempts = attempt(scenario, window, world);
  std::string wrong = attempts.complaint;
  if (wrong.empty() && !attempts.succeeded) {
    if (stores_first && scenario.stores_in_between) wrong = world.store_everywhere();
    if (!wrong.empty()) return "stores after an error: " + wrong;
    scenario.call(world);
  }
  if (wrong.empty()) wrong = scenario.verify(world);
  if (wrong.empty()) wrong = world.complaint(window);
  if (!wrong.empty()) return wrong;
  wrong = world.store_everywhere();
  if (wrong.empty()) wrong = world.complaint_about_unseen();
  if (wrong.empty()) return world.drop_everything(window.refused("fallocate"));
  return "stores after the call: " + wrong;
}

std::string complaint_about_call(const Scenario& scenario, const Window& window,
                                 bool stores_first) {
  cow::reinstall_handler();
  {
    World first(scenario.pages, scenario.reserve_frames);  // what is taken once and kept
    const std::string wrong = first.drop_everything(true);
    if (!wrong.empty()) return "before anything failed: " + wrong;
  }
  // What is kept from failures, a piece of heap say, may be a mapping more; what leaks is one more
  // each time.
  constexpr int kTimes = 3;
  std::string wrong;
  for (int time = 0; time < kTimes; ++time) {
    const Held before = Held::now();
    const std::size_t lines = support::count_process_mappings();
    {
      World world(scenario.pages, scenario.reserve_frames);
      wrong = complaint_in(world, scenario, window, stores_first);
    }
    if (wrong.empty()) wrong = before.difference(Held::now());
    if (!wrong.empty()) return wrong;
    const std::size_t lines_now = support::count_process_mappings();
    if (lines_now <= lines || support::has_sanitizer) return "";  // a sanitizer keeps what is freed
    wrong = std::to_string(lines) + " mappings before, " + std::to_string(lines_now) + " left";
  }
  return wrong;
}

// ---- A file -------------------------------------------------------------------------------------

std::string complaint_about_writing(World& world, const Writing& writing, const Window& window) {
  const std::vector<std::byte> old(77, std::byte{9});
  const std::filesystem::path path = writing.chain.back();
  support::write_file(path, old);
  const Held before = Held::now();
  const auto written = [&] {
    world.made = Region::load(writing.chain);
    return support::difference(writing.bytes, std::as_const(*world.made).bytes());
  };
  const std::exception_ptr error = window.run(writing.call);
  std::string wrong;
  if (error) wrong = complaint_about(error);
  if (wrong.empty()) wrong = before.difference(Held::now());
  if (wrong.empty() && writing.folder.names() != writing.names) {
    wrong = "a file is left behind";
  }
  world.made = Region::create(1);
  const bool is_old = support::read_file(path) == old;
  if (wrong.empty() && error && !is_old && !window.refused("fsync")) wrong = "the file changed";
  if (wrong.empty() && !error && is_old) wrong = "the file did not change";
  if (wrong.empty() && !is_old) wrong = written();
  writing.call();
  if (wrong.empty()) wrong = written();
  world.made.reset();
  if (wrong.empty()) wrong = world.store_everywhere();
  if (wrong.empty()) wrong = world.complaint_about_unseen();
  if (wrong.empty()) wrong = world.drop_everything(window.refused("fallocate"));
  return wrong;
}

}  // namespace injection
