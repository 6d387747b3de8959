#include <cow/lease.hpp>

#include <utility>

#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "mm/lease.hpp"

namespace cow {

namespace {

/// The pages with any of the bytes. Precondition: `size` > 0.
PageSpan pages_of(const AddressSpace& space, const std::byte* data, std::size_t size) noexcept {
  const PageGeometry geometry = space.family().geometry();
  const auto offset = static_cast<std::size_t>(data - space.begin());
  return {geometry.page_at(offset), geometry.page_at(offset + size - 1) + kOnePage};
}

}  // namespace

WriteLease::WriteLease(std::shared_ptr<detail::RegionState> region, std::size_t offset,
                       std::size_t length)
    : region_(std::move(region)), data_(region_->space().begin() + offset), size_(length) {
  if (size_ > 0) begin_lease(region_->space(), pages_of(region_->space(), data_, size_));
}

WriteLease::WriteLease(WriteLease&& other) noexcept
    : region_(std::move(other.region_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

WriteLease& WriteLease::operator=(WriteLease&& other) noexcept {
  if (this == &other) return *this;
  const WriteLease ended(std::move(*this));
  region_ = std::move(other.region_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

WriteLease::~WriteLease() {
  if (size_ == 0) return;
  away_from_regions([&] { end_lease(region_->space(), pages_of(region_->space(), data_, size_)); });
}

}  // namespace cow
