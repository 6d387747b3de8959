#include <cow/c/process.h>

#include <cow/fault.hpp>
#include <cow/stats.hpp>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"
#include "api/c/structs.hpp"

// Counters, and the signal handler.

using cow::c::call;
using cow::c::check_struct;
using cow::c::give;
using cow::c::need;

int cow_region_get_stats(const cow_region* region, cow_region_stats* stats) {
  constexpr const char* name = "cow_region_get_stats";
  return call(name, [&] {
    check_struct(need(stats, name, "the struct to fill"), name);
    const cow::RegionStats from = need(region, name, "the region").value.stats();
    cow_region_stats to = COW_REGION_STATS_INIT;
    to.page_bytes = from.page_bytes;
    to.pages = from.pages;
    to.pages_zero = from.pages_zero;
    to.pages_shared = from.pages_shared;
    to.pages_private = from.pages_private;
    to.pages_writable = from.pages_writable;
    to.pages_leased = from.pages_leased;
    to.faults = from.faults;
    to.pages_copied = from.pages_copied;
    to.pages_upgraded = from.pages_upgraded;
    to.pages_zero_filled = from.pages_zero_filled;
    to.pages_compared = from.pages_compared;
    to.pages_restored = from.pages_restored;
    to.mappings = from.mappings;
    to.bytes_metadata = from.bytes_metadata;
    to.mechanism =
        from.mechanism == cow::Mechanism::kernel ? COW_MECHANISM_KERNEL : COW_MECHANISM_HANDLER;
    give(*stats, to);
  });
}

int cow_process_get_stats(cow_process_stats* stats) {
  constexpr const char* name = "cow_process_get_stats";
  return call(name, [&] {
    check_struct(need(stats, name, "the struct to fill"), name);
    const cow::ProcessStats from = cow::process_stats();
    cow_process_stats to = COW_PROCESS_STATS_INIT;
    to.regions = from.regions;
    to.families = from.families;
    to.bytes_in_use = from.bytes_in_use;
    to.frames_in_use = from.frames_in_use;
    to.bytes_recycled = from.bytes_recycled;
    to.frames_recycled = from.frames_recycled;
    to.bytes_inherited = from.bytes_inherited;
    to.bytes_metadata = from.bytes_metadata;
    to.mappings_in_use = from.mappings_in_use;
    to.mapping_budget = from.mapping_budget;
    to.faults = from.faults;
    give(*stats, to);
  });
}

size_t cow_trim(void) { return cow::trim(); }

int cow_owns_sigsegv(void) { return cow::owns_sigsegv() ? 1 : 0; }

int cow_reinstall_handler(void) {
  return call("cow_reinstall_handler", [] { cow::reinstall_handler(); });
}

int cow_try_handle_fault(int signal, void* siginfo, void* context) {
  return cow::try_handle_fault(signal, siginfo, context) ? 1 : 0;
}
