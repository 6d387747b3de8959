// Numbers of objects, lengths of names and sizes that no segment could hold: a region that is full,
// whatever they come to in 64 bits, and nothing beyond a block is constructed.

#include "catch.hpp"
#include "support.hpp"

#include <cow/managed_region.hpp>

#include <array>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace ipc = boost::interprocess;
using cow::ManagedRegion;

namespace {

constexpr std::size_t kib = std::size_t{1} << 10;
constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t most = std::numeric_limits<std::size_t>::max();

ManagedRegion growing(std::size_t bytes, std::size_t max_bytes) {
  return ManagedRegion::create(bytes, max_bytes, support::options());
}

/// Whoever constructs one has a block for it; here nobody should.
template <std::size_t bytes, std::size_t alignment>
struct alignas(alignment) Never {
  Never() { throw std::logic_error("constructed beyond the block"); }
  explicit Never(int /*value*/) : Never() {}
  std::array<char, bytes> content;
};

/// All ways to make so many of T under that name; each has to say that the region is full.
template <class T, class Face>
void refuses_count(Face& face, cow::ObjectName name, std::size_t count) {
  const std::array<int, 1> values = {1};
  const auto from = [&] { return values.data(); };
  CHECK_THROWS_AS(face.template construct<T>(name)[count](), ipc::bad_alloc);
  CHECK_THROWS_AS(face.template construct_it<T>(name)[count](from()), ipc::bad_alloc);
  CHECK(face.template construct<T>(name, std::nothrow)[count]() == nullptr);
  CHECK(face.template construct_it<T>(name, std::nothrow)[count](from()) == nullptr);
  CHECK_THROWS_AS(face.template find_or_construct<T>(name)[count](), ipc::bad_alloc);
  CHECK_THROWS_AS(face.template find_or_construct_it<T>(name)[count](from()), ipc::bad_alloc);
  CHECK(face.template find_or_construct<T>(name, std::nothrow)[count]() == nullptr);
  CHECK(face.template find_or_construct_it<T>(name, std::nothrow)[count](from()) == nullptr);
}

template <class T>
void refuses_counts() {
  ManagedRegion region = growing(16 * kib, mib);
  const std::size_t size = region.get_size();
  const std::size_t free_bytes = region.get_free_memory();
  CAPTURE(sizeof(T), alignof(T));
  for (const std::size_t count :
       {most, most - 7, most / 2 + 1, most / sizeof(T), most / sizeof(T) - 1, most / sizeof(T) - 3,
        (most - 16) / sizeof(T), (most - 128) / sizeof(T), most / 4 * 3, mib / sizeof(T),
        mib / sizeof(T) + 1, mib}) {
    CAPTURE(count);
    for (const cow::ObjectName name :
         {cow::ObjectName("x"), cow::ObjectName(""), cow::ObjectName(cow::unique_instance),
          cow::ObjectName(cow::anonymous_instance)}) {
      refuses_count<T>(region, name, count);
      refuses_count<T>(*region.get_segment_manager(), name, count);
    }
  }
  CHECK(region.get_size() == size);
  CHECK(region.get_free_memory() == free_bytes);
  CHECK(region.get_num_named_objects() == 0);
  CHECK(region.get_num_unique_objects() == 0);
  CHECK(region.check_sanity());
}

template <class Face>
void multiplies_counts(ManagedRegion& region, Face& face) {
  using Small = Never<1, 1>;
  constexpr std::size_t half = std::size_t{1} << 32;
  CHECK_THROWS_AS(face.template construct<Small>("x")[half][half](), ipc::bad_alloc);
  CHECK_THROWS_AS(face.template construct<Small>("x")[half][half + 1](), ipc::bad_alloc);
  CHECK(face.template construct<Small>("x", std::nothrow)[half][half]() == nullptr);
  CHECK(face.template construct<int>("x")[3][4](7)[11] == 7);
  CHECK(region.find<int>("x").second == 12);
  CHECK(region.destroy<int>("x"));
  CHECK(face.template construct<Small>("x")[most][most][0]() != nullptr);
  CHECK(region.find<Small>("x").second == 0);
  CHECK(region.destroy<Small>("x"));
}

template <class Face>
void refuses_name(Face& face, const std::string& name) {
  CAPTURE(name.size());
  CHECK_THROWS_AS(face.template construct<int>(name.c_str())(1), ipc::bad_alloc);
  CHECK_THROWS_AS(face.template find_or_construct<int>(name.c_str())(1), ipc::bad_alloc);
  CHECK(face.template construct<int>(name.c_str(), std::nothrow)(1) == nullptr);
  CHECK(face.template find_or_construct<int>(name.c_str(), std::nothrow)[2](1) == nullptr);
  CHECK(face.template find<int>(name.c_str()).first == nullptr);
  CHECK_FALSE(face.template destroy<int>(name.c_str()));
}

}  // namespace

