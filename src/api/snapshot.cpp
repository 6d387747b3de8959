#include <cow/region.hpp>
#include <cow/snapshot.hpp>

#include <utility>

#include "api/control_call.hpp"
#include "api/snapshot_state.hpp"
#include "base/error.hpp"
#include "mm/control/clone.hpp"
#include "mm/control/difference.hpp"
#include "mm/control/reclaimable.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/leaving.hpp"
#include "os/host.hpp"

namespace cow {

namespace detail {

SnapshotState::SnapshotState(std::shared_ptr<Family> family, std::size_t size_bytes)
    : LineageNode(LineageNode::Kind::snapshot),
      family_(std::move(family)),
      size_bytes_(size_bytes),
      kept_(family_->store()) {
  const Section section(*family_);
  family_->add(kept_);
}

SnapshotState::~SnapshotState() {
  const os::SignalsMasked signals;
  const std::uint64_t begun_ns = os::monotonic_ns();
  const bool had_view = view_ != nullptr;
  {
    const Hold hold(*family_);
    // A child that is forked while the view goes is to keep nothing of the snapshot.
    if (view_ != nullptr) family_->begin_leaving(kept_);
  }
  in_pieces(*family_, [&](Piece&) {
    family_->lock().assert_held();
    return family_->lineage().remove_some(lineage());
  });
  view_.reset();
  const std::uint64_t frames = give_up(*family_, kept_);
  if (!had_view) {
    family_->copy_on_write().costs().drop.note(frames, os::monotonic_ns() - begun_ns);
  }
}

const std::byte* SnapshotState::view() {
  const auto mapped = [&]() -> const std::byte* {
    const Section section(*family_, Section::Intent::look);
    return view_ == nullptr ? nullptr : view_->begin();
  };
  if (const std::byte* const begin = mapped(); begin != nullptr) return begin;
  check_files(*family_);

  auto view = retry_in_shortage([&] {
    auto made = make_metadata<AddressSpace>(family_, AddressSpace::Use::view);
    show_snapshot(kept_.table, lineage(), *made);
    return made;
  });
  {
    const Section section(*family_, Section::Intent::look);
    if (view_ == nullptr) std::swap(view_, view);  // or another thread was first: drop this one
  }
  return mapped();
}

ImageId SnapshotState::image_id() {
  ImageId drawn{};
  os::fill_randomly(drawn.data(), drawn.size());
  const Section section(*family_, Section::Intent::look);
  if (image_id_ == ImageId{}) image_id_ = drawn;
  return image_id_;
}

std::size_t SnapshotState::reclaimable_bytes() {
  const AddressSpace* view = nullptr;
  {
    const Section section(*family_, Section::Intent::look);
    view = view_.get();
    // The last of its family takes the frame file along, with what was reserved.
    const long ours = view == nullptr ? 1 : 2;
    if (family_.use_count() == ours) return family_->frames().bytes_in_use();
  }
  return cow::reclaimable_bytes(*family_, kept_.table, view);
}

// The lock is held for the handle alone: what allocates might store to a region.
std::string SnapshotState::label() const {
  std::shared_ptr<const std::string> label;
  {
    const Section section(*family_, Section::Intent::look);
    label = label_;
  }
  return label == nullptr ? std::string() : *label;
}

void SnapshotState::set_label(std::string label) {
  auto now = std::make_shared<const std::string>(std::move(label));
  const Section section(*family_, Section::Intent::look);
  label_.swap(now);
}

}  // namespace detail

Snapshot::Snapshot(std::shared_ptr<detail::SnapshotState> state) noexcept
    : state_(std::move(state)) {}

detail::SnapshotState& Snapshot::state() const {
  if (state_ == nullptr) {
    throw_misuse(
        "this snapshot is empty: nothing was assigned to it yet, or it was moved from; assign a "
        "snapshot to it, or use the object it was moved to");
  }
  return *state_;
}

std::size_t Snapshot::size() const { return state().size_bytes(); }

std::size_t Snapshot::page_bytes() const { return state().family()->geometry().page_bytes(); }

std::span<const std::byte> Snapshot::bytes() const {
  check_callable(*state().family());
  return {state().view(), size()};
}

std::size_t Snapshot::reclaimable_bytes() const {
  check_callable(*state().family());
  return state().reclaimable_bytes();
}

void Snapshot::set_label(std::string label) {
  check_stack();
  state().set_label(std::move(label));
}

std::string Snapshot::label() const {
  check_stack();
  return state().label();
}

std::chrono::system_clock::time_point Snapshot::taken_at() const { return state().taken_at(); }

std::vector<PageRange> diff(const Snapshot& from, const Snapshot& to) {
  detail::SnapshotState& a = from.state();
  detail::SnapshotState& b = to.state();
  if (a.family() != b.family()) {
    throw_invalid_argument(
        "diff: the two snapshots belong to different families; compare snapshots of one region, "
        "its clones and theirs");
  }
  check_callable(*a.family());
  check_files(*a.family());
  std::vector<PageRange> ranges;
  for (const PageSpan span :
       with_sizes(retry_in_shortage([&] { return difference(*a.family(), a.table(), b.table()); }),
                  a.family()->geometry(), a.size_bytes(), b.size_bytes())) {
    ranges.push_back({span.first.value, span.count().value});
  }
  return ranges;
}

}  // namespace cow
