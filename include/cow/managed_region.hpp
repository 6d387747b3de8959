#pragma once

/// @file
/// Objects in a region: the one header that needs Boost (1.74 or newer; headers alone).

#include <boost/interprocess/creation_tags.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include <cow/managed/containers.hpp>
#include <cow/managed/image.hpp>
#include <cow/managed/objects.hpp>
#include <cow/managed/resource.hpp>
#include <cow/managed/segment.hpp>
#include <cow/managed/snapshot.hpp>
#include <cow/region.hpp>
#include <cow/snapshot.hpp>

namespace cow {

using boost::interprocess::anonymous_instance;
using boost::interprocess::offset_ptr;
using boost::interprocess::unique_instance;

namespace detail {

/// What tells Interprocess's constructors whether to make a memory or to open one.
template <class Tag>
concept OpeningTag = std::same_as<Tag, boost::interprocess::create_only_t> ||
    std::same_as<Tag, boost::interprocess::open_only_t> ||
    std::same_as<Tag, boost::interprocess::open_read_only_t> ||
    std::same_as<Tag, boost::interprocess::open_or_create_t> ||
    std::same_as<Tag, boost::interprocess::open_copy_on_write_t>;

}  // namespace detail

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
class ManagedRegion : public ManagedObjects {
 public:
  /// An empty one: no objects, no memory. It can be assigned to, swapped, moved, destroyed and
  /// asked whether it is empty; anything else is a std::logic_error. Cost: none.
  ManagedRegion() = default;
  /// Whether there is a region: false if it was made empty, or was moved from.
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(region_); }

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

  /// Exchanges what they hold; addresses stay what they are.
  void swap(ManagedRegion& other) noexcept { std::swap(*this, other); }
  /// The same.
  friend void swap(ManagedRegion& left, ManagedRegion& right) noexcept { left.swap(right); }

  // ---- What Interprocess has and this has not: none of it compiles, each says why -------------

  /// A region has no name and no buffer of the caller's.
  template <detail::OpeningTag Tag, class... Arguments>
  explicit ManagedRegion(Tag /*tag*/, Arguments&&... /*arguments*/) {
    static_assert(!detail::OpeningTag<Tag>,
                  "a managed region has no name, file or buffer of the caller's to be made in: use "
                  "ManagedRegion::create(bytes, max_bytes), or ManagedRegion::open(region) of one "
                  "that was cloned, loaded or attached");
  }
  using ManagedObjects::grow;
  using ManagedObjects::shrink_to_fit;
  /// Interprocess's for a memory by its name, which nobody has open.
  template <std::convertible_to<const char*> Text>
  static bool grow(Text /*name*/, size_type /*bytes*/) {
    static_assert(!std::convertible_to<Text, const char*>,
                  "a managed region has no name: it grows by itself, or by region.grow(bytes), up "
                  "to the max_bytes of ManagedRegion::create");
    return false;
  }
  /// The same.
  template <std::convertible_to<const char*> Text>
  static bool shrink_to_fit(Text /*name*/) {
    static_assert(!std::convertible_to<Text, const char*>,
                  "a managed region has no name: use region.shrink_to_fit()");
    return false;
  }
  /// Interprocess's for a mapped file.
  template <class Region = cow::Region>
  bool flush() {
    static_assert(sizeof(Region) == 0,
                  "a managed region has no file that it is written back to: use "
                  "region.snapshot().snapshot().save(path), or region.region().backup(path)");
    return false;
  }

 private:
  explicit ManagedRegion(Region&& region) : ManagedObjects(std::move(region)) {}
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
  ::new (&made.manager()) SegmentManager((first - header) / alignment * alignment, made.room());
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