TEST_CASE("a number of objects that no segment could hold is a full region, whoever is asked",
          "[managed]") {
  refuses_counts<Never<1, 1>>();
  refuses_counts<Never<8, 8>>();
  refuses_counts<Never<24, 8>>();
  refuses_counts<Never<16, 16>>();
  refuses_counts<Never<64, 64>>();
  refuses_counts<Never<384, 128>>();
}

TEST_CASE("counts that are multiplied beyond 64 bits make a full region, not a small array",
          "[managed]") {
  ManagedRegion region = growing(16 * kib, mib);
  multiplies_counts(region, region);
  multiplies_counts(region, *region.get_segment_manager());
  CHECK(region.all_memory_deallocated());
}

TEST_CASE("a name that is taken is found or refused as such, whatever number is asked for",
          "[managed]") {
  ManagedRegion region = growing(16 * kib, mib);
  int* const made = region.construct<int>("n")[3](7);
  for (const std::size_t count : {std::size_t{4}, mib, most / sizeof(int), most}) {
    CAPTURE(count);
    CHECK(region.find_or_construct<int>("n")[count](1) == made);
    CHECK(region.construct<int>("n", std::nothrow)[count](1) == nullptr);
    bool is_taken = false;
    try {
      region.construct<int>("n")[count](1);
    } catch (const ipc::interprocess_exception& error) {
      is_taken = error.get_error_code() == ipc::already_exists_error;
    }
    CHECK(is_taken);
  }
  CHECK(region.find<int>("n").second == 3);
}

TEST_CASE("a name has from none to 65535 bytes, and a longer one is a full region", "[managed]") {
  constexpr std::array<std::size_t, 4> allowed = {0, 1, 65534, 65535};
  ManagedRegion region = growing(16 * kib, 4 * mib);
  for (const std::size_t length : allowed) {
    CAPTURE(length);
    const std::string name(length, 'x');
    const int* const made = region.construct<int>(name.c_str())[3](7);
    CHECK(region.find<int>(name.c_str()).first == made);
    CHECK(ManagedRegion::get_instance_name(made) == name);
    CHECK(ManagedRegion::get_instance_length(made) == 3);
    CHECK(region.clone().find<int>(name.c_str()).second == 3);
    CHECK(region.check_sanity());
  }
  const std::size_t names = region.get_num_named_objects();
  const std::size_t free_bytes = region.get_free_memory();
  for (const std::size_t length : {std::size_t{65536}, std::size_t{70000}, 2 * mib}) {
    const std::string name(length, 'x');
    refuses_name(region, name);
    refuses_name(*region.get_segment_manager(), name);
  }
  CHECK(region.get_num_named_objects() == names);
  CHECK(region.get_free_memory() == free_bytes);
  for (const std::size_t length : allowed) {
    CHECK(region.destroy<int>(std::string(length, 'x').c_str()));
  }
  CHECK(region.all_memory_deallocated());
}

TEST_CASE("an object without a name is not found or destroyed by one", "[managed]") {
  ManagedRegion region = growing(16 * kib, 0);
  int* const made = region.construct<int>(cow::anonymous_instance)(7);
  CHECK(region.find<int>(cow::anonymous_instance).first == nullptr);
  CHECK(region.find_no_lock<int>(cow::anonymous_instance).first == nullptr);
  CHECK(region.snapshot().find<int>(cow::anonymous_instance).first == nullptr);
  CHECK_FALSE(region.destroy<int>(cow::anonymous_instance));
  CHECK_FALSE(region.get_segment_manager()->destroy<int>(cow::anonymous_instance));
  CHECK(*made == 7);
  region.destroy_ptr(made);
  CHECK(region.all_memory_deallocated());
}

