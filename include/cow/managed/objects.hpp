#pragma once

/// @file
/// What a managed memory of Boost.Interprocess has. Included by <cow/managed_region.hpp>.

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>

#include <cow/managed/allocator.hpp>
#include <cow/managed/reading.hpp>
#include <cow/managed/segment.hpp>
#include <cow/region.hpp>

namespace cow {

class ManagedRegion;

/// The objects and the memory of a ManagedRegion, with the functions and the names of
/// Boost.Interprocess's managed memories.
class ManagedObjects : public ManagedReading<ManagedObjects> {
 public:
  /// What does the work, by the name that Interprocess gives it.
  using segment_manager = SegmentManager;
  /// Of names.
  using char_type = SegmentManager::char_type;
  /// The same.
  using char_t = char_type;
  /// What allocates below the segment manager.
  using memory_algorithm = SegmentManager::memory_algorithm;
  /// Mutexes that do nothing: there is none in the segment.
  using mutex_family = SegmentManager::mutex_family;
  /// A pointer that is right in clones, too.
  using void_pointer = SegmentManager::void_pointer;
  /// Blocks that were allocated together.
  using multiallocation_chain = SegmentManager::multiallocation_chain;
  /// What names an object: a string, `unique_instance` or `anonymous_instance`.
  using Name = ObjectName;
  /// The same by Interprocess's name.
  using char_ptr_holder_t = Name;
  /// What containers in the region allocate with; `allocator<T>::type` is the same.
  template <class T>
  using allocator = cow::allocator<T>;
  /// Destroys an object of the region; for smart pointers. `deleter<T>::type` is Interprocess's.
  template <class T>
  using deleter = SegmentManager::deleter<T>;
  /// What `construct` returns: called with arguments, it makes the object.
  template <class T>
  using Construct = typename SegmentManager::construct_proxy<T>::type;
  /// What `construct_it` returns: called with iterators, it makes an array.
  template <class T>
  using ConstructEach = typename SegmentManager::construct_iter_proxy<T>::type;
  /// Bytes that each allocation takes besides its own.
  static constexpr size_type PayloadPerAllocation = SegmentManager::PayloadPerAllocation;

  // ---- Objects ------------------------------------------------------------------------------

  /// `construct<T>(name)(arguments…)`, or `construct<T>(name)[count](arguments…)` for an array,
  /// makes objects and returns the address of the first. The name is a string, `unique_instance`
  /// (one of each type) or `anonymous_instance` (none). With std::nothrow it returns null where it
  /// would throw bad_alloc or because the name is taken. T may be aligned to up to 128 bytes. A
  /// name has up to 65,535 bytes; a longer one is bad_alloc, as any number of objects that does not
  /// fit. What a constructor throws is passed on, and neither name nor objects are there then.
  template <class T>
  [[nodiscard]] Construct<T> construct(Name name) {
    return growing().template construct<T>(name);
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] Construct<T> construct(Name name, const std::nothrow_t& no_throw) {
    return growing().template construct<T>(name, no_throw);
  }
  /// The same, unless there is such an object already: then that is returned.
  template <class T>
  [[nodiscard]] Construct<T> find_or_construct(Name name) {
    return growing().template find_or_construct<T>(name);
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] Construct<T> find_or_construct(Name name, const std::nothrow_t& no_throw) {
    return growing().template find_or_construct<T>(name, no_throw);
  }
  /// Arrays whose elements take their arguments from iterators.
  template <class T>
  [[nodiscard]] ConstructEach<T> construct_it(Name name) {
    return growing().template construct_it<T>(name);
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] ConstructEach<T> construct_it(Name name, const std::nothrow_t& no_throw) {
    return growing().template construct_it<T>(name, no_throw);
  }
  /// The same, unless there is such an object already.
  template <class T>
  [[nodiscard]] ConstructEach<T> find_or_construct_it(Name name) {
    return growing().template find_or_construct_it<T>(name);
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] ConstructEach<T> find_or_construct_it(Name name, const std::nothrow_t& no_throw) {
    return growing().template find_or_construct_it<T>(name, no_throw);
  }

