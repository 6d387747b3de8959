// What a run prints.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "soak/checker.hpp"
#include "soak/world.hpp"

namespace soak {

/// Names and numbers, in the order in which they are printed.
using Rows = std::vector<std::pair<std::string, std::uint64_t>>;

/// Precondition: all workers rest, since their regions are asked, too.
Rows all_figures(World& world, Workers& workers);

void print_progress(const Rows& rows, std::chrono::steady_clock::duration elapsed);
void print_table(const Rows& rows);

/// Throws std::runtime_error if the file cannot be written.
void write_json(const std::string& file, const World& world, const Rows& rows,
                std::chrono::steady_clock::duration elapsed);

}  // namespace soak
