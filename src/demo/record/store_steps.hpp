#pragma once

// The steps of one store that faults, made of what was seen before and after it and of the fault's
// record.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "demo/record/instruction.hpp"
#include "demo/record/recorder.hpp"

namespace cow::demo {

/// A byte of each region and snapshot at the same offset.
using NamedBytes = std::vector<std::pair<std::string, std::byte>>;

struct StoreStory {
  StoreTelling telling;
  std::size_t offset = 0;  ///< of the byte, in the region
  std::size_t page_bytes = 0;
  std::uintptr_t address = 0;
  std::byte value{};
  long thread = 0;
  std::optional<Instruction> instruction = {};
  Step before;  ///< the state alone
  Step after;   ///< the state alone
  NamedBytes bytes_before;
  NamedBytes bytes_after;
  tool::TimedStore timed;
  tool::StepTimes times;
};

[[nodiscard]] Step step_before(const StoreStory& story);
[[nodiscard]] Step step_instruction(const StoreStory& story);
/// From the fault to the end.
[[nodiscard]] std::vector<Step> steps_of_the_fault(const StoreStory& story);
/// All of it in one.
[[nodiscard]] Step step_at_once(const StoreStory& story);

/// The page that `step` marks, or null where it is not among those shown.
[[nodiscard]] const PageView* marked_page(const Step& step);

[[nodiscard]] NamedBytes bytes_at(Scene& scene, std::size_t offset);

/// As the kernel numbers threads.
[[nodiscard]] long current_thread();

/// Where the instruction is that `tool::store_one_byte` stores with: found once, by the fault of
/// such a store to a region made for it.
[[nodiscard]] std::uintptr_t store_instruction();

}  // namespace cow::demo
