#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <cow/fault.hpp>
#include <cow/region.hpp>

#include "base/check.hpp"
#include "tool/maps_line.hpp"

namespace cow::tool {

/// One store and its page fault. Times are CLOCK_MONOTONIC nanoseconds, as in the record.
struct TimedStore {
  FaultRecord record;
  std::uint64_t before_ns = 0;  ///< just before the store
  std::uint64_t after_ns = 0;   ///< just after it
};

/// The nanoseconds of a store that faults, in the steps of the textbook.
struct StepTimes {
  std::uint64_t fault = 0;     ///< until the handler has found the page: `deliver` + `locate`
  std::uint64_t deliver = 0;   ///< the CPU's trap, the kernel's work, the signal
  std::uint64_t locate = 0;    ///< region found, locked, page-table entry read
  std::uint64_t allocate = 0;  ///< allocate a page
  std::uint64_t copy = 0;      ///< copy the content
  std::uint64_t map = 0;       ///< update the mapping
  std::uint64_t resume = 0;    ///< return from the handler, run the store again
  std::uint64_t total = 0;
};

[[nodiscard]] inline StepTimes step_times(const TimedStore& store) {
  const auto between = [](std::uint64_t from, std::uint64_t to) {
    return to > from ? to - from : 0;
  };
  const FaultRecord& record = store.record;
  StepTimes times;
  times.deliver = between(store.before_ns, record.entered_ns);
  times.locate = between(record.entered_ns, record.located_ns);
  times.fault = times.deliver + times.locate;
  times.allocate = between(record.located_ns, record.allocated_ns);
  times.copy = between(record.allocated_ns, record.copied_ns);
  times.map = between(record.copied_ns, record.mapped_ns);
  times.resume = between(record.mapped_ns, store.after_ns);
  times.total = between(store.before_ns, store.after_ns);
  return times;
}

/// The median of each step by itself. Precondition: `samples` is not empty.
[[nodiscard]] inline StepTimes median_step_times(const std::vector<StepTimes>& samples) {
  COW_CHECK(!samples.empty());
  StepTimes median;
  for (const auto member :
       {&StepTimes::fault, &StepTimes::deliver, &StepTimes::locate, &StepTimes::allocate,
        &StepTimes::copy, &StepTimes::map, &StepTimes::resume, &StepTimes::total}) {
    std::vector<std::uint64_t> values;
    values.reserve(samples.size());
    for (const StepTimes& sample : samples) values.push_back(sample.*member);
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    median.*member = *middle;
  }
  return median;
}

/// What can be seen of a page from outside the library.
struct PageView {
  std::optional<MapsLine> line;  ///< of /proc/self/maps, covering the page
  std::size_t region_lines = 0;  ///< lines that the whole region takes
  std::size_t frame_bytes = 0;   ///< memory of all frames in this process
  std::byte value{};             ///< the byte at the store's address
};

/// A store with the page before and after it.
struct ObservedStore {
  std::size_t offset = 0;  ///< of the byte, in the region
  std::uintptr_t address = 0;
  std::size_t page_bytes = 0;
  std::byte value{};  ///< what was stored
  TimedStore timed;
  StepTimes times;
  PageView before;
  PageView after;

  [[nodiscard]] std::size_t page() const { return offset / page_bytes; }
  [[nodiscard]] std::uintptr_t page_address() const { return address - offset % page_bytes; }
};

/// Stores `value` at `offset` of `region` and records the page fault this raises. The page is
/// read first, so that it is present in the CPU's page table and only its protection is in the
/// way. Throws ToolError if there was no fault.
[[nodiscard]] TimedStore time_store(Region& region, std::size_t offset, std::byte value);

/// The same, looking at the page before and after.
[[nodiscard]] ObservedStore observe_store(Region& region, std::size_t offset, std::byte value);

/// "store_one_byte + 0x4" for an address in that function, otherwise "".
[[nodiscard]] std::string function_text(std::uintptr_t instruction_pointer);

}  // namespace cow::tool
