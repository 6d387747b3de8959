#include "mm/space/mapped_range.hpp"

#include <algorithm>
#include <utility>

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

MappedRange::MappedRange(Family& family) : family_(family), range_(reserve_addresses(family)) {
  mapping_budget::add(kGuardMappings);
  set_mappings(1);
}

int MappedRange::map(PageSpan span, Frame first, os::Protection protection, os::Populate populate,
                     os::Look look) const noexcept {
  const FrameStore& frames = family_.frames();
  return os::map_frames(address(span.first), bytes(span), frames.file(first), frames.offset(first),
                        protection, populate, family_.advice(), look);
}

int MappedRange::map_zeros(PageSpan span) const noexcept {
  return os::map_zeros(address(span.first), bytes(span), family_.advice());
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

void MappedRange::set_mappings(std::size_t mappings) noexcept {
  mapping_budget::add(static_cast<std::int64_t>(mappings - mappings_));
  mappings_ = mappings;
}

void MappedRange::shrink(std::size_t bytes) noexcept {
  if (begin() == nullptr) return;
  range_.shrink(bytes);
  if (bytes > 0) return;
  const os::AddressRange all(std::move(range_));
  set_mappings(0);
  mapping_budget::add(-kGuardMappings);
}

}  // namespace cow
