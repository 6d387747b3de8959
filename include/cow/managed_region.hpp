#pragma once

/// @file
/// Objects in a region: the one header that needs Boost (1.74 or newer; headers alone).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <span>
#include <utility>

#include <cow/managed/containers.hpp>
#include <cow/managed/image.hpp>
#include <cow/managed/resource.hpp>
#include <cow/managed/segment.hpp>
#include <cow/region.hpp>
#include <cow/snapshot.hpp>

namespace cow {

using boost::interprocess::anonymous_instance;
using boost::interprocess::offset_ptr;
using boost::interprocess::unique_instance;

/// The objects of one moment, read-only. A handle, as Snapshot is: copies name the same snapshot.
/// Thread safety: any number of threads may look up and read.
class ManagedSnapshot {
 public:
  /// Counts and bytes.
  using size_type = SegmentManager::size_type;
  /// Goes through the objects that have a name.
  using const_named_iterator = SegmentManager::const_named_iterator;
  /// Goes through the unique objects, one of each type.
  using const_unique_iterator = SegmentManager::const_unique_iterator;

  /// The objects in a snapshot that was taken of `ManagedRegion::region()`. Throws
  /// std::invalid_argument if it holds no managed segment, or one this program cannot read. Cost:
  /// that of Snapshot::bytes, with its errors.
  [[nodiscard]] static ManagedSnapshot open(Snapshot snapshot);

  /// The object (or the first of an array) of that name as it was, and how many; null and 0 if
  /// there was none. T must be the type it was constructed with, as with Interprocess.
  /// Cost: the first call maps the snapshot, O(runs of frames); then O(log names).
  template <class T>
  [[nodiscard]] std::pair<const T*, size_type> find(SegmentManager::char_ptr_holder_t name) const {
    return manager().find<T>(name);
  }

  /// The named objects: `name()`, `name_length()` and `value()` of each. Shorter names come first.
  [[nodiscard]] const_named_iterator named_begin() const { return manager().named_begin(); }
  /// Behind the last of them.
  [[nodiscard]] const_named_iterator named_end() const { return manager().named_end(); }
  /// The unique objects: `name()` is that of the type.
  [[nodiscard]] const_unique_iterator unique_begin() const { return manager().unique_begin(); }
  /// Behind the last of them.
  [[nodiscard]] const_unique_iterator unique_end() const { return manager().unique_end(); }
  /// How many objects have a name.
  [[nodiscard]] size_type get_num_named_objects() const {
    return manager().get_num_named_objects();
  }
  /// How many unique objects there are.
  [[nodiscard]] size_type get_num_unique_objects() const {
    return manager().get_num_unique_objects();
  }
  /// Bytes in the segment then.
  [[nodiscard]] size_type get_size() const { return manager().get_size(); }
  /// Those of them that were not in use.
  [[nodiscard]] size_type get_free_memory() const { return manager().get_free_memory(); }

  /// The snapshot itself: for diff, and to keep it in a file.
  [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }

 private:
  friend class ManagedRegion;
  explicit ManagedSnapshot(Snapshot snapshot) : snapshot_(std::move(snapshot)) {}

  // Interprocess has no const functions for lookups. They store nothing, which the protection of
  // these pages would not let pass.
  [[nodiscard]] SegmentManager& manager() const {
    const std::byte* const begin = snapshot_.bytes().data();
    return *reinterpret_cast<SegmentManager*>(
        const_cast<std::byte*>(begin + detail::managed_header_bytes));
  }