TEST_CASE("sizes that overflow are refused by all that allocates", "[managed]") {
  ManagedRegion region = growing(16 * kib, mib);
  cow::SegmentManager& manager = *region.get_segment_manager();
  const std::size_t size = region.get_size();
  const std::size_t free_bytes = region.get_free_memory();
  for (const std::size_t bytes : {most, most - 7, most - 15, most - 31, most / 2, mib}) {
    CAPTURE(bytes);
    CHECK(region.allocate(bytes, std::nothrow) == nullptr);
    CHECK_THROWS_AS(static_cast<void>(manager.allocate(bytes)), ipc::bad_alloc);
    for (const std::size_t alignment : {std::size_t{8}, std::size_t{64}, most / 2 + 1}) {
      CHECK(region.allocate_aligned(bytes, alignment, std::nothrow) == nullptr);
      CHECK(manager.allocate_aligned(bytes, alignment, std::nothrow) == nullptr);
    }
    CHECK_THROWS_AS(region.grow(bytes), ipc::bad_alloc);
    CHECK_THROWS_AS(manager.grow(bytes), ipc::bad_alloc);
    CHECK_THROWS_AS(static_cast<void>(region.get_allocator<int>().allocate(bytes)), ipc::bad_alloc);
    ManagedRegion::multiallocation_chain chain;
    const std::array<std::size_t, 2> lengths = {most, bytes};
    CHECK_THROWS_AS(region.allocate_many(bytes, 3, chain), ipc::bad_alloc);
    CHECK_THROWS_AS(region.allocate_many(std::size_t{3}, bytes, chain), ipc::bad_alloc);
    CHECK_THROWS_AS(manager.allocate_many(lengths.data() + 1, 1, bytes, chain), ipc::bad_alloc);
    CHECK_THROWS_AS(manager.allocate_many(lengths.data(), 2, 1, chain), ipc::bad_alloc);
    CHECK(chain.empty());
  }
  CHECK(region.get_size() == size);
  CHECK(region.get_free_memory() == free_bytes);
  CHECK(region.check_sanity());
}

TEST_CASE("no blocks at all are refused without growing for them", "[managed]") {
  ManagedRegion region = growing(16 * kib, mib);
  const std::size_t size = region.get_size();
  const std::size_t taken = cow::process_stats().bytes_in_use;
  const std::array<std::size_t, 1> lengths = {100};
  ManagedRegion::multiallocation_chain chain;
  CHECK_THROWS_AS(region.allocate_many(lengths.data(), 0, 1, chain), ipc::bad_alloc);
  region.allocate_many(std::nothrow, std::size_t{100}, 0, chain);
  CHECK(chain.empty());
  CHECK(region.get_size() == size);
  CHECK(cow::process_stats().bytes_in_use == taken);
}

TEST_CASE("numbers that overflow neither shrink nor expand a block", "[managed]") {
  ManagedRegion region = growing(16 * kib, mib);
  std::size_t received = 100;
  int* reuse = nullptr;
  int* const block = region.allocation_command<int>(ipc::allocate_new, 100, received, reuse);
  const std::size_t bytes = region.get_segment_manager()->size(block);
  constexpr std::size_t wraps = (std::size_t{1} << 62) + 1;  // to one int
  for (const auto command :
       {ipc::shrink_in_place | 0, ipc::try_shrink_in_place | 0, ipc::expand_fwd | 0,
        ipc::expand_bwd | 0, ipc::allocate_new | ipc::expand_fwd, ipc::allocate_new | 0}) {
    for (const std::size_t count : {wraps, wraps + 100, most / sizeof(int), most}) {
      CAPTURE(command, count);
      received = count;
      reuse = block;
      CHECK(region.allocation_command<int>(
                static_cast<ipc::allocation_type>(command | ipc::nothrow_allocation), count,
                received, reuse) == nullptr);
      CHECK(region.get_segment_manager()->size(block) == bytes);
    }
  }
  // What fits is shrunk to still.
  received = 10;
  reuse = block;
  CHECK(region.allocation_command<int>(ipc::shrink_in_place, 100, received, reuse) == block);
  CHECK(region.get_segment_manager()->size(block) < bytes);
  CHECK(region.check_sanity());
}
