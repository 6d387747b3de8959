#pragma once

/// @file
/// Boost.Interprocess's allocator for a managed region. Included by <cow/managed_region.hpp>.

#include <boost/container/detail/multiallocation_chain.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/detail/type_traits.hpp>
#include <boost/interprocess/detail/utilities.hpp>

#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include <cow/managed/segment.hpp>

namespace boost::interprocess {

/// Boost.Interprocess's allocator with two differences: it serves types of any alignment, and as
/// the segment grows, a container is told that it is full by boost::interprocess::bad_alloc alone.
/// A specialisation, so that programs that spell it as Interprocess does have it as well.
template <class T>
class allocator<T, cow::SegmentManager> {
 public:
  /// By Interprocess's name: `ManagedRegion::allocator<T>::type`.
  using type = allocator;
  /// Where it allocates.
  using segment_manager = cow::SegmentManager;
  /// A pointer that is right in clones, too.
  using void_pointer = segment_manager::void_pointer;
  /// What it allocates.
  using value_type = T;
  /// As void_pointer.
  using pointer = offset_ptr<T>;
  /// The same, for reading.
  using const_pointer = offset_ptr<const T>;
  /// Of an element.
  using reference = typename ipcdetail::add_reference<T>::type;
  /// The same, for reading.
  using const_reference = typename ipcdetail::add_reference<const T>::type;
  /// Counts.
  using size_type = segment_manager::size_type;
  /// Distances.
  using difference_type = segment_manager::difference_type;
  /// Many blocks in one call.
  using multiallocation_chain =
      boost::container::dtl::transform_multiallocation_chain<segment_manager::multiallocation_chain,
                                                             T>;
  /// Containers allocate by plain `allocate` from version 1, and expand in place from version 2. A
  /// class of its own, as T may be incomplete until a container asks.
  struct version {
    /// Types of more than the usual alignment cannot be expanded in place.
    static constexpr unsigned value = alignof(T) > cow::detail::GrowingBestFit::Alignment ? 1 : 2;
  };
  /// The same allocator for another type.
  template <class U>
  struct rebind {
    /// The allocator of U.
    using other = allocator<U, cow::SegmentManager>;
  };

  /// Allocates in `segment`, as `ManagedRegion::get_allocator` gives it.
  allocator(segment_manager* segment) : segment_(segment) {}  // NOLINT: as Interprocess's
  /// The same segment.
  allocator(const allocator& other) : segment_(other.get_segment_manager()) {}
  /// The same segment, for another type.
  template <class U>
  allocator(const allocator<U, cow::SegmentManager>& other)  // NOLINT: as Interprocess's
      : segment_(other.get_segment_manager()) {}
  allocator& operator=(const allocator&) = delete;
  ~allocator() = default;

  /// Where it allocates.
  [[nodiscard]] segment_manager* get_segment_manager() const { return segment_.get(); }

  /// Room for `count` objects; throws boost::interprocess::bad_alloc.
  pointer allocate(size_type count, offset_ptr<const void> /*hint*/ = nullptr) {
    if (count > max_size()) throw bad_alloc();
    if constexpr (alignof(T) > cow::detail::GrowingBestFit::Alignment) {
      return static_cast<T*>(segment_->allocate_aligned(count * sizeof(T), alignof(T)));
    } else {
      return static_cast<T*>(segment_->allocate(count * sizeof(T)));
    }
  }
  /// Gives back what `allocate` returned.
  void deallocate(const pointer& memory, size_type /*count*/) {
    segment_->deallocate(memory.get());
  }
  /// Room for one.
  pointer allocate_one() { return allocate(1); }
  /// Gives it back.
  void deallocate_one(const pointer& memory) { deallocate(memory, 1); }

  /// More than any segment could hold: whether there is room shows when it is asked for.
  [[nodiscard]] size_type max_size() const {
    return static_cast<size_type>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T);
  }
  /// How many objects there is room for in what was allocated.
  [[nodiscard]] size_type size(const pointer& memory) const {
    return segment_->size(memory.get()) / sizeof(T);
  }

  /// Allocates, or expands in place, as boost::interprocess::allocation_type has it.
  pointer allocation_command(allocation_type command, size_type least,
                             size_type& preferred_then_received, pointer& reuse) {
    T* raw = reuse.get();
    const pointer made = segment_->allocation_command(command, least, preferred_then_received, raw);
    reuse = raw;
    return made;
  }
  /// `count` blocks of `length` objects, at the end of `chain`, or bad_alloc and none.
  void allocate_many(size_type length, size_type count, multiallocation_chain& chain) {
    check_many();
    if (length > max_size()) throw bad_alloc();
    segment_->allocate_many(length * sizeof(T), count, chain);
  }
  /// The same with a length for each.
  void allocate_many(const size_type* lengths, size_type count, multiallocation_chain& chain) {
    check_many();
    segment_->allocate_many(lengths, count, sizeof(T), chain);
  }
  /// Gives all of them back.
  void deallocate_many(multiallocation_chain& chain) { segment_->deallocate_many(chain); }
  /// Room for one, so many times.
  void allocate_individual(size_type count, multiallocation_chain& chain) {
    allocate_many(size_type{1}, count, chain);
  }
  /// Gives all of them back.
  void deallocate_individual(multiallocation_chain& chain) { deallocate_many(chain); }

  /// Where it is.
  pointer address(reference value) const { return pointer(std::addressof(value)); }
  /// The same, for reading.
  const_pointer address(const_reference value) const {
    return const_pointer(std::addressof(value));
  }
  /// Makes an object of `value`.
  template <class Value>
  void construct(const pointer& memory, Value&& value) {
    ::new (static_cast<void*>(memory.get())) T(std::forward<Value>(value));
  }
  /// Ends its life.
  void destroy(const pointer& object) { std::destroy_at(object.get()); }

  /// Exchanges what they allocate in.
  friend void swap(allocator& left, allocator& right) noexcept {
    const auto segment = left.segment_;
    left.segment_ = right.segment_;
    right.segment_ = segment;
  }

 private:
  static void check_many() {
    static_assert(alignof(T) <= cow::detail::GrowingBestFit::Alignment,
                  "allocate_many: T is aligned to more than blocks are: allocate one by one");
  }

  offset_ptr<segment_manager> segment_;
};

}  // namespace boost::interprocess

namespace cow {

/// What containers in a region allocate with.
template <class T>
using allocator = boost::interprocess::allocator<T, SegmentManager>;

}  // namespace cow