  Snapshot snapshot_;
};

/// Objects in a region: Boost.Interprocess's managed segment, with its habits, in memory that
/// clones. What is in it refers to the rest of it by offset_ptr, as Boost's containers do, never by
/// raw pointers or references: then a clone at another address is the same object graph.
/// docs/objects.md has the rules and examples.
///
/// Thread safety: as with a container. Lookups store nothing, so any number of threads may run
/// `find`; whoever constructs, destroys, allocates or lets a container do so needs to keep others
/// out. `clone` and `snapshot` run at any time for the bytes; but an operation that is half done on
/// another thread is half done in the copy. There is no mutex in the segment.
///
/// Errors: boost::interprocess::bad_alloc when the region is full, with all that was there
/// unharmed; boost::interprocess::interprocess_exception when `construct` finds the name taken;
/// otherwise those of Region.
class ManagedRegion {
 public:
  /// What does the work, by the name that Interprocess gives it.
  using segment_manager = SegmentManager;
  /// Counts and bytes.
  using size_type = SegmentManager::size_type;
  /// Goes through the objects that have a name.
  using const_named_iterator = SegmentManager::const_named_iterator;
  /// Goes through the unique objects, one of each type.
  using const_unique_iterator = SegmentManager::const_unique_iterator;
  /// What names an object: a string, `unique_instance` or `anonymous_instance`.
  using Name = SegmentManager::char_ptr_holder_t;
  /// What containers in the region allocate with.
  template <class T>
  using allocator = cow::allocator<T>;
  /// Destroys an object of the region; for smart pointers.
  template <class T>
  using deleter = boost::interprocess::deleter<T, SegmentManager>;
  /// What `construct` returns: called with arguments, it makes the object.
  template <class T>
  using Construct = boost::interprocess::ipcdetail::named_proxy<SegmentManager, T, false>;
  /// What `construct_it` returns: called with iterators, it makes an array.
  template <class T>
  using ConstructEach = boost::interprocess::ipcdetail::named_proxy<SegmentManager, T, true>;

  /// A region with an empty segment of `bytes`. When it is exhausted it grows in place, as far as
  /// `max_bytes` (if that is more): addresses are set aside for that, memory is taken as it is
  /// stored to, so a limit that will never be reached costs next to nothing. Cost: O(1).
  /// A segment too small to be one is made as large as it has to be; 0 is std::invalid_argument.
  [[nodiscard]] static ManagedRegion create(std::size_t bytes, std::size_t max_bytes = 0,
                                            const RegionOptions& options = {});
  /// The same with a segment that has all of `bytes` from the start.
  [[nodiscard]] static ManagedRegion create(std::size_t bytes, const RegionOptions& options) {
    return create(bytes, 0, options);
  }

  /// The objects in a region that holds a segment: one that was cloned, loaded or given away by
  /// `release`. Throws std::invalid_argument, and leaves the region to the caller, if it holds
  /// none, one of another version of the format or of Boost, or only a part of one. What is behind
  /// the header is trusted: open only what a program of yours has written. Cost: O(1).
  [[nodiscard]] static ManagedRegion open(Region&& region);

  /// A writable copy of the past. Cost: that of Region::from_snapshot.
  [[nodiscard]] static ManagedRegion from_snapshot(const ManagedSnapshot& snapshot) {
    return ManagedRegion(Region::from_snapshot(snapshot.snapshot()));
  }

  // ---- The whole ----------------------------------------------------------------------------

  /// The whole object graph at an address of its own; either side may then change. Cost: that of
  /// Region::clone, whatever the number of objects.
  [[nodiscard]] ManagedRegion clone(CloneMode mode = CloneMode::lazy) const {
    return ManagedRegion(region_.clone(mode));
  }
  /// The objects of this moment, to look at and to return to. Cost: that of Region::snapshot.
  [[nodiscard]] ManagedSnapshot snapshot() const { return ManagedSnapshot(region_.snapshot()); }
  /// Makes everything what it was in `snapshot`, at the same addresses. Pointers to what existed
  /// then are good again; to what was made since, dangling. Cost: that of Region::restore.
  void restore(const ManagedSnapshot& snapshot) { region_.restore(snapshot.snapshot()); }

  /// The memory below, for leases and counters. Its first bytes are the segment's.
  [[nodiscard]] Region& region() { return region_; }
  /// The same, for reading.
  [[nodiscard]] const Region& region() const { return region_; }
  /// Gives the region away. This object is then as if it was moved from.
  [[nodiscard]] Region release() && { return std::move(region_); }

  // ---- Objects ------------------------------------------------------------------------------

