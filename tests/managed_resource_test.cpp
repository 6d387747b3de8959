// std::pmr containers in a region: raw pointers, so for restore and not for clones.

#include "catch.hpp"
#include "support.hpp"

#include <cow/managed_region.hpp>

#include <map>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

using cow::ManagedRegion;
using cow::ManagedSnapshot;
using cow::RegionResource;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

using Words = std::pmr::unordered_map<std::pmr::string, std::pmr::vector<std::pmr::string>>;

void add(Words& words, int from, int to) {
  for (int i = from; i < to; ++i) {
    words[std::pmr::string("a key that is too long to be kept inside ") +
          std::to_string(i % 50).c_str()]
        .emplace_back("and a value, number " + std::to_string(i));
  }
}

std::map<std::string, std::vector<std::string>> plain(const Words& words) {
  std::map<std::string, std::vector<std::string>> copy;
  for (const auto& [key, values] : words) {
    for (const auto& value : values) copy[std::string(key)].emplace_back(value);
  }
  return copy;
}

}  // namespace

TEST_CASE("restore rolls std::pmr containers back, and their memory with them", "[managed]") {
  ManagedRegion region = ManagedRegion::create(64 << 10, 16 * mib, support::options());
  RegionResource resource(region);
  Words& words = *region.construct<Words>("words")(&resource);
  add(words, 0, 500);
  const auto before = plain(words);
  const ManagedSnapshot snapshot = region.snapshot();
  const std::size_t free_bytes = region.get_free_memory();

  std::map<std::string, std::vector<std::string>> after;
  std::optional<const void*> place;
  for (int round = 0; round < 3; ++round) {
    add(words, 500, 2000);
    const void* const last = words.begin()->second.back().data();
    CHECK(region.belongs_to_segment(last));
    if (round == 0) {
      after = plain(words);
      place = last;
    }
    // The allocator was rolled back too, so everything comes to lie where it did before.
    CHECK(plain(words) == after);
    CHECK(last == place);
    if (round == 1) words.clear();
    region.restore(snapshot);
    CHECK(plain(words) == before);
    CHECK(region.get_free_memory() == free_bytes);
  }
  add(words, 0, 500);
  region.destroy<Words>("words");
  CHECK(region.all_memory_deallocated());
}

TEST_CASE("raw pointers in a clone still point into the region it was made from", "[managed]") {
  ManagedRegion region = ManagedRegion::create(mib, support::options());
  RegionResource resource(region);
  using Numbers = std::pmr::vector<int>;
  auto* const numbers = region.construct<Numbers>("numbers")(std::size_t{10}, 1, &resource);
  const ManagedRegion clone = region.clone();
  const Numbers* const cloned = clone.find<Numbers>("numbers").first;
  CHECK(clone.belongs_to_segment(cloned));
  CHECK(cloned->data() == numbers->data());
  CHECK_FALSE(clone.belongs_to_segment(cloned->data()));
}

TEST_CASE("a region's memory resource aligns, compares, and says when there is no more",
          "[managed]") {
  ManagedRegion region = ManagedRegion::create(mib, support::options());
  ManagedRegion other = ManagedRegion::create(mib, support::options());
  RegionResource resource(region);
  const RegionResource same(region);
  const RegionResource different(other);
  CHECK(resource.is_equal(same));
  CHECK_FALSE(resource.is_equal(different));
  CHECK_FALSE(resource.is_equal(*std::pmr::new_delete_resource()));

  for (const std::size_t alignment : {1u, 16u, 64u, 4096u}) {
    void* const memory = resource.allocate(100, alignment);
    CHECK(reinterpret_cast<std::uintptr_t>(memory) % alignment == 0);
    CHECK(region.belongs_to_segment(memory));
    resource.deallocate(memory, 100, alignment);
  }
  CHECK(region.all_memory_deallocated());
  CHECK_THROWS_AS(resource.allocate(2 * mib), std::bad_alloc);
  CHECK(region.all_memory_deallocated());

  ManagedRegion moved = std::move(region);
  void* const memory = resource.allocate(100);
  CHECK(moved.belongs_to_segment(memory));
}
