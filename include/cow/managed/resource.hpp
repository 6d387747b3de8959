#pragma once

/// @file
/// A region's memory for structures with raw pointers. Included by <cow/managed_region.hpp>.

#include <cstddef>
#include <memory_resource>
#include <new>

#include <cow/managed/segment.hpp>

namespace cow {

class ManagedRegion;

/// Memory of a region for structures that keep raw pointers: std::pmr containers, or any library
/// that lets its allocator be chosen.
///
/// Right for `restore`, which returns to the past at the same address, with the allocator's own
/// books. Wrong for clones, for the views of snapshots and for another process: there the pointers
/// still point into this region. Structures that are to be cloned take `ManagedRegion::allocator`
/// types instead, whose pointers are relative to where they stand.
///
/// It is a handle of one address; it may live anywhere, and must stay where it is for as long as a
/// container refers to it. Valid as long as the region, also when the ManagedRegion was moved.
///
/// Thread safety: none of its own, as with a container. Exhausted, it throws std::bad_alloc, which
/// is what users of std::pmr expect.
class RegionResource : public std::pmr::memory_resource {
 public:
  /// The memory of `region`, which the resource does not own.
  explicit RegionResource(ManagedRegion& region);

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const memory = alignment > detail::GrowingBestFit::Alignment
                             ? segment_->allocate_aligned(bytes, alignment, std::nothrow)
                             : segment_->allocate(bytes, std::nothrow);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  void do_deallocate(void* memory, std::size_t /*bytes*/, std::size_t /*alignment*/) override {
    segment_->deallocate(memory);
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    const auto* const resource = dynamic_cast<const RegionResource*>(&other);
    return resource != nullptr && resource->segment_ == segment_;
  }

  SegmentManager* segment_;
};

}  // namespace cow
