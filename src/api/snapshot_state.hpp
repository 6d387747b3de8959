#pragma once

#include <cstddef>
#include <memory>

#include "api/image_format.hpp"
#include "mm/space/address_space.hpp"

namespace cow::detail {

/// What the handles of one snapshot share: a page table, and a view of it once somebody asked.
class SnapshotState {
 public:
  SnapshotState(std::shared_ptr<Family> family, std::size_t size_bytes);
  ~SnapshotState();
  SnapshotState(const SnapshotState&) = delete;
  SnapshotState& operator=(const SnapshotState&) = delete;

  [[nodiscard]] const std::shared_ptr<Family>& family() const noexcept { return family_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }
  [[nodiscard]] PageTable& table() noexcept { return kept_.table; }

  /// Maps the snapshot, the first time. Thread safe. Throws std::system_error.
  [[nodiscard]] const std::byte* view();

  /// What images of this snapshot are known by. Drawn at random when first asked for. Thread safe.
  /// Throws std::system_error.
  [[nodiscard]] ImageId image_id();
  /// Before anybody else has the snapshot.
  void set_image_id(const ImageId& id) noexcept { image_id_ = id; }

 private:
  std::shared_ptr<Family> family_;
  std::size_t size_bytes_;
  KeptTable kept_;
  MetadataPointer<AddressSpace> view_;  // set once, under the family's lock
  ImageId image_id_{};                  // all zeros: none yet; the same
};

}  // namespace cow::detail
