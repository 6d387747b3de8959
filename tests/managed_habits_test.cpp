// What Boost.Interprocess's managed memories have beyond names and containers, in a segment that
// grows: many blocks at once, allocation_command, Boost's own allocator, smart pointers that are
// cloned, handles in snapshots.

#include "catch.hpp"
#include "support.hpp"

#include <cow/managed_region.hpp>

#include <boost/interprocess/smart_ptr/shared_ptr.hpp>
#include <boost/interprocess/smart_ptr/weak_ptr.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
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

struct alignas(64) Line {
  std::array<char, 64> content{};
};

bool aligned(const Line* line) {
  return reinterpret_cast<std::uintptr_t>(line) % alignof(Line) == 0;
}

/// How many bytes a vector holds when nothing more fits.
std::size_t filled(ManagedRegion region) {
  cow::vector<char> vector(region.get_allocator<char>());
  const auto fill = [&] {
    for (;;) vector.push_back('x');
  };
  CHECK_THROWS_AS(fill(), ipc::bad_alloc);
  CHECK(region.check_sanity());
  return vector.size();
}

using Chain = ManagedRegion::multiallocation_chain;

std::vector<void*> taken(Chain& chain) {
  std::vector<void*> all;
  while (!chain.empty()) all.push_back(chain.pop_front());
  return all;
}

}  // namespace

TEST_CASE("the segment manager of a region has the region's rules", "[managed]") {
  ManagedRegion region = growing(16 * kib, mib);
  cow::SegmentManager& manager = *region.get_segment_manager();
  int* const made = manager.construct<int>("n")(1);
  const std::array<int, 2> values = {1, 2};
  CHECK_THROWS_AS(manager.construct<int>("n")(2), ipc::interprocess_exception);
  CHECK_THROWS_AS(region.construct<int>("n")(2), ipc::interprocess_exception);
  CHECK_THROWS_AS(manager.construct_it<int>("n")[2](values.data()), ipc::interprocess_exception);
  CHECK(manager.construct<int>("n", std::nothrow)(2) == nullptr);
  CHECK(manager.construct_it<int>("n", std::nothrow)[2](values.data()) == nullptr);
  CHECK(region.construct_it<int>("n", std::nothrow)[2](values.data()) == nullptr);
  CHECK(manager.find_or_construct<int>("n")(2) == made);
  CHECK(manager.find_or_construct_it<int>("n", std::nothrow)[1](values.data()) == made);
  CHECK(manager.find<int>("n").first == region.find<int>("n").first);

  using Allocator = ipc::allocator<Line, ManagedRegion::segment_manager>;
  for (int i = 0; i < 8; ++i) {
    REQUIRE(manager.allocate(24) != nullptr);
    REQUIRE(aligned(manager.construct<Line>(cow::anonymous_instance)()));
    REQUIRE(aligned(manager.get_allocator<Line>().allocate(1).get()));
    REQUIRE(aligned(Allocator(&manager).allocate_one().get()));
  }
  CHECK(std::is_same_v<Allocator, cow::allocator<Line>>);
  CHECK(std::is_same_v<Allocator, ManagedRegion::allocator<Line>::type>);
  CHECK(manager.allocate(512 * kib) != nullptr);
  CHECK(region.get_size() > 512 * kib);
}

TEST_CASE("a region that may grow to a size holds what one of that size holds", "[managed]") {
  for (const std::size_t first : {kib, 4 * kib, 16 * kib, 31 * kib}) {
    CAPTURE(first);
    CHECK(filled(growing(first, 32 * kib)) == filled(growing(32 * kib, 32 * kib)));
  }
}

