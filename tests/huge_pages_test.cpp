// RegionOptions::huge_pages: the kernel maps a region by huge pages where the system allows it, and
// everything else is as without them.

#include <unistd.h>

#include <cow/cow.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "huge_pages.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

cow::RegionOptions huge() {
  cow::RegionOptions options = support::options();
  options.huge_pages = true;
  return options;
}

std::size_t huge_page_bytes() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
  std::size_t bytes = 0;
  file >> bytes;
  return bytes;
}

/// Allows huge pages to mappings that ask for them; tells why not.
bool is_allowed(const support::HugePageSetting& setting) {
  if (!setting.is_set()) {
    WARN("skipped: " << support::HugePageSetting::why_not);
    return false;
  }
  if (huge_page_bytes() == 0 || support::is_emulated()) {
    WARN("skipped: this host has no huge pages");
    return false;
  }
  if (huge_page_bytes() > std::size_t{16} << 20) {
    WARN("skipped: this host's huge pages are too large for a test");
    return false;
  }
  return true;
}

/// Bytes of the region that huge pages map, as /proc/self/smaps tells.
std::size_t bytes_mapped_huge(const Region& region) {
  const auto begin = reinterpret_cast<std::uintptr_t>(region.data());
  std::ifstream smaps("/proc/self/smaps");
  std::size_t bytes = 0;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find(" kB") == line.npos && line.find('-') != line.npos) {
      const std::uintptr_t at = std::strtoull(line.c_str(), nullptr, 16);
      inside = at >= begin && at < begin + region.size();
    } else if (inside && line.find("ShmemPmdMapped:") == 0) {
      bytes += std::strtoull(line.c_str() + 15, nullptr, 10) << 10;
    }
  }
  return bytes;
}

void store_everywhere(Region& region, unsigned value) {
  for (std::size_t i = 0; i < region.size() / support::page_bytes(); ++i) {
    support::store(region, i, value);
  }
}

bool loads_everywhere(const Region& region, unsigned value) {
  bool same = true;
  for (std::size_t i = 0; i < region.size() / support::page_bytes(); ++i) {
    same = support::load(region.bytes(), i) == value && same;
  }
  return same;
}

constexpr std::size_t huge_pages = 4;

Region written_region() {
  Region region = Region::create(huge_pages * huge_page_bytes(), huge());
  store_everywhere(region, 1);
  return region;
}

/// One of everything; empty, or what is wrong.
std::string use(Region& region) {
  const std::vector<std::byte> before = support::plain_copy(region.bytes());
  const std::size_t pages = region.size() / support::page_bytes();
  const Snapshot snapshot = region.snapshot();
  support::store(region, pages / 2, 2);
  Region clone = region.clone();
  for (std::size_t i = 0; i < pages; i += 5) support::store(clone, i, 3);
  for (std::size_t i = 1; i < pages; i += 7) support::store(region, i, 4);
  if (support::load(clone.bytes(), 1) != support::load(snapshot.bytes(), 1))
    return "a page is lost";
  std::string complaint = support::broken_invariant(clone);
  if (complaint.empty()) complaint = support::broken_invariant(region);
  region.restore(snapshot);
  if (complaint.empty()) complaint = support::difference(before, region.bytes());
  if (complaint.empty()) complaint = support::broken_invariant(region);
  return complaint;
}

}  // namespace