  /// `construct<T>(name)(arguments…)`, or `construct<T>(name)[count](arguments…)` for an array,
  /// makes objects and returns the address of the first. The name is a string, `unique_instance`
  /// (one of each type) or `anonymous_instance` (none). With std::nothrow it returns null where it
  /// would throw bad_alloc or because the name is taken. T may be aligned to up to 128 bytes.
  template <class T>
  [[nodiscard]] Construct<T> construct(Name name) {
    return {&manager(), name.get(), false, true};
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] Construct<T> construct(Name name, const std::nothrow_t& /*no_throw*/) {
    return {&manager(), name.get(), false, false};
  }
  /// The same, unless there is such an object already: then that is returned.
  template <class T>
  [[nodiscard]] Construct<T> find_or_construct(Name name) {
    return {&manager(), name.get(), true, true};
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] Construct<T> find_or_construct(Name name, const std::nothrow_t& /*no_throw*/) {
    return {&manager(), name.get(), true, false};
  }
  /// Arrays whose elements take their arguments from iterators.
  template <class T>
  [[nodiscard]] ConstructEach<T> construct_it(Name name) {
    return {&manager(), name.get(), false, true};
  }
  /// The same, unless there is such an object already.
  template <class T>
  [[nodiscard]] ConstructEach<T> find_or_construct_it(Name name) {
    return {&manager(), name.get(), true, true};
  }

  /// The object (or the first of an array) of that name, and how many; null and 0 if there is none.
  /// T must be the type it was constructed with. Stores nothing. Cost: O(log names).
  template <class T>
  [[nodiscard]] std::pair<T*, size_type> find(Name name) {
    return manager().template find<T>(name);
  }
  /// The same, for reading.
  template <class T>
  [[nodiscard]] std::pair<const T*, size_type> find(Name name) const {
    return manager().template find<T>(name);
  }

  /// Destroys the objects of that name. False if there are none.
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
  [[nodiscard]] allocator<T> get_allocator() {
    return allocator<T>(&manager());
  }
  /// For smart pointers to what is in the region.
  template <class T>
  [[nodiscard]] deleter<T> get_deleter() {
    return deleter<T>(&manager());
  }

  /// The named objects: `name()`, `name_length()` and `value()` of each. Shorter names come first.
  [[nodiscard]] const_named_iterator named_begin() const { return manager().named_begin(); }
  /// Behind the last of them.
  [[nodiscard]] const_named_iterator named_end() const { return manager().named_end(); }
  /// The unique objects: `name()` is that of the type.
  [[nodiscard]] const_unique_iterator unique_begin() const { return manager().unique_begin(); }
  /// Behind the last of them.
  [[nodiscard]] const_unique_iterator unique_end() const { return manager().unique_end(); }
  /// How many objects have a name.
  [[nodiscard]] size_type get_num_named_objects() const {
    return manager().get_num_named_objects();
  }
  /// How many unique objects there are.
  [[nodiscard]] size_type get_num_unique_objects() const {
    return manager().get_num_unique_objects();
  }
  /// The name of an object that `construct` made; null if it has none.
  template <class T>
  [[nodiscard]] static const char* get_instance_name(const T* object) {
    return SegmentManager::get_instance_name(object);
  }
  /// How many objects were constructed together with it.
  template <class T>
  [[nodiscard]] static size_type get_instance_length(const T* object) {
    return SegmentManager::get_instance_length(object);
  }

  // ---- Memory -------------------------------------------------------------------------------

  /// Raw bytes of the segment; bad_alloc when it is full.
  [[nodiscard]] void* allocate(size_type bytes) { return manager().allocate(bytes); }
  /// The same at a multiple of `alignment`, a power of two.
  [[nodiscard]] void* allocate_aligned(size_type bytes, size_type alignment) {
    return manager().allocate_aligned(bytes, alignment);
  }
  /// Gives back what `allocate` or `allocate_aligned` returned.
  void deallocate(void* memory) { manager().deallocate(memory); }