  /// The object (or the first of an array) of that name, and how many; null and 0 if there is none.
  /// T must be the type it was constructed with. Stores nothing. `anonymous_instance` finds none.
  /// Cost: O(log names).
  template <class T>
  [[nodiscard]] std::pair<T*, size_type> find(Name name) {
    return manager().template find<T>(name);
  }
  using ManagedReading::find;
  /// The same as `find`: there is no lock.
  template <class T>
  [[nodiscard]] std::pair<T*, size_type> find_no_lock(Name name) {
    return manager().template find_no_lock<T>(name);
  }

  /// Destroys the objects of that name. False if there are none, and for `anonymous_instance`.
  template <class T>
  bool destroy(Name name) {
    return manager().template destroy<T>(name);
  }
  /// Destroys what `construct` returned, whatever its name.
  template <class T>
  void destroy_ptr(const T* object) {
    manager().destroy_ptr(object);
  }

  /// For the constructors of containers, of whatever they contain.
  template <class T>
  [[nodiscard]] typename allocator<T>::type get_allocator() {
    return growing().template get_allocator<T>();
  }
  /// For smart pointers to what is in the region.
  template <class T>
  [[nodiscard]] typename deleter<T>::type get_deleter() {
    return growing().template get_deleter<T>();
  }

  /// Calls `function`. There is no mutex: it excludes nobody, and the caller keeps others out, as
  /// for every call that changes something.
  template <class Function>
  void atomic_func(Function& function) {
    manager().atomic_func(function);
  }
  /// The same; true.
  template <class Function>
  bool try_atomic_func(Function& function) {
    return manager().try_atomic_func(function);
  }
  /// Nothing: an index of names takes a node for each name, and none before.
  void reserve_named_objects(size_type names) { manager().reserve_named_objects(names); }
  /// Nothing, as above.
  void reserve_unique_objects(size_type names) { manager().reserve_unique_objects(names); }
  /// Nothing: an index has no node that is not in use.
  void shrink_to_fit_indexes() { manager().shrink_to_fit_indexes(); }

  // ---- Memory -------------------------------------------------------------------------------

  /// Raw bytes of the segment; bad_alloc when it is full.
  [[nodiscard]] void* allocate(size_type bytes) { return growing().allocate(bytes); }
  /// The same; null when it is full.
  [[nodiscard]] void* allocate(size_type bytes, const std::nothrow_t& no_throw) {
    return growing().allocate(bytes, no_throw);
  }
  /// Raw bytes at a multiple of `alignment`; bad_alloc when it is full, or for an alignment that is
  /// not a power of two; 0 is any.
  [[nodiscard]] void* allocate_aligned(size_type bytes, size_type alignment) {
    return growing().allocate_aligned(bytes, alignment);
  }
  /// The same; null when it is full.
  [[nodiscard]] void* allocate_aligned(size_type bytes, size_type alignment,
                                       const std::nothrow_t& no_throw) {
    return growing().allocate_aligned(bytes, alignment, no_throw);
  }
  /// Allocates, expands in place or shrinks, as boost::interprocess::allocation_type has it: from
  /// `least` to so many objects of T as it is given, and says how many. `reuse` is what there is,
  /// and null if the result is something new. The segment grows for what may be new.
  template <class T>
  T* allocation_command(boost::interprocess::allocation_type command, size_type least,
                        size_type& preferred_then_received, T*& reuse) {
    return growing().allocation_command(command, least, preferred_then_received, reuse);
  }
  /// `count` blocks of `bytes`, at the end of `chain`; bad_alloc, and none, where they are not to
  /// be had. The segment grows for all of them at once.
  void allocate_many(size_type bytes, size_type count, multiallocation_chain& chain) {
    growing().allocate_many(bytes, count, chain);
  }
  /// The same with blocks of `lengths[i] * unit_bytes` bytes.
  void allocate_many(const size_type* lengths, size_type count, size_type unit_bytes,
                     multiallocation_chain& chain) {
    growing().allocate_many(lengths, count, unit_bytes, chain);
  }
  /// The first of these; adds none where it would throw.
  void allocate_many(const std::nothrow_t& no_throw, size_type bytes, size_type count,
                     multiallocation_chain& chain) {
    growing().allocate_many(no_throw, bytes, count, chain);
  }
  /// The second of these; adds none where it would throw.
  void allocate_many(const std::nothrow_t& no_throw, const size_type* lengths, size_type count,
                     size_type unit_bytes, multiallocation_chain& chain) {
    growing().allocate_many(no_throw, lengths, count, unit_bytes, chain);
  }
  /// Gives back what `allocate` or `allocate_aligned` returned.
  void deallocate(void* memory) { manager().deallocate(memory); }
  /// Gives back all that is in the chain.
  void deallocate_many(multiallocation_chain& chain) { manager().deallocate_many(chain); }