TEST_CASE("with huge pages allowed a written region is mapped by them, also after a snapshot",
          "[os][handler]") {
  const support::HugePageSetting setting("advise");
  if (!is_allowed(setting)) return;
  const Region region = written_region();
  CHECK(bytes_mapped_huge(region) == region.size());
  CHECK(support::count_mappings(region) == 1);
  const Snapshot snapshot = region.snapshot();
  CHECK(bytes_mapped_huge(region) == region.size());
  CHECK(support::count_mappings(region) == 1);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a store to a protected huge page copies one page", "[os][handler]") {
  const support::HugePageSetting setting("advise");
  if (!is_allowed(setting)) return;
  Region region = written_region();
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  const Snapshot snapshot = region.snapshot();
  Region clone = region.clone();
  support::store(region, 9, 2);
  support::store(clone, 700 % (region.size() / support::page_bytes()), 3);
  CHECK(region.stats().pages_copied == 1);
  CHECK(clone.stats().pages_copied == 1);
  CHECK(cow::process_stats().bytes_in_use == in_use + 2 * support::page_bytes());
  CHECK(support::load(snapshot.bytes(), 9) == 1);
  CHECK(region.stats().mappings == support::count_mappings(region));
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE(
    "where the kernel copies, huge pages map what nobody has stored to, and a store copies one "
    "page",
    "[os]") {
  const support::HugePageSetting setting("advise");
  if (!is_allowed(setting) || !support::kernel_can_be_had()) return;
  cow::RegionOptions options = huge();
  options.mechanism = cow::Mechanism::kernel;
  Region region = Region::create(huge_pages * huge_page_bytes(), options);
  store_everywhere(region, 1);
  CHECK(bytes_mapped_huge(region) == region.size());
  const Snapshot snapshot = region.snapshot();
  const Region clone = region.clone();
  CHECK(loads_everywhere(clone, 1));
  CHECK(loads_everywhere(region, 1));
  CHECK(bytes_mapped_huge(clone) == clone.size());
  CHECK(bytes_mapped_huge(region) == region.size());
  support::store(region, 9, 2);
  CHECK(bytes_mapped_huge(region) == region.size() - huge_page_bytes());
  CHECK(support::load(snapshot.bytes(), 9) == 1);
  static_cast<void>(region.snapshot());
  CHECK(region.stats().pages_copied == 1);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("pages of a clone merge into one mapping with huge pages allowed, too", "[os]") {
  const support::HugePageSetting setting("advise");
  if (!is_allowed(setting)) return;
  const Region region = written_region();
  Region clone = region.clone();
  store_everywhere(clone, 2);
  CHECK(support::count_mappings(clone) == 1);
  CHECK(support::shows(region.bytes(), 1) == false);
  CHECK(support::load(region.bytes(), 5) == 1);
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("parts of huge pages are given back", "[os]") {
  const support::HugePageSetting setting("advise");
  if (!is_allowed(setting)) return;
  Region region = Region::create(huge_pages * huge_page_bytes(), huge());
  const Snapshot zeros = region.snapshot();
  store_everywhere(region, 1);
  CHECK(cow::process_stats().bytes_in_use == region.size());
  region.restore(zeros);
  CHECK(support::all_zero(region.bytes()));
  CHECK(cow::process_stats().bytes_in_use == 0);
  support::store(region, 3, 1);
  CHECK(cow::process_stats().bytes_in_use <= huge_page_bytes());
  const Snapshot one = region.snapshot();
  CHECK(cow::diff(zeros, one) == std::vector<cow::PageRange>{{3, 1}});
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("whatever the system says of huge pages, regions work the same", "[os]") {
  const std::string word = GENERATE("never", "deny", "advise", "within_size", "always", "force");
  const bool is_for_everybody = word == "within_size" || word == "always" || word == "force";
  if (is_for_everybody && std::getenv("COW_TEST_ALONE") == nullptr) {
    WARN("skipped: '" << word << "' would change the memory of tests in other processes, too; set "
                      << "COW_TEST_ALONE where there are none");
    return;
  }
  const support::HugePageSetting setting(word);
  if (!setting.is_set()) {
    WARN("skipped: '" << word << "': " << support::HugePageSetting::why_not);
    return;
  }
  CAPTURE(word);
  Region region = Region::create(1400 * support::page_bytes(), huge());
  support::fill(region.bytes().first(region.size() / 2), 1);
  CHECK(use(region) == "");
  const auto result = support::run_in_child([&] { return use(region); });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(use(region) == "");
}

TEST_CASE("the model test holds with huge pages allowed", "[os]") {
  const support::HugePageSetting setting("advise");
  if (!is_allowed(setting)) return;
  const std::string scale = std::to_string(0.1 * static_cast<double>(support::scaled(1000)) / 1000);
  const auto result = support::run_in_child([&]() -> std::string {
    ::setenv("COW_TEST_SCALE", scale.c_str(), 1);
    ::execl("/proc/self/exe", "cow_tests", "random operations on a forest of *", nullptr);
    return "exec failed";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
