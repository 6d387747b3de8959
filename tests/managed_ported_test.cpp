// A program written for Boost.Interprocess's managed memories, compiled for ManagedRegion with the
// type changed and nothing else: it does the same.

#include "catch.hpp"
#include "support.hpp"

#include <cow/managed_region.hpp>

#include <boost/container/list.hpp>
#include <boost/container/map.hpp>
#include <boost/container/vector.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/allocators/node_allocator.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/smart_ptr/shared_ptr.hpp>
#include <boost/interprocess/smart_ptr/unique_ptr.hpp>
#include <boost/interprocess/smart_ptr/weak_ptr.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace ipc = boost::interprocess;

namespace {

/// Room for the program under either memory.
constexpr std::size_t bytes = std::size_t{256} << 10;

/// What a program sees of the memory it was written for.
template <class Memory>
class Program {
 public:
  explicit Program(Memory& memory) : memory_(memory) {}

  std::string run() {
    names();
    counted_functions();
    containers();
    blocks();
    smart_pointers();
    said_ << " empty " << memory_.all_memory_deallocated() << " sane " << memory_.check_sanity();
    return said_.str();
  }

 private:
  using Manager = typename Memory::segment_manager;
  using Char = typename Memory::char_type;
  using Size = typename Memory::size_type;
  using Handle = typename Memory::handle_t;
  using Chain = typename Memory::multiallocation_chain;
  static_assert(std::is_same_v<Char, typename Memory::char_t>);
  static_assert(std::is_same_v<Handle, typename Memory::difference_type>);
  static_assert(sizeof(typename Memory::memory_algorithm) > 0);
  static_assert(sizeof(typename Memory::mutex_family::mutex_type) > 0);

  template <class Call>
  static bool throws(Call&& call) {
    try {
      call();
    } catch (const ipc::interprocess_exception&) {
      return true;
    }
    return false;
  }

  void names() {
    const std::array<int, 3> values = {3, 1, 4};
    int* const one = memory_.template construct<int>("one")(1);
    int* const array = memory_.template construct_it<int>("array", std::nothrow)[3](values.data());
    int* const unique = memory_.template construct<int>(ipc::unique_instance)(5);
    int* const nameless = memory_.template construct<int>(ipc::anonymous_instance)(9);
    said_ << memory_.get_instance_name(one) << array[2] << memory_.get_instance_length(array)
          << (memory_.get_instance_type(one) == ipc::named_type)
          << (memory_.get_instance_type(unique) == ipc::unique_type)
          << (memory_.get_instance_type(nameless) == ipc::anonymous_type);
    said_ << throws([&] { memory_.template construct<int>("one")(2); })
          << throws([&] { memory_.get_segment_manager()->template construct<int>("one")(2); })
          << (memory_.template construct<int>("one", std::nothrow)(2) == nullptr)
          << (memory_.template find_or_construct_it<int>("array", std::nothrow)[3](values.data()) ==
              array)
          << (memory_.template find_no_lock<int>("one").first == one);
    const Memory& constant = memory_;
    const Handle handle = constant.get_handle_from_address(one);
    Manager* const manager = constant.get_segment_manager();
    said_ << (constant.get_address_from_handle(handle) == one)
          << (static_cast<char*>(constant.get_address()) + handle == static_cast<void*>(one))
          << constant.belongs_to_segment(one) << (manager->template find<int>("one").first == one)
          << " of " << constant.get_size();
    memory_.template destroy<int>("one");
    memory_.template destroy<int>("array");
    memory_.template destroy<int>(ipc::unique_instance);
    memory_.destroy_ptr(nameless);
  }

  void counted_functions() {
    memory_.reserve_named_objects(10);
    memory_.reserve_unique_objects(10);
    int calls = 0;
    auto call = [&] { ++calls; };
    memory_.atomic_func(call);
    said_ << memory_.try_atomic_func(call) << calls;
    memory_.shrink_to_fit_indexes();
    memory_.zero_free_memory();
  }

