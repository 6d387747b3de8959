// What an allocator's hooks do to memory they were given, done to a region's: none of it is for
// regions. docs/embedding.md says what to tell the allocator instead, and docs/examples has one.

#include "catch.hpp"
#include "support.hpp"

#include <sys/mman.h>

using cow::Region;
using cow::Snapshot;

TEST_CASE("a page that the program made writable is stored to without a fault, in its snapshots",
          "[os][handler]") {
  Region region = Region::create(4 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  const Snapshot past = region.snapshot();
  const std::uint64_t faults = region.stats().faults;
  REQUIRE(::mprotect(region.data(), support::page_bytes(), PROT_READ | PROT_WRITE) == 0);
  support::store(region, 0, 0xee);
  CHECK(support::load(past.bytes(), 0) == 0xee);  // which is why it is not allowed
  CHECK(region.stats().faults == faults);
  support::store(region, 1, 0xee);
  CHECK(support::load(past.bytes(), 1) != 0xee);
}

TEST_CASE("MADV_DONTNEED makes no zeros of a region's pages and gives no memory back",
          "[os][handler]") {
  Region region = Region::create(4 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  REQUIRE(::madvise(region.data(), region.size(), MADV_DONTNEED) == 0);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(support::broken_invariant(region) == "");
}
