#include "measure/trace/page_writes.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/units.hpp"
#include "measure/quantity.hpp"
#include "measure/trace/round_reader.hpp"
#include "measure/trace/unseen_stores.hpp"

namespace cow::measure {
namespace {

using trace::Event;
using trace::EventKind;

constexpr std::size_t most_granule_bytes = std::size_t{2} << 20;

[[noreturn]] void refuse(const TraceFile& trace, const std::string& what) {
  throw TraceError(fmt::format("'{}' {}", printable(trace.path), what));
}

using Families = std::map<TracedFamily, std::uint64_t>;
using KernelFamilies = std::map<TracedFamily, KernelCopied>;

/// First stores that the trace tells of: faults, or pages that the kernel copied where all of a
/// family's are known.
Families stores_of_families(const TraceFile& trace, const KernelFamilies& kernels) {
  Families stores;
  for (const Event& event : trace.events) {
    if (event.kind == EventKind::fault) ++stores[{event.pid, event.family}];
  }
  for (const auto& [key, family] : kernels) {
    if (family.are_all_told()) stores[key] += family.told;
  }
  return stores;
}

[[noreturn]] void refuse_without_stores(const TraceFile& trace, const KernelFamilies& kernels) {
  refuse(trace, kernels.empty()
                    ? "has no store to replay: nothing was stored to a page that libcow had "
                      "to make writable"
                    : "has no store to replay: the kernel copied for that program, and does not "
                      "tell which pages; " +
                          ask_for_handler_words());
}

std::string last_part(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return printable(name.empty() ? "a program without a name" : name);
}

/// The least size of pages of which the `page`-th has what is at `offset`; 0 if there is none.
std::size_t granule_with(std::uint64_t offset, std::uint64_t page, std::size_t least_bytes) {
  for (std::size_t granule = least_bytes; granule <= most_granule_bytes; granule *= 2) {
    if (offset / granule == page) return granule;
  }
  return 0;
}

/// No event says how large a region's pages are, but each fault which page has its address. Where
/// the region was made by the process's parent it has the same number and address there.
std::size_t granule_of(const TraceFile& trace, TracedFamily key) {
  std::map<std::uint32_t, std::uint64_t> addresses;
  std::size_t granule = trace.header.page_bytes;
  for (const Event& event : trace.events) {
    if (event.family != key.second) continue;
    if (event.kind == EventKind::region_made) {
      std::uint64_t& address = addresses[event.space];
      if (address == 0 || event.pid == key.first) address = event.address;
    }
    if (event.kind != EventKind::fault || event.pid != key.first) continue;
    const auto address = addresses.find(event.space);
    if (address == addresses.end() || event.address < address->second) continue;
    granule = std::max(granule, granule_with(event.address - address->second, event.first_page,
                                             trace.header.page_bytes));
  }
  return granule;
}

/// Of the family's largest region. A child's may have been made by its parent, under the same
/// number; a page that was stored to is in it in any case.
std::uint64_t pages_of(const TraceFile& trace, TracedFamily key) {
  std::uint64_t pages = 0;
  for (const Event& event : trace.events) {
    if (event.family != key.second) continue;
    if (event.kind == EventKind::region_made) pages = std::max(pages, event.page_count);
    if (event.kind == EventKind::fault && event.pid == key.first) {
      pages = std::max(pages, event.first_page + 1);
    }
  }
  return pages;
}

void warn_of_gaps(const TraceFile& trace, std::vector<std::string>& warnings) {
  if (trace.lost > 0) {
    warnings.push_back(
        fmt::format("the trace had no room for the last {}: what the program did then is not "
                    "replayed; record it with room for more (cow trace --events N)",
                    counted(trace.lost, "event")));
  }
  if (trace.cut_off > 0) {
    warnings.push_back(fmt::format("the file of the trace was cut off before {}: what the program "
                                   "did then is not replayed",
                                   counted(trace.cut_off, "event")));
  }
  if (const std::uint64_t unread = trace.unfinished + trace.unreadable; unread > 0) {
    warnings.push_back(fmt::format("{} of the trace could not be read", counted(unread, "event")));
  }
}

void warn_of_others(const Families& stores, PageWrites& writes) {
  if (stores.size() < 2) return;
  std::set<std::uint32_t> processes;
  std::uint64_t all = 0;
  for (const auto& [key, count] : stores) {
    processes.insert(key.first);
    all += count;
  }
  writes.warnings.push_back(fmt::format(
      "the program has {} families of regions in {} process{}: what is replayed is the busiest of "
      "them, family {} of process {}, with {} of {} stores that the trace tells of",
      stores.size(), processes.size(), processes.size() == 1 ? "" : "es", writes.family, writes.pid,
      with_commas(stores.at({writes.pid, writes.family})), with_commas(all)));
}

void warn_of_kernel(const Families& stores, const KernelFamilies& kernels, PageWrites& writes) {
  for (const auto& [key, family] : kernels) {
    if (stores.contains(key) || family.pages == 0) continue;
    ++writes.unseen_families;
    writes.unseen_pages += family.pages;
  }
  if (writes.unseen_families == 0) return;
  writes.warnings.push_back(fmt::format(
      "{} besides, and does not tell which: they are not replayed; {}",
      kernel_copied_words(writes.unseen_families, writes.unseen_pages), ask_for_handler_words()));
}

void warn_of_windows(PageWrites& writes) {
  const CopiedAlong& along = writes.along;
  if (along.copied_along > 0) {
    writes.warnings.push_back(fmt::format(
        "{}: libcow copied them along with a neighbour, nobody knows whether the program stored to "
        "them, and they are not replayed; record it with windows off, as cow trace does without "
        "--windows, or with RegionOptions::max_window_pages of 1",
        copied_along_words(along.copied_along, along.copied)));
  }
  if (along.opened_along > 0) {
    writes.warnings.push_back(
        fmt::format("{} that showed zeros, or nothing shared, became writable along with a "
                    "neighbour: stores to them are not replayed",
                    counted(along.opened_along, "page")));
  }
}

void read_rounds(const TraceFile& trace, TracedFamily key, PageWrites& writes) {
  RoundReader reader(writes);
  try {
    for (const Event& event : trace.events) {
      if (event.pid != key.first) continue;
      if (event.family == key.second || event.kind == EventKind::process_begun) reader.add(event);
    }
  } catch (const TraceError& what) {
    refuse(trace, what.what());
  }
}

}  // namespace

PageWrites page_writes(const TraceFile& trace) {
  const KernelFamilies kernels = kernel_copied(trace);
  const Families stores = stores_of_families(trace, kernels);
  if (stores.empty()) refuse_without_stores(trace, kernels);
  const TracedFamily key =
      std::ranges::max_element(stores, {}, [](const auto& family) { return family.second; })->first;
  PageWrites writes;
  writes.program = last_part(trace.program);
  writes.pid = key.first;
  writes.family = key.second;
  writes.page_bytes = granule_of(trace, key);
  const std::uint64_t pages = pages_of(trace, key);
  if (pages > kAddressSpaceBytes / writes.page_bytes) {
    refuse(trace, fmt::format("speaks of a region of {}, which no process can have: the trace is "
                              "damaged; record the program again",
                              counted(pages, "page")));
  }
  writes.bytes = pages * writes.page_bytes;
  read_rounds(trace, key, writes);
  if (writes.stores == 0) {
    refuse(trace, fmt::format("has nothing to copy: all of its {} were made while there was no "
                              "snapshot and no clone",
                              counted(writes.stores_outside, "first store")));
  }
  warn_of_gaps(trace, writes.warnings);
  warn_of_others(stores, writes);
  warn_of_kernel(stores, kernels, writes);
  warn_of_windows(writes);
  return writes;
}

}  // namespace cow::measure
