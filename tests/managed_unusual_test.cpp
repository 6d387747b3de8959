// Objects in regions used as hardly anybody does: constructors that fail half-way, iterators while
// the segment grows, odd alignments, full segments that are shrunk, generations of snapshots.

#include "catch.hpp"
#include "support.hpp"

#include <cow/managed_region.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ipc = boost::interprocess;
using cow::ManagedRegion;
using cow::ManagedSnapshot;

namespace {

constexpr std::size_t kib = std::size_t{1} << 10;
constexpr std::size_t mib = std::size_t{1} << 20;

ManagedRegion growing(std::size_t bytes, std::size_t max_bytes) {
  return ManagedRegion::create(bytes, max_bytes, support::options());
}

/// Fails when `left` are made; `living` has those that are.
template <std::size_t alignment>
struct alignas(alignment) Fussy {
  Fussy(int& left, int& living) : living_(&living) {
    if (--left < 0) throw std::runtime_error("no more");
    ++*living_;
  }
  Fussy(const Fussy&) = delete;
  Fussy& operator=(const Fussy&) = delete;
  ~Fussy() { --*living_; }
  int* living_;
};

template <std::size_t alignment>
void undoes_arrays() {
  using Element = Fussy<alignment>;
  CAPTURE(alignment);
  ManagedRegion region = growing(16 * kib, 16 * mib);
  const std::size_t size = region.get_size();
  const std::size_t free_bytes = region.get_free_memory();
  int living = 0;
  for (const std::size_t count : {std::size_t{1}, std::size_t{10}, 20 * kib}) {
    for (const int made : {0, 1, static_cast<int>(count) - 1}) {
      for (const cow::ObjectName name :
           {cow::ObjectName("fussy"), cow::ObjectName(cow::unique_instance),
            cow::ObjectName(cow::anonymous_instance)}) {
        int left = std::min(made, static_cast<int>(count) - 1);
        CHECK_THROWS_AS(region.construct<Element>(name)[count](left, living), std::runtime_error);
        left = 0;
        CHECK_THROWS_AS(region.find_or_construct<Element>(name, std::nothrow)[count](left, living),
                        std::runtime_error);
        CHECK(living == 0);
        CHECK(region.find<Element>(name).first == nullptr);
        REQUIRE(region.get_size() == size);
        REQUIRE(region.get_free_memory() == free_bytes);
        REQUIRE(region.check_sanity());
      }
    }
  }
  int left = 10;
  CHECK(region.construct<Element>("fussy")[10](left, living) != nullptr);
  CHECK(living == 10);
  CHECK(region.destroy<Element>("fussy"));
  CHECK(living == 0);
}

}  // namespace

TEST_CASE("an array whose constructor throws half-way leaves the region as small as it was",
          "[managed]") {
  undoes_arrays<8>();
  undoes_arrays<16>();
  undoes_arrays<64>();
}

TEST_CASE("what does not fit leaves no room for its name behind", "[managed]") {
  ManagedRegion region = growing(4 * kib, mib);
  while (region.get_free_memory() >= 48) REQUIRE(region.allocate(1) != nullptr);
  const std::size_t size = region.get_size();
  CHECK_THROWS_AS(region.construct<char>("large")[mib - 2 * kib](), ipc::bad_alloc);
  CHECK(region.get_size() == size);
  CHECK(region.construct<char>("large", std::nothrow)[mib - 2 * kib]() == nullptr);
  CHECK(region.get_size() == size);
  CHECK(region.check_sanity());
  CHECK(region.construct<char>("small")[100]() != nullptr);
}

TEST_CASE("named objects are gone through while others are made and the segment grows",
          "[managed]") {
  ManagedRegion region = growing(4 * kib, 64 * mib);
  for (const char* name : {"a", "b", "c"}) region.construct<int>(name)(1);
  const std::size_t size = region.get_size();
  std::set<std::string> seen;
  int made = 0;
  for (auto each = region.named_begin(); each != region.named_end(); ++each) {
    seen.emplace(each->name());
    CHECK(*static_cast<const int*>(each->value()) == 1);
    if (made == 100) continue;
    // Longer names come behind.
    const std::string name = "more" + std::to_string(1000 + made++);
    region.construct<int>(name.c_str())[10 * kib](1);
  }
  CHECK(region.get_size() > 100 * size);
  CHECK(seen.size() == 103);
  CHECK(region.get_num_named_objects() == 103);
  const auto found = region.find<int>("more1099");
  CHECK(found.second == 10 * kib);
}

