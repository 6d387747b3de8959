#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "api/image_format.hpp"
#include "mm/space/address_space.hpp"

namespace cow::detail {

/// What the handles of one snapshot share: a page table, and a view of it once somebody asked.
class SnapshotState : public std::enable_shared_from_this<SnapshotState>, private LineageNode {
 public:
  SnapshotState(std::shared_ptr<Family> family, std::size_t size_bytes);
  ~SnapshotState();
  SnapshotState(const SnapshotState&) = delete;
  SnapshotState& operator=(const SnapshotState&) = delete;

  [[nodiscard]] const std::shared_ptr<Family>& family() const noexcept { return family_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }
  /// The region may have grown since the snapshot was made: it is as long as that is now. The
  /// caller holds the family's lock.
  void set_size_at_the_cut(std::size_t size_bytes) noexcept { size_bytes_ = size_bytes; }
  /// Those with any of the bytes: the table may have more, for the region to grow.
  [[nodiscard]] PageCount pages() const noexcept {
    return family_->geometry().pages_for(size_bytes_);
  }
  [[nodiscard]] PageTable& table() noexcept { return kept_.table; }

  // Its place in the family's tree of snapshots, which has those alone that a program asked for.

  [[nodiscard]] LineageNode& lineage() noexcept { return *this; }
  /// The snapshot of a node of such a tree, kept alive; null if its last handle has gone. The
  /// caller holds the family's lock, and lets go of what it got after the lock.
  [[nodiscard]] static std::shared_ptr<SnapshotState> of(LineageNode& node) noexcept {
    return static_cast<SnapshotState&>(node).weak_from_this().lock();
  }
  /// Its last handle has gone. The caller holds the family's lock.
  [[nodiscard]] static bool is_going(const LineageNode& node) noexcept {
    return static_cast<const SnapshotState&>(node).weak_from_this().expired();
  }

  /// What the program calls it. Thread safe. Throws std::bad_alloc.
  [[nodiscard]] std::string label() const;
  void set_label(std::string label);
  [[nodiscard]] std::chrono::system_clock::time_point taken_at() const noexcept {
    return taken_at_;
  }

  /// Maps the snapshot, the first time. Thread safe. Throws std::system_error.
  [[nodiscard]] const std::byte* view();

  /// What the last handle gives back when it goes. Thread safe. Throws std::system_error.
  [[nodiscard]] std::size_t reclaimable_bytes();

  /// What images of this snapshot are known by. Drawn at random when first asked for. Thread safe.
  /// Throws std::system_error.
  [[nodiscard]] ImageId image_id();
  /// Before anybody else has the snapshot.
  void set_image_id(const ImageId& id) noexcept { image_id_ = id; }

 private:
  std::shared_ptr<Family> family_;
  std::size_t size_bytes_;
  KeptTable kept_;
  std::shared_ptr<const std::string> label_;  // null: none
  std::chrono::system_clock::time_point taken_at_ = std::chrono::system_clock::now();
  MetadataPointer<AddressSpace> view_;  // set once, under the family's lock
  ImageId image_id_{};                  // all zeros: none yet; the same
};

}  // namespace cow::detail
