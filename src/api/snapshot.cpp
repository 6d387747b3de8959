#include <cow/region.hpp>
#include <cow/snapshot.hpp>

#include <utility>

#include "api/control_call.hpp"
#include "api/snapshot_state.hpp"
#include "base/error.hpp"
#include "mm/control/clone.hpp"
#include "mm/control/difference.hpp"
#include "mm/space/leaving.hpp"

namespace cow {

namespace detail {

SnapshotState::SnapshotState(std::shared_ptr<Family> family, std::size_t size_bytes)
    : family_(std::move(family)), size_bytes_(size_bytes), kept_(family_->store()) {
  const Section section(*family_);
  family_->add(kept_);
}

SnapshotState::~SnapshotState() {
  const os::SignalsMasked signals;
  if (view_ != nullptr) {
    // A child that is forked while the view goes is to keep nothing of the snapshot.
    const Section section(*family_);
    family_->begin_leaving(kept_);
  }
  view_.reset();
  give_up(*family_, kept_);
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
    show_snapshot(kept_.table, *made);
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

}  // namespace detail

Snapshot::Snapshot(std::shared_ptr<detail::SnapshotState> state) noexcept
    : state_(std::move(state)) {}

detail::SnapshotState& Snapshot::state() const {
  if (state_ == nullptr) {
    throw_misuse("this snapshot was moved from; use the object it was moved to");
  }
  return *state_;
}

std::size_t Snapshot::size() const { return state().size_bytes(); }

std::size_t Snapshot::page_bytes() const { return state().family()->geometry().page_bytes(); }

std::span<const std::byte> Snapshot::bytes() const {
  check_callable(*state().family());
  return {state().view(), size()};
}

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
       retry_in_shortage([&] { return difference(*a.family(), a.table(), b.table()); })) {
    ranges.push_back({span.first.value, span.count().value});
  }
  return ranges;
}

}  // namespace cow
