// A region becomes longer, at its address.

#include <cow/region.hpp>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "base/error.hpp"
#include "base/zeros.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

void check_new_size(std::size_t now, std::size_t most, std::size_t wanted) {
  if (wanted < now) {
    throw_invalid_argument("Region::grow: the region has " + std::to_string(now) +
                           " bytes and cannot become shorter, to " + std::to_string(wanted) +
                           "; discard() gives memory back, restore() an earlier size");
  }
  if (wanted > most) {
    throw_invalid_argument("Region::grow: " + std::to_string(wanted) + " bytes are more than the " +
                           std::to_string(most) +
                           " for which addresses were reserved; give RegionOptions::most_bytes "
                           "when the region is created");
  }
}

// Restores that were short of mappings, and leases, leave pages with frames behind a shorter end.
bool has_frames(AddressSpace& space, PageSpan span) noexcept {
  const Section section(space.family(), Section::Intent::look);
  bool found = false;
  for_each_part_with_frames(space.table(), span, [&](PageSpan part) {
    for (PageIndex page = part.first; page < part.last && !found; ++page) {
      found = !space.table().entry(page).is_zero_page();
    }
  });
  return found;
}

}  // namespace

void Region::grow(std::size_t new_size_bytes) {
  detail::RegionState& region = state();
  AddressSpace& space = region.space();
  check_new_size(region.size_bytes(), space.family().most_bytes(), new_size_bytes);
  begin_control_call(space.family());
  const PageGeometry geometry = space.family().geometry();
  const std::size_t old_size_bytes = region.size_bytes();
  const PageSpan more{PageIndex{region.pages().value},
                      PageIndex{geometry.pages_for(new_size_bytes).value}};
  if (!more.empty() && has_frames(space, more)) discard_after_backup(space, more);
  // What lies behind the end on its page could be stored to.
  const std::size_t end_of_page = geometry.offset(more.first);
  const std::span<std::byte> rest{space.begin() + old_size_bytes,
                                  std::min(end_of_page, new_size_bytes) - old_size_bytes};
  if (!is_all_zeros(rest)) std::memset(rest.data(), 0, rest.size());
  region.note_changed();
  const Section section(space.family());  // a backup has the size of its moment
  region.set_size(new_size_bytes);
}

}  // namespace cow
