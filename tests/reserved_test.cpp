// RegionOptions::reserve_frames: memory is taken by control calls, which may refuse, and never by
// stores, which cannot.

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cow/cow.hpp>
#include <csignal>
#include <cstddef>
#include <functional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "child_words.hpp"
#include "memory_limit.hpp"
#include "support.hpp"

namespace {

using cow::CloneMode;
using cow::Region;
using cow::Snapshot;

constexpr std::size_t pages = 700;  // more than one leaf

cow::RegionOptions reserved(std::size_t max_window_pages = 64) {
  cow::RegionOptions options = support::options();
  options.reserve_frames = true;
  options.max_window_pages = max_window_pages;
  return options;
}

void store_everywhere(Region& region, unsigned value) {
  const std::size_t count = region.size() / region.page_bytes();
  for (std::size_t i = 0; i < count; ++i) support::store(region, i * 37 % count, value);
}

/// What `call` adds to the memory of all frame files, in pages.
template <class Call>
std::ptrdiff_t pages_taken_by(const Call& call) {
  const std::size_t before = cow::process_stats().bytes_in_use;
  call();
  const std::size_t after = cow::process_stats().bytes_in_use;
  return (static_cast<std::ptrdiff_t>(after) - static_cast<std::ptrdiff_t>(before)) /
         static_cast<std::ptrdiff_t>(support::page_bytes());
}

constexpr std::size_t mebibyte = std::size_t{1} << 20;

}  // namespace

TEST_CASE("with frames reserved, a region takes its memory at once and stores take none",
          "[mm][handler]") {
  std::vector<Region> regions;
  const std::size_t window = GENERATE(std::size_t{1}, std::size_t{64});
  CHECK(pages_taken_by([&] {
          regions.push_back(Region::create(pages * support::page_bytes(), reserved(window)));
        }) == pages);
  CHECK(pages_taken_by([&] { store_everywhere(regions[0], 1); }) == 0);

  // The clone's pages, and other places for those of the original, which the clone shows too.
  CHECK(pages_taken_by([&] { regions.push_back(regions[0].clone()); }) == 2 * pages);
  CHECK(pages_taken_by([&] { store_everywhere(regions[0], 2); }) == 0);
  CHECK(pages_taken_by([&] { store_everywhere(regions[1], 3); }) == 0);

  std::vector<Snapshot> snapshots;
  CHECK(pages_taken_by([&] { snapshots.push_back(regions[1].snapshot()); }) == pages);
  CHECK(pages_taken_by([&] { store_everywhere(regions[1], 4); }) == 0);
  CHECK(pages_taken_by([&] { snapshots.push_back(regions[1].snapshot()); }) == pages);
  CHECK(pages_taken_by([&] { store_everywhere(regions[1], 5); }) == 0);

  CHECK(support::load(snapshots[0].bytes(), 9) == 3);
  CHECK(support::load(snapshots[1].bytes(), 9) == 4);
  for (const Region& region : regions) CHECK(support::broken_invariant(region) == "");
  snapshots.clear();
  regions.clear();
  CHECK(cow::process_stats().bytes_in_use == 0);
}