  /// Bytes in the segment now.
  [[nodiscard]] size_type get_size() const { return manager().get_size(); }
  /// Those of them that are not in use.
  [[nodiscard]] size_type get_free_memory() const { return manager().get_free_memory(); }
  /// Bytes it may grow to.
  [[nodiscard]] size_type get_max_size() const { return manager().limit(); }
  /// Makes the segment larger before that is needed, by whole blocks: a few bytes do nothing.
  /// Throws bad_alloc beyond the limit.
  void grow(size_type bytes) { manager().grow(bytes); }
  /// Makes it smaller, down to the last object in it.
  void shrink_to_fit() { manager().shrink_to_fit(); }

  /// Whether nothing is left in it.
  [[nodiscard]] bool all_memory_deallocated() const { return manager().all_memory_deallocated(); }
  /// Whether the allocator's books are in order. Cost: O(blocks).
  [[nodiscard]] bool check_sanity() const { return manager().check_sanity(); }
  /// Whether the address lies in the segment as it is now.
  [[nodiscard]] bool belongs_to_segment(const void* address) const {
    const auto* const byte = static_cast<const std::byte*>(address);
    return !std::less<>()(byte, begin()) && std::less<>()(byte, begin() + get_size());
  }
  /// Where an address lies in the segment: the same for every clone and snapshot.
  [[nodiscard]] size_type get_handle_from_address(const void* address) const {
    return static_cast<size_type>(static_cast<const std::byte*>(address) - begin());
  }
  /// The other way round.
  [[nodiscard]] void* get_address_from_handle(size_type handle) {
    return const_cast<std::byte*>(begin()) + handle;
  }

  /// The segment manager itself.
  [[nodiscard]] SegmentManager* get_segment_manager() { return &manager(); }

 private:
  explicit ManagedRegion(Region&& region) : region_(std::move(region)) {}

  [[nodiscard]] const std::byte* begin() const {
    return region_.data() + detail::managed_header_bytes;
  }
  // Interprocess has no const functions for what only looks.
  [[nodiscard]] SegmentManager& manager() const {
    return *reinterpret_cast<SegmentManager*>(const_cast<std::byte*>(begin()));
  }

  Region region_;
};

// ---- Implementation -----------------------------------------------------------------------------

namespace detail {

inline ManagedLayout managed_layout() {
  return {BOOST_VERSION, sizeof(void*), sizeof(SegmentManager),
          static_cast<std::uint32_t>(GrowingBestFit::Alignment)};
}

inline void check_managed(std::span<const std::byte> region, const char* call) {
  check_managed_header(region, managed_layout(), call);
  const auto* const segment =
      reinterpret_cast<const SegmentManager*>(region.data() + managed_header_bytes);
  check_managed_sizes(region.size(), segment->get_size(), segment->limit(), call);
}

}  // namespace detail

inline ManagedRegion ManagedRegion::create(std::size_t bytes, std::size_t max_bytes,
                                           const RegionOptions& options) {
  static_assert(alignof(SegmentManager) <= detail::managed_header_bytes);
  constexpr std::size_t alignment = detail::GrowingBestFit::Alignment;
  constexpr std::size_t header = detail::managed_header_bytes;
  const std::size_t least = header + SegmentManager::get_min_size();
  const std::size_t first = bytes == 0 ? 0 : std::max(bytes, least);  // Region::create refuses 0
  ManagedRegion made(Region::create(first == 0 ? 0 : std::max(first, max_bytes), options));
  const std::size_t limit = (made.region_.size() - header) / alignment * alignment;
  ::new (&made.manager()) SegmentManager((first - header) / alignment * alignment, limit);
  detail::write_managed_header(made.region_.bytes(), detail::managed_layout());
  return made;
}

inline ManagedRegion ManagedRegion::open(Region&& region) {
  detail::check_managed(std::as_const(region).bytes(), "ManagedRegion::open");
  return ManagedRegion(std::move(region));
}

inline ManagedSnapshot ManagedSnapshot::open(Snapshot snapshot) {
  detail::check_managed(snapshot.bytes(), "ManagedSnapshot::open");
  return ManagedSnapshot(std::move(snapshot));
}

inline RegionResource::RegionResource(ManagedRegion& region)
    : segment_(region.get_segment_manager()) {}

}  // namespace cow
