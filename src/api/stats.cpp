#include <cow/region.hpp>
#include <cow/stats.hpp>

#include "api/control_call.hpp"
#include "api/fork.hpp"
#include "api/page_counts.hpp"
#include "api/region_state.hpp"
#include "fault/dispatch.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/family.hpp"
#include "mm/space/leaving.hpp"
#include "os/host.hpp"

namespace cow {

RegionStats Region::stats() const {
  AddressSpace& space = state().space();
  check_callable(space.family());
  follow_forks();
  RegionStats stats;
  const Section section(space.family(), Section::Intent::look);
  stats.mechanism = space.copy_on_write().stores_fault() ? Mechanism::handler : Mechanism::kernel;
  stats.page_bytes = space.family().geometry().page_bytes();
  stats.pages = space.open_pages().count().value;
  count_pages(space, stats);
  stats.faults = space.counts().faults;
  stats.pages_copied = space.counts().pages_copied;
  stats.pages_upgraded = space.counts().pages_upgraded;
  stats.pages_zero_filled = space.counts().pages_zero_filled;
  const RollbackCounts& rollback = space.rollback().counts();
  stats.pages_compared = rollback.pages_compared.load(std::memory_order_relaxed);
  stats.pages_restored = rollback.pages_restored.load(std::memory_order_relaxed);
  stats.mappings = space.mappings();
  stats.bytes_metadata = space.family().metadata_bytes();
  return stats;
}

ProcessStats process_stats() {
  check_stack();
  follow_forks();
  if (mapping_budget::needs_measuring()) mapping_budget::measure();
  ProcessStats stats;
  stats.regions = Registry::instance().size();
  FamilyList::instance().for_each([&](Family& family) {
    const Section section(family, Section::Intent::look);
    ++stats.families;
    stats.bytes_in_use += bytes_in_use(family);
    stats.bytes_inherited += family.frames().bytes_inherited();
    stats.bytes_recycled += family.frames().bytes_recycled();
    stats.bytes_metadata += family.metadata_bytes();
  });
  stats.frames_in_use = stats.bytes_in_use / os::page_bytes();
  stats.frames_recycled = stats.bytes_recycled / os::page_bytes();
  stats.mappings_in_use = mapping_budget::in_use();
  stats.mapping_budget = mapping_budget::limit();
  stats.faults = resolved_fault_count();
  return stats;
}

std::size_t trim() noexcept {
  std::size_t given_away_from_regions = 0;
  away_from_regions([&] {
    reap_all_children();
    std::size_t given = 0;
    FamilyList::instance().for_each([&](Family& family) {
      // for_each masks signals.
      given += family.geometry().bytes({give_back_all_recycled(family)});
      give_back_surplus(family);
    });
    given_away_from_regions = given;  // no lock is held
  });
  return given_away_from_regions;
}

}  // namespace cow
