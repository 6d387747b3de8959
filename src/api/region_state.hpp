#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "api/image_format.hpp"
#include "fault/registry.hpp"
#include "mm/space/address_space.hpp"

namespace cow::detail {

/// What a Region owns: an address space whose faults are ours from construction to destruction.
class RegionState : public std::enable_shared_from_this<RegionState>, private AddressSpace {
 public:
  /// Zero pages. Throws std::system_error, std::bad_alloc.
  RegionState(std::shared_ptr<Family> family, std::size_t size_bytes)
      : AddressSpace(std::move(family), AddressSpace::Use::region), size_bytes_(size_bytes) {
    set_open_pages(pages());
    Registry::instance().add(space());
  }
  ~RegionState() { Registry::instance().remove(space()); }
  RegionState(const RegionState&) = delete;
  RegionState& operator=(const RegionState&) = delete;

  /// The region of an address space that the registry has; null if it is being destroyed. The
  /// caller is a Registry::Reader, and keeps what it got for longer than that.
  [[nodiscard]] static std::shared_ptr<RegionState> of(AddressSpace& space) noexcept {
    return static_cast<RegionState&>(space).weak_from_this().lock();
  }

  [[nodiscard]] AddressSpace& space() noexcept { return *this; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_.load(); }
  /// Those with any of the bytes: the table may have more, for the region to grow.
  [[nodiscard]] PageCount pages() const noexcept {
    return family().geometry().pages_for(size_bytes());
  }
  /// At most what the family's tables have.
  void set_size(std::size_t size_bytes) noexcept {
    size_bytes_.store(size_bytes);
    set_open_pages(pages());
  }

  /// The bytes are those of an image, and every page is read-only. Called once.
  void note_loaded(const ImageId& image) noexcept {
    image_ = image;
    as_loaded_.store(true);
  }
  /// Something other than a store, which would fault, may change the bytes.
  void note_changed() noexcept { as_loaded_.store(false); }
  /// The image that the region was loaded from, if nothing was changed since; or null. What is true
  /// after a snapshot was taken was so before. Takes the family's lock.
  [[nodiscard]] const ImageId* loaded_image() noexcept {
    if (!as_loaded_.load()) return nullptr;
    const Section section(space().family(), Section::Intent::look);
    const FaultCounts& counts = space().counts();
    return counts.faults == 0 && counts.pages_copied == 0 ? &image_ : nullptr;
  }

 private:
  std::atomic<std::size_t> size_bytes_;
  ImageId image_{};
  std::atomic<bool> as_loaded_{false};
};

}  // namespace cow::detail
