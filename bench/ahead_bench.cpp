// libcow beside what one would use instead: fork(), MAP_PRIVATE, memcpy. As in `targets`, the two
// sides of each row take turns in one run, and what counts is the ratio of their medians. Prints a
// Markdown table.

#include "ahead_rows.hpp"
#include "comparison_program.hpp"

int main(int argc, char** argv) {
  return cow_bench::run_comparisons(argc, argv, "ahead_bench", cow_bench::ahead_groups(),
                                    10 * cow_bench::gib);
}
