#pragma once

// What textbooks claim for copy on write and against it, one function for each: it prints its
// evidence, and ends the program with exit code 1 if what it says does not hold. Counts are
// checked; times are only shown.

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace claims {

void less_memory(bool quick);
void faster_creation(bool quick);
void lazy_allocation(bool quick);
void fewer_copies(bool quick);
void fault_overhead(bool quick);
void fragmentation(bool quick);
void complexity(bool quick);
void isolation(bool quick);

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = kib * kib;

/// The ways to share that are compared, in the order of the columns.
enum class Way { handler, kernel, fork, copy };
constexpr std::array every_way = {Way::handler, Way::kernel, Way::fork, Way::copy};

/// Why libcow's second mechanism cannot be had here; empty if it can.
std::string kernel_is_missing();

/// Figures that a process of its own finds, so that nobody finds what another one left. What does
/// not hold there does not hold here.
std::vector<double> in_process(const std::function<std::vector<double>()>& find);

/// What a measurement gives for each way, in a process of its own; nothing where a way is missing.
using Figures = std::array<std::optional<std::vector<double>>, every_way.size()>;
Figures of_every_way(const std::function<std::vector<double>(Way)>& find);

inline double figure(const Figures& figures, Way way, std::size_t which) {
  return (*figures[static_cast<std::size_t>(way)])[which];
}
/// Calls `check` with the figures of libcow's mechanisms, those that there are.
void for_both_mechanisms(const Figures& figures,
                         const std::function<void(const std::vector<double>&)>& check);

/// A table with a column for each way: its head, and a row with one of the figures of each.
void print_head(const std::string& title);
void print_row(const std::string& name, const Figures& figures, std::size_t which,
               const char* format, double unit = 1);
/// A sentence or more, in lines of at most 80 columns.
void print_text(const std::string& text);

}  // namespace claims
