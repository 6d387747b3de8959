#pragma once

// The machine that the figures belong to.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace cow_bench {

[[nodiscard]] std::size_t host_page_bytes();

/// Memory the kernel could hand out now without swapping (MemAvailable).
[[nodiscard]] std::size_t available_bytes();

/// Name and value of what a reader needs to judge the figures: processor, memory, kernel, compiler,
/// huge-page settings, mapping limit, and what else it was doing.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> describe_machine();

}  // namespace cow_bench
