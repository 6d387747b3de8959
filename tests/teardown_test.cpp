// A region that goes takes nothing from those who shared with it.

#include "catch.hpp"
#include "support.hpp"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

using cow::Region;

TEST_CASE("a region may be destroyed while a clone of it faults", "[mm]") {
  constexpr std::size_t pages = 2048;
  for (std::size_t round = 0; round < support::scaled(20); ++round) {
    std::optional<Region> original(
        Region::create(pages * support::page_bytes(), support::single_page_options()));
    support::fill(original->bytes(), 3);
    Region clone = original->clone();
    std::atomic<std::size_t> stored{0};
    std::thread writer([&] {
      for (std::size_t i = 0; i < pages; ++i) {
        support::store(clone, i * 1021 % pages, 9);
        stored.store(i);
      }
    });
    while (stored.load() < round * 40 % pages) std::this_thread::yield();
    original.reset();
    writer.join();
    std::vector<std::byte> expected(clone.size());
    support::fill(expected, 3);
    for (std::size_t page = 0; page < pages; ++page) {
      expected[page * support::page_bytes()] = std::byte{9};
    }
    REQUIRE(support::difference(expected, clone.bytes()) == "");
  }
}
