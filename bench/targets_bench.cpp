// Measures every figure that libcow had to reach first, in one run: the two sides of each take
// turns, and what counts is the ratio of their medians. Prints a Markdown table.

#include "comparison_program.hpp"
#include "target_rows.hpp"

int main(int argc, char** argv) {
  return cow_bench::run_comparisons(argc, argv, "targets_bench", cow_bench::target_groups(),
                                    10 * cow_bench::gib);
}
