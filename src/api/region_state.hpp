#pragma once

#include <cstddef>
#include <memory>

#include "fault/registry.hpp"
#include "mm/address_space.hpp"

namespace cow::detail {

/// What a Region owns: an address space whose faults are ours from construction to destruction.
class RegionState {
 public:
  /// Zero pages. Throws std::system_error, std::bad_alloc.
  RegionState(std::shared_ptr<Family> family, std::size_t size_bytes)
      : size_bytes_(size_bytes), space_(std::move(family), AddressSpace::Use::region) {
    Registry::instance().add(space_);
  }
  ~RegionState() { Registry::instance().remove(space_); }
  RegionState(const RegionState&) = delete;
  RegionState& operator=(const RegionState&) = delete;

  [[nodiscard]] AddressSpace& space() noexcept { return space_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }

 private:
  std::size_t size_bytes_;
  AddressSpace space_;
};

}  // namespace cow::detail
