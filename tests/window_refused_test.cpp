// A window must never cost a store: when the neighbours that a fault takes along are refused, by
// whatever call and for whatever reason, the page that was stored to is tried alone.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cow/cow.hpp>
#include <cstddef>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using support::CallFilter;

// Several leaves, if the pages are not large.
const std::size_t pages =
    std::clamp<std::size_t>((std::size_t{5} << 20) / support::page_bytes(), 140, 1100);

/// What a fault does to several pages at once and is going to be refused.
struct Refused {
  const char* name;
  std::function<void(CallFilter&, unsigned error)> add;
};

std::uint32_t one_page() { return static_cast<std::uint32_t>(support::page_bytes()); }

const std::vector<Refused> refusals = {
    {"pwrite of several pages",
     [](CallFilter& filter, unsigned error) {
       filter.refuse(SYS_pwrite64, {support::is_above(2, one_page())}, error);
     }},
    {"mmap of several pages",
     [](CallFilter& filter, unsigned error) {
       filter.refuse(
           SYS_mmap,
           {support::is_above(1, one_page()), support::is(3, MAP_SHARED | MAP_FIXED, MAP_POPULATE)},
           error);
     }},
    {"mprotect of several pages",
     [](CallFilter& filter, unsigned error) {
       filter.refuse(SYS_mprotect, {support::is_above(1, one_page())}, error);
     }},
};

/// A page at a time in order, every third, and all of some blocks: runs, blocks and their rests.
std::string store_everywhere(Region& region) {
  std::vector<std::byte> expected = support::plain_copy(region.bytes());
  for (const std::size_t step : {3u, 1u}) {
    for (std::size_t page = 0; page < pages; page += step) {
      support::flip(region, page);
      expected[page * support::page_bytes()] =
          static_cast<std::byte>(support::load(region.bytes(), page));
    }
  }
  return support::difference(expected, region.bytes());
}

}  // namespace

TEST_CASE("a store goes on alone when its window is refused, by any call and for any reason",
          "[mm][handler]") {
  if (!support::has_call_filters()) {
    WARN("skipped: seccomp is not available here");
    return;
  }
  for (const Refused& refused : refusals) {
    for (const int error : {EIO, EFAULT, EAGAIN, EPERM, ENOSPC, ENOMEM, EINVAL}) {
      for (const bool clone : {true, false}) {
        CAPTURE(refused.name, error, clone);
        const auto result = support::run_in_child([&]() -> std::string {
          Region region = Region::create(pages * support::page_bytes(), support::options());
          support::fill(region.bytes(), 1);
          const cow::Snapshot before = region.snapshot();
          std::vector<Region> others;
          if (clone) others.push_back(region.clone());  // then pages move, else they stay
          CallFilter filter;
          refused.add(filter, static_cast<unsigned>(error));
          if (!filter.install_allowing()) return "the filter was refused";
          const std::string difference = store_everywhere(region);
          if (!difference.empty()) return difference;
          for (const Region& other : others) {
            if (!support::shows(other.bytes(), 1)) return "the clone changed";
          }
          return support::broken_invariant(region);
        });
        CHECK(result.complaint == "");
        CHECK(result.exited());
      }
    }
  }
}

TEST_CASE("stores to what is left of a file that was cut go on, whatever the window",
          "[mm][handler]") {
  const support::Folder folder;
  const std::size_t page = support::page_bytes();
  for (const std::size_t window : {1u, 2u, 7u, 64u}) {
    for (const std::size_t left : {100u, 65u, 64u, 3u}) {
      for (const std::size_t step : {1u, 3u, 5u}) {
        CAPTURE(window, left, step);
        const std::vector<std::byte> bytes(128 * page, std::byte{'f'});
        support::write_file(folder / "file", bytes);
        const auto result = support::run_in_child([&]() -> std::string {
          cow::RegionOptions options = support::options();
          options.max_window_pages = window;
          Region region = Region::open(folder / "file", options);
          if (::truncate((folder / "file").c_str(), static_cast<off_t>(left * page)) != 0) {
            return "the file could not be cut";
          }
          for (std::size_t first = 0; first < step; ++first) {
            for (std::size_t at = first; at < left; at += step) support::store(region, at, 'x');
          }
          for (std::size_t at = 0; at < left; ++at) {
            if (support::load(region.bytes(), at) != 'x') return "a store is lost";
            if (support::load(region.bytes(), at, 9) != 'f') return "a page was not copied";
          }
          return "";
        });
        CHECK(result.complaint == "");
        CHECK(result.exited());
      }
    }
  }
}

namespace {

std::size_t locked_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmLck:", 0) == 0) return std::stoul(line.substr(6));
  }
  return 0;
}

}  // namespace

TEST_CASE("with memory locked up to a few pages below the limit, stores to a clone go on",
          "[mm][handler]") {
  if (support::is_emulated()) {
    WARN("skipped: an emulator locks its own memory, too");
    return;
  }
  for (const std::size_t spare_pages : {1u, 5u, 16u}) {
    CAPTURE(spare_pages);
    const auto result = support::run_in_child([&]() -> std::string {
      const std::size_t kib_a_page = support::page_bytes() / 1024;
      rlimit limit{};
      if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return "there is no limit";
      const std::size_t most_kib = std::min<std::size_t>(limit.rlim_max, 16 << 20) >> 10;
      limit = {most_kib << 10, most_kib << 10};
      if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return "no limit can be set";
      if (::getuid() == 0 && ::setuid(65534) != 0) return "root stays root";
      if (::mlockall(MCL_FUTURE) != 0) return "";  // not allowed here
      // A region and its clone take a quarter of what may be locked.
      const std::size_t count =
          std::min<std::size_t>(256, (most_kib << 10) / 8 / support::page_bytes());
      Region region = Region::create(count * support::page_bytes(), support::options());
      support::fill(region.bytes(), 1);
      Region clone = region.clone();
      const std::size_t used = locked_kib() + spare_pages * kib_a_page;
      if (used < most_kib && ::mmap(nullptr, (most_kib - used) << 10, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) {
        return "the rest could not be locked";
      }
      for (std::size_t page = 0; page < count; ++page) support::flip(clone, page);
      return support::shows(region.bytes(), 1) ? "" : "the original changed";
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}
