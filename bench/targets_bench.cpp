// Measures every figure that libcow has to reach, in one run: the two sides of each take turns, and
// what counts is the ratio of their medians. Prints a Markdown table. Measures only: a figure that
// is not reached does not make it fail.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session.hpp"
#include "target_report.hpp"
#include "target_rows.hpp"

namespace cow_bench {
namespace {

constexpr std::string_view usage =
    "usage: targets_bench [--json FILE] [--only GROUP]...\n"
    "\n"
    "  --json FILE    write the results, with every sample, to FILE as well\n"
    "  --only GROUP   measure this group only\n"
    "\n"
    "COW_BENCH_QUICK=1 makes everything tiny, to see that it runs.\n"
    "Options that begin with --benchmark_ are for the other programs and ignored here.\n"
    "groups:";

struct Arguments {
  std::string json_file;
  std::vector<std::string_view> only;
};

void print_usage(std::ostream& out) {
  out << usage;
  for (const NamedGroup& group : every_group()) {
    out << ' ' << group.name;
  }
  out << '\n';
}

/// The value of the option at `i`, as `--name VALUE` or `--name=VALUE`; moves `i` past it.
std::optional<std::string_view> value_of(std::string_view name, int& i, int argc, char** argv) {
  const std::string_view argument = argv[i];
  if (argument.starts_with(name) && argument.substr(name.size()).starts_with('=')) {
    return argument.substr(name.size() + 1);
  }
  if (argument == name && i + 1 < argc) {
    return argv[++i];
  }
  return std::nullopt;
}

bool is_group(std::string_view name) {
  for (const NamedGroup& group : every_group()) {
    if (group.name == name) {
      return true;
    }
  }
  return false;
}

/// Nothing if the arguments make no sense.
std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (const auto file = value_of("--json", i, argc, argv)) {
      arguments.json_file = *file;
    } else if (const auto group = value_of("--only", i, argc, argv)) {
      if (!is_group(*group)) {
        std::cerr << "targets_bench: there is no group '" << *group << "'\n";
        return std::nullopt;
      }
      arguments.only.push_back(*group);
    } else if (!argument.starts_with("--benchmark_")) {
      std::cerr << "targets_bench: what is '" << argument << "'?\n";
      return std::nullopt;
    }
  }
  return arguments;
}

bool wanted(const Arguments& arguments, std::string_view name) {
  for (const std::string_view only : arguments.only) {
    if (only == name) {
      return true;
    }
  }
  return arguments.only.empty();
}

int run(const Arguments& arguments) {
  std::cerr << "touching memory, so that the host has provided it\n";
  warm_up(10 * gib);
  int status = EXIT_SUCCESS;
  std::vector<Group> groups;
  for (const NamedGroup& group : every_group()) {
    if (!wanted(arguments, group.name)) {
      continue;
    }
    const std::uint64_t start = now_ns();
    std::cerr << group.name << " …" << std::flush;
    try {
      groups.push_back(group.measure());
      std::cerr << ' ' << elapsed_ns(start) * 1e-9 << " s, ratios:";
      for (const Row& row : groups.back().rows) {
        std::cerr << ' ' << row.ratio();
      }
      std::cerr << '\n';
    } catch (const std::exception& error) {
      std::cerr << " failed: " << error.what() << '\n';
      status = EXIT_FAILURE;
    }
  }
  std::cout << as_markdown(groups) << std::flush;
  if (!arguments.json_file.empty()) {
    std::ofstream file(arguments.json_file);
    file << as_json(groups) << std::flush;
    if (!file) {
      std::cerr << "targets_bench: cannot write " << arguments.json_file << '\n';
      status = EXIT_FAILURE;
    }
  }
  return status;
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") == 0) {
      cow_bench::print_usage(std::cout);
      return EXIT_SUCCESS;
    }
  }
  const auto arguments = cow_bench::parse(argc, argv);
  if (!arguments) {
    cow_bench::print_usage(std::cerr);
    return EXIT_FAILURE;
  }
  return cow_bench::run(*arguments);
}