  void containers() {
    using Allocator = ipc::allocator<int, Manager>;
    using Vector = boost::container::vector<int, Allocator>;
    using Pair = std::pair<const int, int>;
    using Map = boost::container::map<int, int, std::less<>, ipc::allocator<Pair, Manager>>;
    using List = boost::container::list<int, ipc::node_allocator<int, Manager>>;
    const Allocator allocator(memory_.get_segment_manager());
    auto* const vector = memory_.template construct<Vector>("vector")(allocator);
    auto* const map = memory_.template construct<Map>("map")(
        std::less<>(), memory_.template get_allocator<Pair>());
    auto* const list = memory_.template construct<List>("list")(
        ipc::node_allocator<int, Manager>(memory_.get_segment_manager()));
    for (int i = 0; i < 500; ++i) {
      vector->push_back(i);
      map->emplace(i, -i);
      list->push_back(i);
    }
    said_ << " " << vector->size() << map->at(77) << list->back();
    memory_.template destroy<Vector>("vector");
    memory_.template destroy<Map>("map");
    memory_.template destroy<List>("list");
  }

  void blocks() {
    const std::array<Size, 3> lengths = {10, 200, 3000};
    Chain chain;
    memory_.allocate_many(lengths.data(), 3, 1, chain);
    memory_.allocate_many(Size{100}, 5, chain);
    memory_.allocate_many(std::nothrow, Size{100}, 5, chain);
    memory_.allocate_many(std::nothrow, lengths.data(), 3, 4, chain);
    said_ << " " << chain.size();
    memory_.deallocate_many(chain);
    said_ << (memory_.allocate(2 * bytes, std::nothrow) == nullptr)
          << (memory_.allocate_aligned(2 * bytes, 64, std::nothrow) == nullptr);
    Size received = 200;
    int* reuse = nullptr;
    int* const made = memory_.allocation_command(ipc::allocate_new, 100, received, reuse);
    said_ << (received >= 200);
    memory_.deallocate(made);
  }

  void smart_pointers() {
    using Shared = typename ipc::managed_shared_ptr<int, Memory>::type;
    using Weak = typename ipc::managed_weak_ptr<int, Memory>::type;
    using Unique = typename ipc::managed_unique_ptr<int, Memory>::type;
    Weak weak;
    {
      Shared shared =
          ipc::make_managed_shared_ptr(memory_.template construct<int>("shared")(42), memory_);
      const Shared second = ipc::make_managed_shared_ptr(
          memory_.template construct<int>("second")(43), memory_, std::nothrow);
      weak = Weak(shared);
      const Unique unique =
          ipc::make_managed_unique_ptr(memory_.template construct<int>("unique")(44), memory_);
      said_ << " " << *shared << *second << *unique << shared.use_count() << weak.expired();
    }
    said_ << weak.expired() << (memory_.template find<int>("shared").first == nullptr)
          << (memory_.template find<int>("unique").first == nullptr);
  }

  Memory& memory_;
  std::ostringstream said_;
};

}  // namespace

TEST_CASE("a program written for managed_external_buffer does the same in a ManagedRegion",
          "[managed]") {
  alignas(64) static std::array<char, bytes> buffer;
  ipc::managed_external_buffer external(ipc::create_only, buffer.data(), buffer.size());
  cow::ManagedRegion region = cow::ManagedRegion::create(bytes, support::options());
  const std::string expected = Program<ipc::managed_external_buffer>(external).run();
  CAPTURE(expected);
  CHECK(expected.find("empty 1 sane 1") != std::string::npos);
  CHECK(Program<cow::ManagedRegion>(region).run() == expected);
}

TEST_CASE("a managed region is swapped, made empty and assigned as Interprocess's are",
          "[managed]") {
  cow::ManagedRegion first;
  CHECK_FALSE(first);
  CHECK_THROWS_AS(first.find<int>("n"), std::logic_error);
  cow::ManagedRegion second = cow::ManagedRegion::create(bytes, support::options());
  int* const made = second.construct<int>("n")(1);
  first.swap(second);
  CHECK_FALSE(second);
  CHECK(first.find<int>("n").first == made);
  swap(first, second);
  CHECK(second.find<int>("n").first == made);
  first = std::move(second);
  CHECK(*first.find<int>("n").first == 1);
}
