#include "tool/bench/command_line.hpp"

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "measure/shortened.hpp"
#include "tool/bench/bench_command.hpp"
#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

std::string seed_fault(const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc{} && last == end) return "";
  return fmt::format("'{}' is no seed: give a whole number from 0 to {}", measure::shortened(text),
                     std::numeric_limits<std::uint64_t>::max());
}

}  // namespace

void add_bench(CLI::App& app, const std::vector<std::string>& arguments, int& exit_code) {
  static BenchOptions options;
  if (arguments.size() > 1) options.arguments.assign(arguments.begin() + 1, arguments.end());
  CLI::App* bench = app.add_subcommand(
      "bench", "Measure libcow beside other ways to copy memory, on this machine, in a minute");
  bench->add_flag("--list", options.lists, "Print the experiments and the mechanisms");
  bench->add_option("--only", options.experiments, "Only these experiments: --only clone,share")
      ->type_name("NAME,...")
      ->delimiter(',');
  bench->add_option("--mechanisms", options.mechanisms, "Only these mechanisms")
      ->type_name("NAME,...")
      ->delimiter(',');
  bench->add_flag("--full", options.is_full, "Larger sizes and more turns: about ten minutes");
  bench
      ->add_option("--trace", options.trace,
                   "Replay the page writes of this trace, which cow trace recorded")
      ->type_name("FILE");
  bench
      ->add_option(
          "--json", options.json,
          "Also write the results, with every sample, to FILE (-: the output; the tables then "
          "go to stderr)")
      ->type_name("FILE");
  bench
      ->add_option("--check", options.baseline,
                   "Compare with an earlier result; exit status 1 if something became slower, 3 if "
                   "the machine is too noisy to tell")
      ->type_name("BASELINE");
  bench
      ->add_option("--seed", options.seed,
                   "The order of turns, which is another one each time; a result has its seed")
      ->type_name("N")
      ->check(seed_fault);
  bench->add_flag("--quiet", options.is_quiet, "No progress and no tables");
  bench->footer(
      "Ctrl-C ends it early, and keeps what was measured; a second one ends it at once.\n"
      "The exit status is 1 if a row failed, or became slower (--check), and 130 if stopped.\n"
      "COW_BENCH_QUICK=1 in the environment: a few seconds, to see that it runs.");
  bench->callback([&exit_code] { exit_code = run_bench(options); });
}

}  // namespace cow::tool