TEST_CASE("a vector with Interprocess's allocator grows the region beyond its size", "[managed]") {
  using Allocator = ipc::allocator<char, ManagedRegion::segment_manager>;
  ManagedRegion region = growing(16 * kib, mib);
  const Allocator allocator(region.get_segment_manager());
  boost::container::vector<char, Allocator> vector(allocator);
  vector.insert(vector.begin(), 100'000, 'x');
  CHECK(vector.size() == 100'000);
  CHECK(region.get_size() > 100'000);
  CHECK_THROWS_AS(vector.insert(vector.begin(), mib, 'x'), ipc::bad_alloc);
  CHECK(vector.size() == 100'000);
}

TEST_CASE("many blocks are allocated at once in a segment that grows for them", "[managed]") {
  ManagedRegion region = growing(4 * kib, mib);
  const std::array<std::size_t, 4> lengths = {10, 20'000, 3, 100'000};
  Chain chain;
  region.allocate_many(lengths.data(), lengths.size(), 2, chain);
  region.allocate_many(std::size_t{1000}, 200, chain);
  REQUIRE(chain.size() == 204);
  CHECK(region.get_size() > 400 * kib);
  const std::vector<void*> blocks = taken(chain);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::size_t length = i < lengths.size() ? 2 * lengths[i] : 1000;
    REQUIRE(region.get_segment_manager()->size(blocks[i]) >= length);
    support::fill({static_cast<std::byte*>(blocks[i]), length}, static_cast<std::uint32_t>(i));
  }
  CHECK(region.check_sanity());
  for (void* const block : blocks) region.deallocate(block);
  CHECK(region.all_memory_deallocated());
}

TEST_CASE("many blocks that do not fit leave the chain and the region as they were", "[managed]") {
  ManagedRegion region = growing(4 * kib, 64 * kib);
  Chain chain;
  region.allocate_many(std::size_t{100}, 3, chain);
  const std::size_t size = region.get_size();
  const std::size_t free_bytes = region.get_free_memory();
  const std::array<std::size_t, 2> lengths = {10, 100'000};
  const std::array<std::size_t, 2> overflowing = {10, ~std::size_t{0} / 2};
  CHECK_THROWS_AS(region.allocate_many(lengths.data(), 2, 1, chain), ipc::bad_alloc);
  CHECK_THROWS_AS(region.allocate_many(overflowing.data(), 2, 4, chain), ipc::bad_alloc);
  CHECK_THROWS_AS(region.allocate_many(std::size_t{100}, 10'000, chain), ipc::bad_alloc);
  CHECK_THROWS_AS(region.allocate_many(std::size_t{0}, 3, chain), ipc::bad_alloc);
  CHECK_THROWS_AS(region.allocate_many(lengths.data(), 2, 0, chain), ipc::bad_alloc);
  region.allocate_many(std::nothrow, lengths.data(), 2, 1, chain);
  region.allocate_many(std::nothrow, ~std::size_t{0}, 2, chain);
  CHECK(chain.size() == 3);
  CHECK(region.get_size() == size);
  CHECK(region.get_free_memory() == free_bytes);
  region.deallocate_many(chain);
  CHECK(region.all_memory_deallocated());
  CHECK(region.check_sanity());
}

TEST_CASE("an allocation that may expand in place does so into a segment that grows", "[managed]") {
  ManagedRegion region = growing(4 * kib, 64 * kib);
  std::size_t received = 500;
  int* reuse = nullptr;
  int* const first = region.allocation_command(ipc::allocate_new, 500, received, reuse);
  REQUIRE(first != nullptr);
  reuse = first;
  received = 12'000;
  int* const expanded =
      region.allocation_command<int>(ipc::allocate_new | ipc::expand_fwd, 12'000, received, reuse);
  CHECK(expanded == first);
  CHECK(reuse == first);
  CHECK(received >= 12'000);
  received = 20'000;
  CHECK_THROWS_AS(
      region.allocation_command<int>(ipc::allocate_new | ipc::expand_fwd, 20'000, received, reuse),
      ipc::bad_alloc);
  received = 20'000;
  reuse = first;
  CHECK(
      region.allocation_command<int>(ipc::allocate_new | ipc::expand_fwd | ipc::nothrow_allocation,
                                     20'000, received, reuse) == nullptr);
  received = 100;
  reuse = first;
  CHECK(region.allocation_command<int>(ipc::shrink_in_place, 12'000, received, reuse) == first);
  CHECK(region.check_sanity());
  region.deallocate(first);
  CHECK(region.all_memory_deallocated());
}

TEST_CASE("allocations with nothrow are null when the region is full", "[managed]") {
  ManagedRegion region = growing(4 * kib, 64 * kib);
  CHECK(region.allocate(64 * kib, std::nothrow) == nullptr);
  CHECK(region.allocate_aligned(64 * kib, 512, std::nothrow) == nullptr);
  CHECK(region.get_size() == 4 * kib);
  CHECK(region.allocate(30 * kib, std::nothrow) != nullptr);
  void* const block = region.allocate_aligned(10 * kib, 512, std::nothrow);
  CHECK(reinterpret_cast<std::uintptr_t>(block) % 512 == 0);
}

TEST_CASE("smart pointers in a region count in each clone for themselves", "[managed]") {
  using Shared = ipc::managed_shared_ptr<Line, ManagedRegion>::type;
  using Weak = ipc::managed_weak_ptr<Line, ManagedRegion>::type;
  ManagedRegion region = growing(4 * kib, mib);
  region.construct<Shared>("shared")(
      ipc::make_managed_shared_ptr(region.construct<Line>("line")(), region));
  region.construct<Weak>("weak")(*region.find<Shared>("shared").first);
  CHECK(aligned(region.find<Shared>("shared").first->get().get()));
  ManagedRegion clone = region.clone();
  region.destroy<Shared>("shared");
  CHECK(region.find<Line>("line").first == nullptr);
  CHECK(region.find<Weak>("weak").first->expired());
  const Weak& cloned = *clone.find<Weak>("weak").first;
  REQUIRE_FALSE(cloned.expired());
  CHECK(cloned.lock().get().get() == clone.find<Line>("line").first);
  for (ManagedRegion* const each : {&region, &clone}) {
    each->destroy<Shared>("shared");
    each->destroy<Weak>("weak");
    CHECK(each->all_memory_deallocated());
  }
}

TEST_CASE("the size of a segment is that of its region, header included", "[managed]") {
  ManagedRegion region = growing(64 * kib, 0);
  CHECK(region.get_size() == 64 * kib);
  CHECK(region.get_max_size() == 64 * kib);
  CHECK(region.get_address() == region.region().data());
  const auto* const begin = static_cast<const char*>(region.get_address());
  CHECK(region.belongs_to_segment(begin));
  CHECK(region.belongs_to_segment(begin + 64 * kib - 1));
  CHECK_FALSE(region.belongs_to_segment(begin + 64 * kib));
  CHECK(region.get_handle_from_address(begin + 100) == 100);
}

TEST_CASE("a handle of a region is an address in its snapshots, and the other way round",
          "[managed]") {
  ManagedRegion region = growing(64 * kib, mib);
  const int* const made = region.construct<int>("n")(7);
  const int* const unique = region.construct<int>(cow::unique_instance)[3](8);
  const ManagedSnapshot snapshot = region.snapshot();
  const auto [then, count] = snapshot.find<int>("n");
  REQUIRE(then != nullptr);
  const ManagedRegion::handle_t handle = region.get_handle_from_address(made);
  CHECK(snapshot.get_address_from_handle(handle) == then);
  CHECK(snapshot.get_handle_from_address(then) == handle);
  CHECK(snapshot.belongs_to_segment(then));
  CHECK_FALSE(snapshot.belongs_to_segment(made));
  CHECK_FALSE(region.belongs_to_segment(then));
  CHECK(snapshot.get_address() == snapshot.snapshot().bytes().data());
  CHECK(snapshot.get_size() == region.get_size());
  CHECK(ManagedSnapshot::get_instance_name(then) == std::string("n"));
  CHECK(ManagedSnapshot::get_instance_type(then) == ipc::named_type);
  const void* const then_unique =
      snapshot.get_address_from_handle(region.get_handle_from_address(unique));
  CHECK(ManagedSnapshot::get_instance_length(static_cast<const int*>(then_unique)) == 3);
  CHECK(snapshot.check_sanity());
}

TEST_CASE("what is free in a segment is filled with zeros when asked, and nothing else",
          "[managed]") {
  ManagedRegion region = growing(16 * kib, mib);
  void* const kept = region.allocate(1000);
  void* const given_back = region.allocate(1000);
  support::fill({static_cast<std::byte*>(kept), 1000}, 1);
  support::fill({static_cast<std::byte*>(given_back), 1000}, 2);
  const std::vector<std::byte> before(static_cast<std::byte*>(kept),
                                      static_cast<std::byte*>(kept) + 1000);
  region.deallocate(given_back);
  region.zero_free_memory();
  CHECK(std::equal(before.begin(), before.end(), static_cast<std::byte*>(kept)));
  // Boost's own links of free blocks lie in the first bytes.
  const auto* const free_bytes = static_cast<const std::byte*>(given_back);
  CHECK(std::all_of(free_bytes + 64, free_bytes + 1000,
                    [](std::byte byte) { return byte == std::byte{0}; }));
  CHECK(region.check_sanity());
}
