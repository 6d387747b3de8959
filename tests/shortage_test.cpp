// Somebody else has used up the kernel's mappings. Stores, clones and restores go on; only a clone
// for which there is not one mapping left may be refused.

#include <sys/mman.h>
#include <unistd.h>

#include <cow/cow.hpp>

#include <cstddef>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

/// Takes mappings, two for each page that is made to differ, until the kernel refuses; then gives
/// `spared` of them back.
class EatenMappings {
 public:
  explicit EatenMappings(std::size_t spared)
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    memory_ = static_cast<std::byte*>(::mmap(nullptr, pages_ * page_, PROT_NONE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    std::size_t eaten = 1;
    while (eaten < pages_ && ::mprotect(memory_ + eaten * page_, page_, PROT_READ) == 0) eaten += 2;
    for (std::size_t i = 0; i < spared && eaten > 2; i += 2) {
      eaten -= 2;
      ::mprotect(memory_ + eaten * page_, page_, PROT_NONE);
    }
  }
  ~EatenMappings() { ::munmap(memory_, pages_ * page_); }
  EatenMappings(const EatenMappings&) = delete;
  EatenMappings& operator=(const EatenMappings&) = delete;

 private:
  std::size_t page_;
  std::size_t pages_ = 2 * support::max_map_count() + 2;
  std::byte* memory_;
};

constexpr std::size_t pages = 2000;

// All of them; but ThreadSanitizer's own runtime maps memory for a store it sees for the first
// time, and ends the process when it cannot.
#if defined(COW_TEST_THREAD_SANITIZER)
constexpr std::size_t spared_by_all = 400;
#else
constexpr std::size_t spared_by_all = 0;
#endif

}  // namespace

TEST_CASE("a store to a new region finds a mapping when others have used up all") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), support::options());
    const EatenMappings eaten(spared_by_all);
    support::store(region, pages / 2, 7);
    support::store(region, 3, 8);
    if (support::load(region.bytes(), pages / 2) != 7) return "a store is lost";
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("scattered stores to a clone go on when others have used up the mappings") {
  const auto result = support::run_in_child([]() -> std::string {
    Region original = Region::create(pages * support::page_bytes(), support::options());
    support::fill(original.bytes(), 1);
    Region clone = original.clone();
    std::vector<std::byte> expected = support::plain_copy(clone.bytes());
    const EatenMappings eaten(spared_by_all);
    for (std::size_t i = 0; i < pages; i += 7) {
      support::store(clone, i * 13 % pages, 5);
      expected[i * 13 % pages * support::page_bytes()] = std::byte{5};
    }
    if (!support::shows(original.bytes(), 1)) return "the original changed";
    const std::string difference = support::difference(expected, clone.bytes());
    return difference.empty() ? support::broken_invariant(clone) : difference;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a region in many pieces is restored when others have used up the mappings") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), support::options());
    support::fill(region.bytes(), 1);
    std::vector<Snapshot> snapshots;
    std::vector<std::vector<std::byte>> expected;
    for (unsigned round = 0; round < 4; ++round) {
      snapshots.push_back(region.snapshot());
      expected.push_back(support::plain_copy(region.bytes()));
      for (std::size_t page = round; page < pages; page += 5)
        support::store(region, page, round + 9);
    }
    const Snapshot last = region.snapshot();
    const EatenMappings eaten(200);
    for (std::size_t i = snapshots.size(); i-- > 0;) {
      region.restore(snapshots[i]);
      const std::string difference = support::difference(expected[i], region.bytes());
      if (!difference.empty()) return difference;
      if (!cow::diff(region.snapshot(), snapshots[i]).empty()) return "a restored page differs";
    }
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a shortage of mappings that has passed is noticed by a later control call") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
    support::fill(region.bytes(), 1);
    const std::size_t plenty = cow::process_stats().mapping_budget / 2;
    Region clone = region.clone();
    {
      const EatenMappings eaten(spared_by_all + 100);  // page tables need some
      for (std::size_t page = 0; page < pages; page += 2) support::store(clone, page, 2);
      (void)clone.snapshot();
      if (cow::process_stats().mapping_budget > plenty) return "nothing was short";
    }
    for (int attempt = 0; attempt < 400; ++attempt) {
      (void)region.snapshot();
      if (cow::process_stats().mapping_budget > plenty) return "";
      ::usleep(50'000);
    }
    return "mappings are short for ever";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
