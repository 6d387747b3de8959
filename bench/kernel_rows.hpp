#pragma once

// Regions whose stores the kernel copies (cow::Mechanism::kernel) beside what one would use
// instead, and beside those whose stores libcow's handler copies. A `Group` function measures rows
// together.

#include <cow/options.hpp>

#include <string>
#include <vector>

#include "comparison.hpp"

namespace cow_bench {

inline constexpr const char* by_kernel = "Mechanism::kernel";
inline constexpr const char* by_handler = "Mechanism::handler";

[[nodiscard]] inline cow::RegionOptions copied_by(cow::Mechanism mechanism) {
  return {.mechanism = mechanism};
}

/// Why this kernel has no Mechanism::kernel to measure, in words; empty if it has.
[[nodiscard]] std::string why_no_kernel_mechanism();

// bench/kernel_clone_rows.cpp
[[nodiscard]] Group kernel_clone_against_fork();
[[nodiscard]] Group kernel_store_against_fork();
[[nodiscard]] Group kernel_lazy_against_better();

// bench/kernel_crowd_rows.cpp
[[nodiscard]] Group kernel_crowd();

// bench/kernel_round_rows.cpp
[[nodiscard]] Group kernel_rounds_against_fork();
[[nodiscard]] Group kernel_rounds_against_handler();

// bench/kernel_rollback_rows.cpp
[[nodiscard]] Group kernel_rollbacks();

// bench/kernel_private_rows.cpp
[[nodiscard]] Group kernel_private_pages();
[[nodiscard]] Group kernel_first_touch();

// bench/kernel_pause_rows.cpp
[[nodiscard]] Group kernel_pauses();

// bench/kernel_program_rows.cpp
[[nodiscard]] Group kernel_requests();
[[nodiscard]] Group kernel_game();

// bench/kernel_table_rows.cpp
[[nodiscard]] Group kernel_table();

[[nodiscard]] const std::vector<NamedGroup>& kernel_groups();

}  // namespace cow_bench
