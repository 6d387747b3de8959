#pragma once

/// @file
/// Objects in a snapshot. Included by <cow/managed_region.hpp>.

#include <cstddef>
#include <utility>

#include <cow/managed/reading.hpp>
#include <cow/snapshot.hpp>

namespace cow {

/// The objects of one moment, read-only. A handle, as Snapshot is: copies name the same snapshot.
/// Thread safety: any number of threads may look up and read.
class ManagedSnapshot : public ManagedReading<ManagedSnapshot> {
 public:
  /// An empty handle, of no snapshot, so that they live in arrays, rings and maps. It can be
  /// assigned to, copied, swapped, moved, destroyed and asked whether it is empty; anything else,
  /// and to hand it to a call, is a std::logic_error. Cost: none.
  ManagedSnapshot() noexcept = default;
  /// Whether there is a snapshot: false if the handle was made empty, or was moved from.
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(snapshot_); }

  /// The objects in a snapshot that was taken of `ManagedRegion::region()`. Throws
  /// std::invalid_argument if it holds no managed segment, or one this program cannot read. Cost:
  /// that of Snapshot::bytes, with its errors.
  [[nodiscard]] static ManagedSnapshot open(Snapshot snapshot);

  /// Where the segment begins in this view. Cost: the first call, as the first look at anything
  /// else, maps the snapshot: O(runs of frames).
  [[nodiscard]] const void* get_address() const { return snapshot_.bytes().data(); }
  /// The other way round: what a handle of the region, or of a clone, is in this view.
  [[nodiscard]] const void* get_address_from_handle(handle_t handle) const {
    return static_cast<const char*>(get_address()) + handle;
  }

  /// The snapshot itself: for diff, and to keep it in a file.
  [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }

  /// Exchanges the snapshots they name.
  void swap(ManagedSnapshot& other) noexcept { std::swap(snapshot_, other.snapshot_); }
  /// The same.
  friend void swap(ManagedSnapshot& left, ManagedSnapshot& right) noexcept { left.swap(right); }

 private:
  friend class ManagedReading;
  friend class ManagedRegion;
  explicit ManagedSnapshot(Snapshot snapshot) : snapshot_(std::move(snapshot)) {}

  [[nodiscard]] SegmentManager& manager() const { return manager_at(snapshot_.bytes().data()); }

  Snapshot snapshot_;
};

}  // namespace cow
