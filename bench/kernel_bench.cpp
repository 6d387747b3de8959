// Regions whose stores the kernel copies, beside fork(), MAP_PRIVATE, memcpy and libcow's handler.
// As in `targets`, the two sides of each row take turns in one run, and what counts is the ratio of
// their medians. Prints a Markdown table; `--only pause` prints the one of how long stores are held
// up. Where the kernel has no such mechanism, says so and measures nothing.

#include <cstdlib>
#include <iostream>

#include "comparison_program.hpp"
#include "kernel_rows.hpp"

int main(int argc, char** argv) {
  const std::string why_not = cow_bench::why_no_kernel_mechanism();
  if (!why_not.empty()) {
    std::cout << "kernel_bench measures nothing here: " << why_not << '\n';
    return EXIT_SUCCESS;
  }
  return cow_bench::run_comparisons(argc, argv, "kernel_bench", cow_bench::kernel_groups(),
                                    4 * cow_bench::gib);
}
