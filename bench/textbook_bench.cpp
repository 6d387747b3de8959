// The textbook's claims about copy on write, what it buys and what it costs, and what there is to
// each of them on this machine: a table, and a sentence that reads it. With both mechanisms, beside
// fork() and a copy made at once.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "session.hpp"
#include "textbook.hpp"
#include "textbook_report.hpp"

namespace cow_bench {
namespace {

struct Arguments {
  std::vector<std::string> names;
  std::vector<std::string> only;
  std::string json_file;
  bool list = false;
};

std::string unknown_name(const std::string& name) {
  std::string known;
  for (const TextbookClaim& claim : textbook_claims()) {
    if (claim.name == name) return {};
    known += " " + std::string(claim.name);
  }
  return "there is no claim '" + name + "'; there is:" + known;
}

void list_claims() {
  for (const TextbookClaim& claim : textbook_claims()) {
    fmt::print("{:<14} {}\n", claim.name, claim.title);
  }
}

bool is_wanted(const Arguments& arguments, std::string_view name) {
  return arguments.names.empty() ||
         std::ranges::find(arguments.names, name) != arguments.names.end();
}

Outcome measure(const TextbookClaim& claim) {
  Outcome outcome{.claim = &claim};
  const std::uint64_t start = now_ns();
  std::cerr << claim.name << " …" << std::flush;
  try {
    outcome.evidence = claim.measure();
  } catch (const std::exception& error) {
    outcome.failed = error.what();
  }
  outcome.seconds = elapsed_ns(start) * 1e-9;
  std::cerr << fmt::format(" {:.1f} s{}\n", outcome.seconds,
                           outcome.failed.empty() ? "" : ", failed");
  return outcome;
}

int run(const Arguments& arguments) {
  std::cerr << "touching memory, so that the host has provided it\n";
  warm_up(3 * gib);
  std::cout << textbook_heading() << std::flush;
  int status = EXIT_SUCCESS;
  std::vector<Outcome> outcomes;
  std::size_t number = 0;
  for (const TextbookClaim& claim : textbook_claims()) {
    ++number;
    if (!is_wanted(arguments, claim.name)) continue;
    outcomes.push_back(measure(claim));
    std::cout << as_text(outcomes.back(), number) << std::flush;
    if (!outcomes.back().failed.empty()) status = EXIT_FAILURE;
  }
  if (arguments.json_file.empty()) return status;
  std::ofstream file(arguments.json_file);
  file << as_json(outcomes) << std::flush;
  if (!file) {
    std::cerr << "textbook_bench: cannot write " << arguments.json_file << '\n';
    status = EXIT_FAILURE;
  }
  return status;
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  cow_bench::Arguments arguments;
  cow_bench::CommandLine command_line("textbook_bench", arguments.json_file);
  CLI::App& app = command_line.app();
  const CLI::Validator is_claim(cow_bench::unknown_name, "CLAIM");
  app.add_option("claims", arguments.names, "measure these claims only")->check(is_claim);
  app.add_option("--only", arguments.only, "the same")->check(is_claim)->delimiter(',');
  app.add_flag("--list", arguments.list, "say which claims there are");
  app.footer("COW_BENCH_QUICK=1 makes everything tiny, to see that it runs.");
  if (const auto status = command_line.parse(argc, argv)) return *status;
  arguments.names.insert(arguments.names.end(), arguments.only.begin(), arguments.only.end());
  if (arguments.list) {
    cow_bench::list_claims();
    return EXIT_SUCCESS;
  }
  return cow_bench::run(arguments);
}
