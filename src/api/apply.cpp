#include <cow/region.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "api/snapshot_state.hpp"
#include "api/state.hpp"
#include "base/error.hpp"
#include "mm/control/clone.hpp"
#include "mm/control/restore.hpp"
#include "mm/space/space_trace.hpp"

namespace cow {

namespace {

using Ranges = std::vector<PageRange>;

// Ascending, neighbours and overlaps joined.
Ranges in_order(Ranges ranges, std::uint64_t pages) {
  for (const PageRange& range : ranges) {
    if (range.first_page <= pages && range.page_count <= pages - range.first_page) continue;
    throw_invalid_argument("Region::apply: pages " + std::to_string(range.first_page) + " to " +
                           std::to_string(range.first_page) + " + " +
                           std::to_string(range.page_count) + " are not in a region of " +
                           std::to_string(pages) + " pages");
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const PageRange& a, const PageRange& b) { return a.first_page < b.first_page; });
  Ranges joined;
  for (const PageRange& range : ranges) {
    if (range.page_count == 0) continue;
    if (joined.empty() || joined.back().first_page + joined.back().page_count < range.first_page) {
      joined.push_back(range);
      continue;
    }
    PageRange& last = joined.back();
    const std::size_t end =
        std::max(last.first_page + last.page_count, range.first_page + range.page_count);
    last.page_count = end - last.first_page;
  }
  return joined;
}

void tell_merged(const TracedCall& call, AddressSpace& space, const Ranges& ranges,
                 const PageTable& from) {
  if (trace::current() == 0) return;
  PageSpan all{PageIndex{ranges.front().first_page}, PageIndex{ranges.back().first_page}};
  all.last = all.last + PageCount{ranges.back().page_count};
  const Section section(space.family(), Section::Intent::look);
  call.tell(space, {.kind = trace::EventKind::merged, .pages = all, .other = &from});
}

}  // namespace

// Sharing: the region goes back to a snapshot of itself in which these pages have been exchanged.
// Its promise, all or nothing, is that of a restore.
bool Region::apply_by_sharing(const std::vector<PageRange>& ranges, const Snapshot& from) {
  AddressSpace& space = state().space();
  if (&space.family() != from.state().family().get()) return false;
  const auto target = detail::make_state<detail::SnapshotState>(space.shared_family(), size());
  take_snapshot(space, target->table(), HotPolicy::share, nullptr);
  {
    const Section section(space.family());
    // The kernel may be writing to leased pages, which then differ from their copies.
    if (!space.leases().empty()) return false;
    space.family().ensure_reserve({.tables = 1});
    for (const PageRange& range : ranges) {
      const PageIndex first{range.first_page};
      exchange_pages(target->table(), {first, first + PageCount{range.page_count}},
                     from.state().table());
    }
  }
  restore_snapshot(space, target->table(), nullptr);
  return true;
}

// All that can fail comes first: reading the snapshot, frames for the pages.
void Region::apply_by_copying(const std::vector<PageRange>& ranges, const Snapshot& from) {
  const std::span<const std::byte> source = from.bytes();
  const std::size_t page = page_bytes();
  std::vector<WriteLease> leases;
  leases.reserve(ranges.size());
  for (const PageRange& range : ranges) {
    const std::size_t offset = range.first_page * page;
    leases.push_back(write_lease(offset, std::min(range.page_count * page, size() - offset)));
  }
  for (const WriteLease& lease : leases) {
    const auto offset = static_cast<std::size_t>(lease.data() - data());
    std::memcpy(lease.data(), source.data() + offset, lease.size());
  }
}

void Region::apply(const std::vector<PageRange>& ranges, const Snapshot& from) {
  AddressSpace& space = state().space();
  if (from.size() != size() || from.page_bytes() != page_bytes()) {
    throw_invalid_argument(
        "Region::apply: the snapshot has another size, or pages of another size, than the region; "
        "its pages have no place here");
  }
  begin_control_call(space.family());
  const Ranges pages = in_order(ranges, state().pages().value);
  if (pages.empty()) return;
  let_backup_go_first(space.family(), space.all_pages());
  const TracedCall call;
  retry_in_shortage([&] {
    if (!apply_by_sharing(pages, from)) apply_by_copying(pages, from);
  });
  state().note_changed();
  tell_merged(call, space, pages, from.state().table());
}

}  // namespace cow
