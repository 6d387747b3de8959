#include <cow/region.hpp>

#include <string>
#include <utility>

#include "api/control_call.hpp"
#include "api/new_family.hpp"
#include "api/region_state.hpp"
#include "api/snapshot_state.hpp"
#include "api/state.hpp"
#include "base/error.hpp"
#include "fault/dispatch.hpp"
#include "mm/control/clone.hpp"
#include "mm/control/discard.hpp"
#include "mm/control/restore.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/space_trace.hpp"

namespace cow {

Region::Region(std::shared_ptr<detail::RegionState> state) noexcept : state_(std::move(state)) {}
Region::Region(Region&& other) noexcept = default;
Region& Region::operator=(Region&& other) noexcept = default;
Region::~Region() = default;

detail::RegionState& Region::state() const {
  if (state_ == nullptr) {
    throw_misuse("this region was moved from; use the object it was moved to");
  }
  return *state_;
}

Region Region::create(std::size_t size_bytes, const RegionOptions& options) {
  begin_control_call();
  return retry_in_shortage([&] {
    const TracedCall call;
    auto made = detail::make_state<detail::RegionState>(
        new_family(size_bytes, options, "Region::create"), size_bytes);
    AddressSpace& space = made->space();
    const Section section(space.family());
    space.copy_on_write().begin(space);
    call.tell_made(space, nullptr);
    return Region(std::move(made));
  });
}

Region Region::from_snapshot(const Snapshot& snapshot) {
  detail::SnapshotState& from = snapshot.state();
  begin_control_call(*from.family());
  return retry_in_shortage([&] {
    auto made = detail::make_state<detail::RegionState>(from.family(), from.size_bytes());
    show_snapshot(from.table(), made->space());
    return Region(std::move(made));
  });
}

std::byte* Region::data() { return state().space().begin(); }
const std::byte* Region::data() const { return state().space().begin(); }
std::size_t Region::size() const { return state().size_bytes(); }
std::span<std::byte> Region::bytes() { return {data(), size()}; }
std::span<const std::byte> Region::bytes() const { return {data(), size()}; }

std::size_t Region::page_bytes() const { return state().space().family().geometry().page_bytes(); }

Region Region::clone(CloneMode mode) const {
  AddressSpace& source = state().space();
  begin_control_call(source.family());
  return retry_in_shortage([&] {
    auto made = detail::make_state<detail::RegionState>(source.shared_family(), size());
    if (mode == CloneMode::eager) {
      clone_eagerly(source, made->space());
    } else {
      clone_lazily(source, made->space());
    }
    return Region(std::move(made));
  });
}

namespace {

/// So that every program with regions has what a debugger calls, also one that is linked with the
/// static library and does not call it itself.
[[gnu::used]] std::string (*const kept_for_debuggers)(const Region&) = &describe;

void check_range(const Region& region, const char* call, std::size_t offset, std::size_t length) {
  if (offset <= region.size() && length <= region.size() - offset) return;
  throw_invalid_argument(std::string(call) + ": bytes " + std::to_string(offset) + " to " +
                         std::to_string(offset) + " + " + std::to_string(length) +
                         " are not in a region of " + std::to_string(region.size()) + " bytes");
}

}  // namespace

void Region::discard(std::size_t offset, std::size_t length) {
  check_range(*this, "Region::discard", offset, length);
  AddressSpace& space = state().space();
  begin_control_call(space.family());
  const PageGeometry geometry = space.family().geometry();
  const std::size_t end = offset + length;
  const PageSpan whole_pages{
      geometry.page_at(offset + geometry.page_bytes() - 1),
      end == size() ? PageIndex{space.family().pages().value} : geometry.page_at(end)};
  if (length == 0 || whole_pages.empty()) return;
  state().note_changed();
  retry_in_shortage([&] { discard_pages(space, whole_pages); });
}

WriteLease Region::write_lease(std::size_t offset, std::size_t length) {
  check_range(*this, "Region::write_lease", offset, length);
  begin_control_call(state().space().family());
  if (length > 0) state().note_changed();  // the kernel's stores raise no fault
  return retry_in_shortage([&] { return WriteLease(state_, offset, length); });
}

Snapshot Region::snapshot(SnapshotMode mode) const {
  AddressSpace& source = state().space();
  begin_control_call(source.family());
  auto made = retry_in_shortage([&] {
    auto taken = detail::make_state<detail::SnapshotState>(source.shared_family(), size());
    take_snapshot(source, taken->table(),
                  mode == SnapshotMode::quiescent ? HotPolicy::copy_unprotected : HotPolicy::copy);
    return taken;
  });
  if (const ImageId* const image = state().loaded_image()) made->set_image_id(*image);
  return Snapshot(std::move(made));
}

void Region::restore(const Snapshot& snapshot) {
  AddressSpace& space = state().space();
  detail::SnapshotState& from = snapshot.state();
  if (from.family().get() != &space.family()) {
    throw_invalid_argument(
        "Region::restore: the snapshot belongs to another family; a region can return to its own "
        "snapshots and to those of its clones and ancestors");
  }
  if (restore_again(space, from.table())) return;
  begin_control_call(space.family());
  state().note_changed();
  retry_in_shortage([&] { restore_snapshot(space, from.table()); });
}

}  // namespace cow
