// The list of tests, and the measurements of the report.
#pragma once

#include <vector>

namespace grader {

struct Test {
  const char* claim;
  void (*run)();  // returns if the claim is true
};

std::vector<Test> single_thread_tests();
std::vector<Test> company_tests();  // threads, fork, and what is left behind

struct Measurement {
  const char* what;
  unsigned best_copies, best_mappings;
  void (*run)();  // leaves copies and mappings in the verdict's results
};
std::vector<Measurement> measurements();

}  // namespace grader
