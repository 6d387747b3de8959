#include "comparison_program.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iostream>
#include <iterator>
#include <string>

#include "comparison_report.hpp"
#include "comparison_result.hpp"
#include "measure/figures/result_json.hpp"
#include "result_program.hpp"

namespace cow_bench {

namespace {

namespace measure = cow::measure;

class Run {
 public:
  Run(std::string_view program, const ResultArguments& arguments) : arguments_(arguments) {
    measured_.result = new_result(program, arguments.words);
  }

  /// The file after each group: what was measured before somebody ends the program is kept.
  [[nodiscard]] Measured all(const std::vector<NamedGroup>& groups) {
    const std::uint64_t start = now_ns();
    for (const NamedGroup& group : groups) {
      if (!arguments_.wants(group.name)) continue;
      measure_one(group);
      measured_.result.duration_s = elapsed_ns(start) * 1e-9;
      if (!arguments_.json_file.empty()) {
        measure::save(measured_.result, arguments_.json_file);
      }
    }
    measured_.result.is_complete = true;
    std::cout << as_markdown(groups_, measured_.result.warnings) << std::flush;
    return measured_;
  }

 private:
  void measure_one(const NamedGroup& group) {
    const std::uint64_t start = now_ns();
    std::cerr << group.name << " …" << std::flush;
    std::vector<measure::Row> rows;
    try {
      groups_.push_back(group.measure());
      rows = as_rows(group.name, groups_.back());
      std::cerr << ' ' << elapsed_ns(start) * 1e-9 << " s\n";
    } catch (const std::exception& error) {
      std::cerr << " failed: " << error.what() << '\n';
      rows = {failed_row(group.name, error.what())};
      measured_.has_failed = true;
    }
    std::ranges::move(rows, std::back_inserter(measured_.result.rows));
  }

  const ResultArguments& arguments_;
  Measured measured_;
  std::vector<Group> groups_;
};

}  // namespace

int run_comparisons(int argc, char** argv, std::string_view program,
                    const std::vector<NamedGroup>& groups, std::size_t peak_bytes) {
  std::vector<std::string> names;
  for (const NamedGroup& group : groups) names.emplace_back(group.name);
  return run_result_program(argc, argv, program, names, [&](const ResultArguments& arguments) {
    Run run(program, arguments);
    std::cerr << "touching memory, so that the host has provided it\n";
    warm_up(peak_bytes);
    return run.all(groups);
  });
}

}  // namespace cow_bench
