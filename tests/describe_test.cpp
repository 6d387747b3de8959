// describe(): a region in lines of text, as its page table has it.

#include <cow/cow.hpp>
#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using cow::Region;

namespace {

constexpr std::size_t pages = 40;

std::vector<std::string> lines_of(const Region& region) {
  std::vector<std::string> lines;
  std::istringstream text(cow::describe(region));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

// From its permissions on, and at the addresses of `count` pages from `first` on.
std::string line_at(const Region& region, std::size_t line, std::size_t first, std::size_t count) {
  const auto begin = reinterpret_cast<std::uintptr_t>(region.data());
  char addresses[64];
  std::snprintf(addresses, sizeof addresses, "%012zx-%012zx ",
                static_cast<std::size_t>(begin + first * region.page_bytes()),
                static_cast<std::size_t>(begin + (first + count) * region.page_bytes()));
  const std::vector<std::string> lines = lines_of(region);
  if (line >= lines.size()) return "no such line";
  if (lines[line].rfind(addresses, 0) != 0) return "other addresses: " + lines[line];
  return lines[line].substr(std::string(addresses).size());
}

}  // namespace

TEST_CASE("describe() has a line for each run of pages that are alike", "[api][handler]") {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  CHECK(lines_of(region).size() == 2);
  CHECK(line_at(region, 1, 0, pages) == "r--z         40 zeros");

  support::fill(region.bytes(), 1);  // the first store opens all of the zeros
  REQUIRE(lines_of(region).size() == 3);
  CHECK(line_at(region, 1, 0, 1) == "rw-p          1 home at 0, references 1");
  CHECK(line_at(region, 2, 1, pages - 1).ends_with(", references 1, open"));

  const Region clone = region.clone();
  CHECK(line_at(region, 1, 0, pages) == "r--c         40 home at 0, references 1");
  CHECK(line_at(clone, 1, 0, pages) == "r--c         40 relative at 0, references 1");

  support::flip(region, 10);
  REQUIRE(lines_of(region).size() == 4);
  CHECK(line_at(region, 1, 0, 10) == "r--c         10 home at 0, references 2");
  CHECK(line_at(region, 2, 10, 1).rfind("rw-p          1 home at ", 0) == 0);
  CHECK(line_at(region, 3, 11, pages - 11).rfind("r--c         29 home at ", 0) == 0);
}

TEST_CASE("describe() shows leases, and its first line is what stats() says", "[api]") {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 1);
  const cow::Snapshot snapshot = region.snapshot();
  const cow::WriteLease lease = region.write_lease(3 * support::page_bytes(), 1);
  if (!support::kernel_copies()) {
    CHECK(line_at(region, 2, 3, 1).rfind("rwlp          1 home at ", 0) == 0);
  } else {
    CHECK(line_at(region, 2, 3, 1).find("l") == 2);
  }
  const cow::RegionStats stats = region.stats();
  if (!support::kernel_copies()) CHECK(stats.pages_writable == 1);
  CHECK(lines_of(region)[0] == "40 pages of " + std::to_string(support::page_bytes()) +
                                   " bytes: 0 zero, " + std::to_string(stats.pages_shared) +
                                   " shared, " + std::to_string(stats.pages_private) +
                                   " private, " + std::to_string(stats.pages_writable) +
                                   " of them writable; " + std::to_string(stats.mappings) +
                                   " mappings, " + std::to_string(stats.faults) + " faults");
}

TEST_CASE("describe() of a region of many pages of which one was stored to is a few lines",
          "[api]") {
  Region region = Region::create(std::size_t{1} << 34, support::options());
  support::store(region, 5000, 1);
  CHECK(lines_of(region).size() <= 6);
}
