#include <cow/region.hpp>

#include <algorithm>
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
#include "mm/control/restore.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/space_trace.hpp"
#include "os/host.hpp"

namespace cow {

Region::Region() noexcept = default;
Region::Region(std::shared_ptr<detail::RegionState> state) noexcept : state_(std::move(state)) {}
Region::Region(Region&& other) noexcept = default;
Region& Region::operator=(Region&& other) noexcept = default;
Region::~Region() = default;

detail::RegionState& Region::state() const {
  if (state_ == nullptr) {
    throw_misuse(
        "this region is empty: nothing was assigned to it yet, or it was moved from; assign a "
        "region to it, or use the object it was moved to");
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
    show_snapshot(from.table(), from.lineage(), made->space());
    return Region(std::move(made));
  });
}

std::byte* Region::data() { return state().space().begin(); }
const std::byte* Region::data() const { return state().space().begin(); }
std::size_t Region::size() const { return state().size_bytes(); }
std::span<std::byte> Region::bytes() { return {data(), size()}; }
std::span<const std::byte> Region::bytes() const { return {data(), size()}; }

std::size_t Region::page_bytes() const { return state().space().family().geometry().page_bytes(); }

namespace {

// A clone is a snapshot, and then the mappings. Nobody else has the clone yet.
void note_clone(const AddressSpace& made, std::uint64_t touched, std::uint64_t took_ns) noexcept {
  Costs& now = made.copy_on_write().costs();
  const auto sharing_ns =
      static_cast<std::uint64_t>(now.snapshot.unit_ns() * static_cast<double>(touched));
  now.clone.note(made.mappings() - 1, took_ns - std::min(took_ns, sharing_ns));
}

}  // namespace

Region Region::clone(CloneMode mode) const {
  AddressSpace& source = state().space();
  begin_control_call(source.family());
  return retry_in_shortage([&] {
    const std::uint64_t begun_ns = os::monotonic_ns();
    auto made = detail::make_state<detail::RegionState>(source.shared_family(), size());
    if (mode == CloneMode::eager) {
      clone_eagerly(source, made->space());
    } else {
      const std::uint64_t touched = clone_lazily(source, made->space());
      note_clone(made->space(), touched, os::monotonic_ns() - begun_ns);
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
      end == size() ? PageIndex{state().pages().value} : geometry.page_at(end)};
  if (length == 0 || whole_pages.empty()) return;
  state().note_changed();
  discard_after_backup(space, whole_pages);
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
    const std::uint64_t begun_ns = os::monotonic_ns();
    auto taken = detail::make_state<detail::SnapshotState>(source.shared_family(), size());
    const std::uint64_t touched = take_snapshot(
        source, taken->table(),
        mode == SnapshotMode::quiescent ? HotPolicy::copy_unprotected : HotPolicy::copy,
        &taken->lineage(), [&] { taken->set_size_at_the_cut(state().size_bytes()); });
    source.copy_on_write().costs().snapshot.note(touched, os::monotonic_ns() - begun_ns);
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
  let_backup_go_first(space.family(), space.all_pages());
  if (size() == from.size_bytes() && restore_again(space, from.table())) return;
  begin_control_call(space.family());
  state().note_changed();
  // Until it is done the pages of both sizes are the region's.
  space.set_open_pages(std::max(state().pages(), from.pages()));
  try {
    retry_in_shortage([&] {
      const auto counted = restore_snapshot(space, from.table(), &from.lineage());
      if (counted) space.copy_on_write().costs().restore.note(counted->touched, counted->took_ns);
    });
  } catch (...) {
    state().set_size(size());
    throw;
  }
  state().set_size(from.size_bytes());
}

}  // namespace cow
