#include "mm/fault/fault_trace.hpp"

#include "os/host.hpp"

namespace cow {

void FaultTrace::begin(const AddressSpace& space, PageIndex page) noexcept {
  if (steps_ == nullptr) return;
  steps_->before = look_at(space, page);
  steps_->located_ns = os::monotonic_ns();
}

void FaultTrace::note_allocated() noexcept {
  if (steps_ != nullptr) steps_->allocated_ns = os::monotonic_ns();
}

void FaultTrace::note_copied() noexcept {
  if (steps_ != nullptr) steps_->copied_ns = os::monotonic_ns();
}

void FaultTrace::note_pages(std::uint64_t taken, std::uint64_t copied) noexcept {
  if (steps_ == nullptr) return;
  steps_->pages_taken = taken;
  steps_->pages_copied = copied;
}

void FaultTrace::end(const AddressSpace& space, PageIndex page) noexcept {
  if (steps_ == nullptr) return;
  steps_->mapped_ns = os::monotonic_ns();
  steps_->after = look_at(space, page);
}

PageLook look_at(const AddressSpace& space, PageIndex page) noexcept {
  const Entry entry = space.table().entry(page);
  const FrameStore& frames = space.family().frames();
  if (entry.is_zero_page()) return {PageKind::zero, 0};
  const std::uint64_t offset = frames.offset(entry.frame()).bytes;
  if (entry.writable()) return {PageKind::private_page, offset};
  const bool sole = space.table().owns_leaf(page) && frames.is_sole_owner(entry);
  return {sole ? PageKind::sole_owner : PageKind::shared, offset};
}

}  // namespace cow
