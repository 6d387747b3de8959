#pragma once

/// @file
/// What can be asked of a managed segment, now or in a snapshot. Included by
/// <cow/managed_region.hpp>.

#include <cstddef>
#include <functional>
#include <utility>

#include <cow/managed/image.hpp>
#include <cow/managed/segment.hpp>

namespace cow {

/// What ManagedRegion and ManagedSnapshot have in common: nothing here stores to the segment.
/// `Holder` has `manager()` and `get_address()`.
template <class Holder>
class ManagedReading {
 public:
  /// Counts and bytes.
  using size_type = SegmentManager::size_type;
  /// Distances in the segment.
  using difference_type = SegmentManager::difference_type;
  /// A place in the segment, whatever its address.
  using handle_t = difference_type;
  /// Goes through the objects that have a name.
  using const_named_iterator = SegmentManager::const_named_iterator;
  /// Goes through the unique objects, one of each type.
  using const_unique_iterator = SegmentManager::const_unique_iterator;

  /// The object (or the first of an array) of that name, and how many; null and 0 if there is none.
  /// T must be the type it was constructed with, as with Interprocess. Cost: O(log names).
  template <class T>
  [[nodiscard]] std::pair<const T*, size_type> find(ObjectName name) const {
    return manager().template find<T>(name);
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
  /// Whether it has a name, is the one of its type, or neither.
  template <class T>
  [[nodiscard]] static boost::interprocess::instance_type get_instance_type(const T* object) {
    return SegmentManager::get_instance_type(object);
  }

  /// Bytes in the segment, its header included.
  [[nodiscard]] size_type get_size() const {
    return detail::managed_header_bytes + manager().get_size();
  }
  /// Those of them that are not in use.
  [[nodiscard]] size_type get_free_memory() const { return manager().get_free_memory(); }
  /// Whether the allocator's books are in order. Cost: O(blocks).
  [[nodiscard]] bool check_sanity() const { return manager().check_sanity(); }
  /// Whether the address lies in the segment.
  [[nodiscard]] bool belongs_to_segment(const void* address) const {
    const void* const end = begin() + get_size();
    return !std::less<>()(address, static_cast<const void*>(begin())) &&
           std::less<>()(address, end);
  }
  /// Where an address lies in the segment, from get_address() on: the same for the region, each
  /// clone and each snapshot.
  [[nodiscard]] handle_t get_handle_from_address(const void* address) const {
    return static_cast<const char*>(address) - begin();
  }

 protected:
  /// @cond for the class that has these habits alone
  ManagedReading() = default;
  ManagedReading(const ManagedReading&) = default;
  ManagedReading(ManagedReading&&) noexcept = default;
  ManagedReading& operator=(const ManagedReading&) = default;
  ManagedReading& operator=(ManagedReading&&) noexcept = default;
  ~ManagedReading() = default;

  // Interprocess has no const functions for what only looks: they store nothing, which the
  // protection of a snapshot's pages would not let pass.
  [[nodiscard]] static SegmentManager& manager_at(const std::byte* begin) {
    return *reinterpret_cast<SegmentManager*>(
        const_cast<std::byte*>(begin + detail::managed_header_bytes));
  }
  /// @endcond

 private:
  [[nodiscard]] SegmentManager& manager() const {
    return static_cast<const Holder&>(*this).manager();
  }
  [[nodiscard]] const char* begin() const {
    return static_cast<const char*>(static_cast<const Holder&>(*this).get_address());
  }
};

}  // namespace cow