TEST_CASE("alignments are powers of two, and others are refused", "[managed]") {
  ManagedRegion region = growing(16 * kib, mib);
  cow::SegmentManager& manager = *region.get_segment_manager();
  for (const std::size_t alignment : {3U, 5U, 6U, 7U, 9U, 12U, 15U, 17U, 24U, 48U, 4095U}) {
    CAPTURE(alignment);
    CHECK(region.allocate_aligned(10, alignment, std::nothrow) == nullptr);
    CHECK(manager.allocate_aligned(10, alignment, std::nothrow) == nullptr);
    CHECK_THROWS_AS(static_cast<void>(region.allocate_aligned(10, alignment)), ipc::bad_alloc);
  }
  for (const std::size_t bytes : {0U, 1U, 10U, 5000U}) {
    for (std::size_t alignment = 1; alignment <= 64 * kib; alignment *= 2) {
      CAPTURE(bytes, alignment);
      void* const block = region.allocate_aligned(bytes, alignment);
      CHECK(reinterpret_cast<std::uintptr_t>(block) % alignment == 0);
      region.deallocate(block);
    }
    region.deallocate(region.allocate_aligned(bytes, 0));
  }
  CHECK(region.all_memory_deallocated());
  CHECK(region.check_sanity());
}

TEST_CASE("a full segment is shrunk by nothing, and one with gaps by its end alone", "[managed]") {
  ManagedRegion region = growing(16 * kib, 256 * kib);
  std::vector<std::pair<void*, std::size_t>> blocks;
  while (void* const block = region.allocate(1000, std::nothrow)) {
    support::fill({static_cast<std::byte*>(block), 1000}, blocks.size());
    blocks.emplace_back(block, blocks.size());
  }
  while (region.allocate(1, std::nothrow) != nullptr) {
  }
  CHECK(region.get_size() == 256 * kib);
  region.shrink_to_fit();
  CHECK(region.get_size() == 256 * kib);
  CHECK(region.allocate(1, std::nothrow) == nullptr);
  CHECK(region.check_sanity());
  for (std::size_t each = 0; each < blocks.size(); ++each) {
    if (each % 2 == 0 || each > blocks.size() / 2) region.deallocate(blocks[each].first);
  }
  region.shrink_to_fit();
  for (std::size_t each = 1; each <= blocks.size() / 2; each += 2) {
    const auto& [block, pattern] = blocks[each];
    CHECK(support::shows({static_cast<const std::byte*>(block), 1000}, pattern));
  }
  CHECK(region.check_sanity());
  CHECK(region.construct<char>("large")[100 * kib]() != nullptr);
}

TEST_CASE("objects go through generations of snapshots and clones", "[managed]") {
  ManagedRegion region = growing(16 * kib, 16 * mib);
  region.construct<cow::vector<int>>("v")(region.get_allocator<int>());
  std::vector<ManagedSnapshot> generations;
  for (int generation = 0; generation < 10; ++generation) {
    auto& numbers = *region.find<cow::vector<int>>("v").first;
    numbers.resize(numbers.size() + 10'000, generation);
    generations.push_back(region.snapshot());
    // Each is a clone of a clone of what was made of a snapshot of the one before.
    region = ManagedRegion::from_snapshot(ManagedSnapshot::open(generations.back().snapshot()))
                 .clone()
                 .clone(generation % 2 == 0 ? cow::CloneMode::lazy : cow::CloneMode::eager);
    REQUIRE(region.check_sanity());
  }
  for (int generation = 0; generation < 10; ++generation) {
    const ManagedSnapshot& snapshot = generations[static_cast<std::size_t>(generation)];
    const auto& numbers = *snapshot.find<cow::vector<int>>("v").first;
    CHECK(numbers.size() == 10'000 * (static_cast<std::size_t>(generation) + 1));
    CHECK(numbers.front() == 0);
    CHECK(numbers.back() == generation);
    CHECK(snapshot.belongs_to_segment(&numbers.back()));
    CHECK(ManagedRegion::from_snapshot(snapshot).check_sanity());
  }
  region.destroy<cow::vector<int>>("v");
  CHECK(region.all_memory_deallocated());
}
