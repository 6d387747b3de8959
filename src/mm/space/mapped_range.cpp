#include "mm/space/mapped_range.hpp"

#include <algorithm>
#include <utility>

#include "base/refusal.hpp"
#include "mm/resources/mapping_budget.hpp"

namespace cow {

namespace {

constexpr std::int64_t kGuardMappings = 2;

os::AddressRange reserve_addresses(const Family& family) {
  const PageGeometry geometry = family.geometry();
  return os::AddressRange::reserve(geometry.bytes(family.pages()),
                                   std::max(geometry.page_bytes(), family.huge_pages().bytes),
                                   family.advice());
}

}  // namespace

MappedRange::MappedRange(Family& family, const os::WriteWatch* watch)
    : family_(family), range_(reserve_addresses(family)) {
  mapping_budget::add(kGuardMappings);
  note_mappings(1);
  if (watch == nullptr) return;
  int error = 0;
  try {
    watched_ = make_metadata<WatchedRange>(family, begin());
    error = map_zeros(all());
    if (error == 0) error = watched_->watch();
  } catch (...) {
    shrink(0);
    throw;
  }
  if (error == 0) return;
  shrink(0);
  throw_refused(error, "userfaultfd", "the addresses of a region could not be watched");
}

int MappedRange::count_shown(int error) const noexcept {
  if (error == 0) note_mappings(watched_->mappings());
  return error;
}

int MappedRange::map(PageSpan span, Frame first, os::Protection protection, os::Populate populate,
                     os::Look look) const noexcept {
  const FrameStore& frames = family_.frames();
  if (watched_) return count_shown(watched_->show(span, first));
  return os::map_frames(address(span.first), bytes(span), frames.file(first), frames.offset(first),
                        protection, populate, family_.advice(), look);
}

int MappedRange::map_zeros(PageSpan span) const noexcept {
  if (watched_) return count_shown(watched_->show_zeros(span));
  return os::map_zeros(address(span.first), bytes(span), os::Protection::read_only,
                       family_.advice());
}

int MappedRange::map_for_reading(PageSpan span, Frame first) const noexcept {
  const FrameStore& frames = family_.frames();
  return os::map_frames_for_reading(address(span.first), bytes(span), frames.file(first),
                                    frames.offset(first), family_.advice());
}

int MappedRange::protect(PageSpan span, os::Protection protection) const noexcept {
  return os::protect(address(span.first), bytes(span), protection);
}

bool MappedRange::is_mapped(PageSpan span) const noexcept {
  return os::is_mapped(address(span.first), bytes(span));
}

bool MappedRange::is_resident(PageSpan span) const noexcept {
  return os::is_resident(address(span.first), bytes(span));
}

void MappedRange::note_mappings(std::size_t mappings) const noexcept {
  mapping_budget::add(static_cast<std::int64_t>(mappings - mappings_));
  mappings_ = mappings;
}

void MappedRange::shrink(std::size_t bytes) noexcept {
  if (begin() == nullptr) return;
  range_.shrink(bytes);
  if (bytes > 0) return;
  const os::AddressRange all(std::move(range_));
  note_mappings(0);
  mapping_budget::add(-kGuardMappings);
}

}  // namespace cow
