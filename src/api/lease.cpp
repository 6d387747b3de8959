#include <cow/lease.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <utility>

#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "base/check.hpp"
#include "fault/registry.hpp"
#include "mm/control/lease.hpp"

namespace cow {

namespace {

/// The pages with any of the bytes. Precondition: `size` > 0.
PageSpan pages_of(const AddressSpace& space, const std::byte* data, std::size_t size) noexcept {
  COW_CHECK(size > 0);
  const PageGeometry geometry = space.family().geometry();
  const auto offset = static_cast<std::size_t>(data - space.begin());
  return {geometry.page_at(offset), geometry.page_at(offset + size - 1) + kOnePage};
}

/// The region with this byte, kept alive; null if there is none.
std::shared_ptr<detail::RegionState> region_at(const void* address) noexcept {
  Registry& registry = Registry::instance();
  if (registry.size() == 0) return nullptr;
  const Registry::Reader reader(registry);
  AddressSpace* const space = reader.find(reinterpret_cast<std::uintptr_t>(address));
  return space == nullptr ? nullptr : detail::RegionState::of(*space);
}

}  // namespace

WriteLease::WriteLease(std::shared_ptr<detail::RegionState> region, std::size_t offset,
                       std::size_t length)
    : region_(std::move(region)), data_(region_->space().begin() + offset), size_(length) {
  if (size_ == 0) return;
  const PageSpan pages = pages_of(region_->space(), data_, size_);
  let_backup_go_first(region_->space().family(), pages);
  begin_lease(region_->space(), pages);
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

WriteLease write_lease(void* address, std::size_t length) {
  if (length == 0) return {};
  std::shared_ptr<detail::RegionState> region = region_at(address);
  if (region == nullptr) return {};
  const auto offset =
      static_cast<std::size_t>(static_cast<std::byte*>(address) - region->space().begin());
  if (offset >= region->size_bytes()) return {};  // on the last page, but ours: see Region::bytes
  check_present(region->space().family());
  region->note_changed();  // the kernel's stores raise no fault
  WriteLease lease;
  std::exception_ptr failed;
  away_from_regions([&] {
    try {
      lease = retry_in_shortage([&] {
        return WriteLease(region, offset, std::min(length, region->size_bytes() - offset));
      });
    } catch (const std::exception&) {
      failed = std::current_exception();
    }
  });
  if (failed != nullptr) std::rethrow_exception(failed);
  return lease;
}

}  // namespace cow