  /// Where the segment begins: the region's first byte.
  [[nodiscard]] void* get_address() const {
    return const_cast<std::byte*>(std::as_const(region_).data());
  }
  /// Bytes it may grow to, its header included: to the end of the region, also where that was made
  /// longer.
  [[nodiscard]] size_type get_max_size() const {
    return detail::managed_header_bytes + std::max(manager().limit(), room());
  }
  /// Makes the segment larger before that is needed, by whole blocks: a few bytes do nothing.
  /// Throws bad_alloc beyond the limit. In a region that is longer than when the segment was made
  /// (by Region::grow, or because it was copied into a longer one) the limit goes up to its end by
  /// this call, of 0 bytes too, and by whatever constructs, allocates or gives an allocator or the
  /// segment manager. Containers and allocators that were there before know it from then on.
  void grow(size_type bytes) { growing().grow(bytes); }
  /// Makes it smaller, down to the last object in it.
  void shrink_to_fit() { manager().shrink_to_fit(); }
  /// Fills with zeros what is not in use of the segment as it is now. That stores to each page of
  /// it, so each takes memory; Region::discard gives memory back, but is not for a segment's.
  void zero_free_memory() { manager().zero_free_memory(); }

  /// Whether nothing is left in it.
  [[nodiscard]] bool all_memory_deallocated() const { return manager().all_memory_deallocated(); }
  /// Where a handle lies here: see get_handle_from_address.
  [[nodiscard]] void* get_address_from_handle(handle_t handle) const {
    return static_cast<char*>(get_address()) + handle;
  }

  /// The segment manager itself. Its functions have the same rules as these; it learns from this
  /// call, and from those that `grow` names, that the region has become longer. Any number of
  /// threads may ask for it.
  [[nodiscard]] SegmentManager* get_segment_manager() const { return &growing(); }

 private:
  friend class ManagedReading;
  friend class ManagedRegion;
  ManagedObjects() = default;
  explicit ManagedObjects(Region&& region) : region_(std::move(region)) {}
  ManagedObjects(ManagedObjects&&) noexcept = default;
  ManagedObjects& operator=(ManagedObjects&&) noexcept = default;
  ~ManagedObjects() = default;

  [[nodiscard]] SegmentManager& manager() const {
    return manager_at(std::as_const(region_).data());
  }
  // The same for what may need room. The segment knows no region: a longer one is seen here.
  [[nodiscard]] SegmentManager& growing() const {
    SegmentManager& segment = manager();
    segment.raise_limit(room());
    return segment;
  }
  // Bytes that the longest segment in this region would have.
  [[nodiscard]] size_type room() const {
    constexpr size_type alignment = detail::GrowingBestFit::Alignment;
    return (region_.size() - detail::managed_header_bytes) / alignment * alignment;
  }

  Region region_;
};

}  // namespace cow
