#include "fault_parts.hpp"

#include <cow/fault.hpp>

#include <algorithm>
#include <cstdint>

#include "session.hpp"
#include "stores.hpp"

namespace cow_bench {

std::vector<std::pair<std::string_view, const Samples*>> FaultParts::in_order() const {
  return {{"delivery", &delivery}, {"locate", &locate}, {"allocate", &allocate},
          {"copy", &copy},         {"map", &map},       {"return", &back}};
}

void FaultParts::add(const FaultParts& others) {
  delivery.add(others.delivery);
  locate.add(others.locate);
  allocate.add(others.allocate);
  copy.add(others.copy);
  map.add(others.map);
  back.add(others.back);
  total.add(others.total);
  pages_copied += others.pages_copied;
}

FaultParts record_faults(cow::Region& region, std::span<const std::size_t> which) {
  const Pages pages = pages_of(region);
  std::vector<cow::FaultRecord> records(which.size());
  const cow::FaultRecorder recorder(records.data(), records.size());
  FaultParts parts;
  std::size_t seen = 0;
  for (const std::size_t page : which) {
    const std::uint64_t start = now_ns();
    pages.store(page, start);
    const std::uint64_t end = now_ns();
    if (recorder.size() == seen) {
      continue;
    }
    const cow::FaultRecord& record = records[seen++];
    // A step that a fault did not need has no time of its own: it ends where the last one did.
    std::uint64_t last = start;
    const auto step = [&last](Samples& into, std::uint64_t until) {
      const std::uint64_t now = std::max(last, until);
      into.add(static_cast<double>(now - last));
      last = now;
    };
    step(parts.delivery, record.entered_ns);
    step(parts.locate, record.located_ns);
    step(parts.allocate, record.allocated_ns);
    step(parts.copy, record.copied_ns);
    step(parts.map, record.mapped_ns);
    step(parts.back, end);
    parts.total.add(static_cast<double>(end - start));
    parts.pages_copied += record.pages_copied;
  }
  return parts;
}

}  // namespace cow_bench
