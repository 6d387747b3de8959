#include "result_program.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "command_line.hpp"
#include "comparison_report.hpp"
#include "measure/figures/check.hpp"
#include "measure/figures/result_json.hpp"

namespace cow_bench {

namespace {

namespace measure = cow::measure;

/// The rows that are measured again.
std::optional<measure::Result> baseline_of(const ResultArguments& arguments) {
  if (arguments.baseline_file.empty()) return std::nullopt;
  measure::Result baseline = measure::load(arguments.baseline_file);
  std::erase_if(baseline.rows,
                [&](const measure::Row& row) { return !arguments.wants(row.experiment); });
  return baseline;
}

int run(const ResultArguments& arguments,
        const std::function<Measured(const ResultArguments&)>& measure_all) {
  // Before minutes of measuring, as it may be no result.
  const std::optional<measure::Result> baseline = baseline_of(arguments);
  const Measured measured = measure_all(arguments);
  if (!arguments.json_file.empty()) measure::save(measured.result, arguments.json_file);
  int status = EXIT_SUCCESS;
  if (baseline) {
    const measure::Check check = measure::check(*baseline, measured.result);
    std::cout << "\nBeside " << arguments.baseline_file << ":\n\n" << as_text(check) << std::flush;
    if (check.is_too_noisy()) status = measure::exit_too_noisy;
    if (check.is_anything_slower()) status = EXIT_FAILURE;
  }
  return measured.has_failed ? EXIT_FAILURE : status;
}

}  // namespace

bool ResultArguments::wants(std::string_view name) const {
  return only.empty() || std::ranges::find(only, name) != only.end();
}

int run_result_program(int argc, char** argv, std::string_view program,
                       const std::vector<std::string>& names,
                       const std::function<Measured(const ResultArguments&)>& measure_all) {
  ResultArguments arguments;
  arguments.words = {argv + 1, argv + argc};
  bool is_list = false;
  CommandLine command_line(std::string(program), arguments.json_file);
  CLI::App& app = command_line.app();
  app.add_option("--only", arguments.only, "measure this alone; may be given again")
      ->check(CLI::IsMember(names))
      ->type_name("NAME");
  app.add_flag("--list", is_list, "print the names that --only takes");
  app.add_option("--check", arguments.baseline_file,
                 "compare with an earlier result; exit status 1 if something became slower, 3 if "
                 "the machine is too noisy to tell")
      ->type_name("BASELINE");
  app.callback([&arguments] {
    if (arguments.json_file.empty() || arguments.baseline_file.empty()) return;
    const std::string why_not =
        measure::why_not_written(arguments.baseline_file, arguments.json_file);
    if (!why_not.empty()) throw CLI::ValidationError(why_not);
  });
  app.footer("COW_BENCH_QUICK=1 makes everything tiny, to see that it runs.");
  if (const auto status = command_line.parse(argc, argv)) {
    return *status;
  }
  if (is_list) {
    for (const std::string& name : names) std::cout << name << '\n';
    return EXIT_SUCCESS;
  }
  try {
    return run(arguments, measure_all);
  } catch (const std::exception& error) {
    std::cerr << program << ": " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}

}  // namespace cow_bench