TEST_CASE("with frames reserved, restores and dropped clones leave zero pages that are zero",
          "[mm]") {
  Region region = Region::create(pages * support::page_bytes(), reserved());
  const Snapshot nothing = region.snapshot();
  for (unsigned round = 1; round < 6; ++round) {
    {
      Region clone = region.clone();
      store_everywhere(clone, round);
      store_everywhere(region, round + 100);
      const Snapshot full = clone.snapshot();
      store_everywhere(clone, round + 1);
      clone.restore(full);
      CHECK(support::load(clone.bytes(), 5) == round);
    }
    region.restore(nothing);
    CHECK(support::all_zero(region.bytes()));
    const Region fresh = Region::from_snapshot(nothing);
    support::store(region, 3, 1);  // opens a window of zero pages
    CHECK(support::load(region.bytes(), 4) == 0);
    CHECK(support::all_zero(fresh.bytes()));
    region.restore(nothing);
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("a control call for which memory cannot be reserved throws, and stores go on",
          "[mm][handler]") {
  const std::size_t room = 64 * mebibyte;
  const support::MemoryLimit limit(room);
  if (!limit.ready()) {
    WARN("skipped: no memory control group can be made here");
    return;
  }
  const auto result = support::run_in_child([&]() -> std::string {
    if (!limit.enter()) return "";
    // Large enough for what is left at the end to do for the rest of the process: where it is not,
    // the kernel lets a process of this group wait for memory.
    const std::size_t bytes = 12 * mebibyte;
    const std::size_t most = room / bytes + 2;
    std::vector<Region> regions;
    regions.push_back(Region::create(bytes, reserved()));
    support::fill(regions[0].bytes(), 7);
    bool refused = false;
    while (!refused && regions.size() < most) {
      const std::size_t before = cow::process_stats().bytes_in_use;
      try {
        regions.push_back(regions[0].clone());
      } catch (const std::system_error& error) {
        refused = true;
        if (error.code().value() != ENOMEM && error.code().value() != ENOSPC) return error.what();
        if (!support::is_sentence(error.what())) return error.what();
        // The original may have kept the place for its own pages; the clone left nothing.
        if (cow::process_stats().bytes_in_use > before + bytes) return "memory is left behind";
      }
    }
    if (!refused) return "more was reserved than there is";
    for (std::size_t i = 0; i < regions.size(); ++i) {
      store_everywhere(regions[i], static_cast<unsigned>(i));
    }
    for (std::size_t i = 0; i < regions.size(); ++i) {
      if (support::load(regions[i].bytes(), 11) != (i & 0xff)) return "a store is lost";
      const std::string complaint = support::broken_invariant(regions[i]);
      if (!complaint.empty()) return complaint;
    }
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("without reserved frames, a store for which there is no memory ends the process",
          "[mm][handler]") {
  const std::size_t room = 64 * mebibyte;
  const support::MemoryLimit limit(room);
  if (!limit.ready()) {
    WARN("skipped: no memory control group can be made here");
    return;
  }
  support::ChildWords words_of_child;
  words_of_child.begin_with(">");  // the pipe has its page: the child could not get one
  const auto result = support::run_in_child([&]() -> std::string {
    if (!limit.enter()) return "";
    support::die_silently_of_faults();
    words_of_child.listen();
    Region region = Region::create(40 * mebibyte, support::single_page_options());
    for (std::size_t at = 0; at < region.size(); at += support::page_bytes()) {
      region.bytes()[at] = std::byte{1};
    }
    Region clone = region.clone();
    for (std::size_t at = 0; at < region.size(); at += support::page_bytes()) {
      clone.bytes()[at] = std::byte{2};
    }
    return "more was stored than there is memory for";
  });
  const std::string said = words_of_child.heard();
  CAPTURE(said);
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGBUS));
  CHECK(said.find(">libcow: the store to 0x") == 0);
  // The copy, what the kernel needs itself to read the page that is copied (EFAULT), or to map it.
  const bool named = said.find("pwrite failed with errno 12;") != std::string::npos ||
                     said.find("pwrite failed with errno 14;") != std::string::npos ||
                     said.find("mmap failed with errno 12;") != std::string::npos;
  CHECK(named);
  CHECK(said.find('\n') == said.size() - 1);
}

namespace {

/// In a child: stores of every kind to reserved regions that share pages, after `tighten()`.
support::ChildResult store_after(std::size_t window, const std::function<bool()>& tighten) {
  return support::run_in_child([&]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), reserved(window));
    store_everywhere(region, 1);
    Region clone = region.clone();
    const Snapshot kept = clone.snapshot();
    const Snapshot nothing =
        Region::create(pages * support::page_bytes(), reserved(window)).snapshot();
    Region zeros = Region::from_snapshot(nothing);
    (void)kept.bytes();
    if (!tighten()) return "not tightened";
    store_everywhere(zeros, 5);
    store_everywhere(region, 2);
    store_everywhere(clone, 3);
    if (support::load(region.bytes(), 9) != 2 || support::load(clone.bytes(), 9) != 3 ||
        support::load(zeros.bytes(), 9) != 5 || support::load(kept.bytes(), 9) != 1) {
      return "a store is lost";
    }
    return support::broken_invariant(clone) + support::broken_invariant(region);
  });
}

}  // namespace

TEST_CASE("with frames reserved, no store needs what a file-size limit of 0 forbids", "[mm]") {
  if (support::is_emulated()) {
    WARN("skipped: an emulator ends of such a limit itself");
    return;
  }
  const std::size_t window = GENERATE(std::size_t{1}, std::size_t{64});
  const auto result = store_after(window, [] {
    const rlimit none{0, 0};
    return ::setrlimit(RLIMIT_FSIZE, &none) == 0;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("with frames reserved, no store writes to a file, so that a filter may forbid it",
          "[mm]") {
  if (!support::has_call_filters()) {
    WARN("skipped: seccomp is not available here");
    return;
  }
  const std::size_t window = GENERATE(std::size_t{1}, std::size_t{64});
  const auto result = store_after(window, [] {
    support::CallFilter filter;
    for (const long call : {SYS_pwrite64, SYS_pwritev, SYS_fallocate, SYS_ftruncate}) {
      filter.refuse(call, {}, EPERM);
    }
    return filter.install_allowing();
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
