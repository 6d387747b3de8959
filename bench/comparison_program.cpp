#include "comparison_program.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

#include "comparison_report.hpp"

namespace cow_bench {

namespace {

struct Arguments {
  bool help = false;
  std::string json_file;
  std::vector<std::string_view> only;
};

class Program {
 public:
  Program(std::string_view name, const std::vector<NamedGroup>& groups)
      : name_(name), groups_(groups) {}

  void print_usage(std::ostream& out) const {
    out << "usage: " << name_
        << " [--json FILE] [--only GROUP]...\n"
           "\n"
           "  --json FILE    write the results, with every sample, to FILE as well\n"
           "  --only GROUP   measure this group only\n"
           "\n"
           "COW_BENCH_QUICK=1 makes everything tiny, to see that it runs.\n"
           "Options that begin with --benchmark_ are for the other programs and ignored here.\n"
           "groups:";
    for (const NamedGroup& group : groups_) {
      out << ' ' << group.name;
    }
    out << '\n';
  }

  /// Nothing if the arguments make no sense.
  [[nodiscard]] std::optional<Arguments> parse(int argc, char** argv) const {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
      const std::string_view argument = argv[i];
      if (argument == "--help") {
        arguments.help = true;
      } else if (const auto file = value_of("--json", i, argc, argv)) {
        arguments.json_file = *file;
      } else if (const auto group = value_of("--only", i, argc, argv)) {
        if (!is_group(*group)) {
          std::cerr << name_ << ": there is no group '" << *group << "'\n";
          return std::nullopt;
        }
        arguments.only.push_back(*group);
      } else if (!argument.starts_with("--benchmark_")) {
        std::cerr << name_ << ": what is '" << argument << "'?\n";
        return std::nullopt;
      }
    }
    return arguments;
  }

  [[nodiscard]] int run(const Arguments& arguments) const {
    int status = EXIT_SUCCESS;
    std::vector<Group> measured;
    for (const NamedGroup& group : groups_) {
      if (!wanted(arguments, group.name)) {
        continue;
      }
      const std::uint64_t start = now_ns();
      std::cerr << group.name << " …" << std::flush;
      try {
        measured.push_back(group.measure());
        std::cerr << ' ' << elapsed_ns(start) * 1e-9 << " s, ratios:";
        for (const Row& row : measured.back().rows) {
          if (row.left_out.empty()) {
            std::cerr << ' ' << row.ratio();
          } else {
            std::cerr << " left out";
          }
        }
        std::cerr << '\n';
      } catch (const std::exception& error) {
        std::cerr << " failed: " << error.what() << '\n';
        status = EXIT_FAILURE;
      }
    }
    std::cout << as_markdown(measured) << std::flush;
    if (!arguments.json_file.empty()) {
      std::ofstream file(arguments.json_file);
      file << as_json(measured) << std::flush;
      if (!file) {
        std::cerr << name_ << ": cannot write " << arguments.json_file << '\n';
        status = EXIT_FAILURE;
      }
    }
    return status;
  }

 private:
  /// The value of the option at `i`, as `--name VALUE` or `--name=VALUE`; moves `i` past it.
  static std::optional<std::string_view> value_of(std::string_view name, int& i, int argc,
                                                  char** argv) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(name) && argument.substr(name.size()).starts_with('=')) {
      return argument.substr(name.size() + 1);
    }
    if (argument == name && i + 1 < argc) {
      return argv[++i];
    }
    return std::nullopt;
  }

  [[nodiscard]] bool is_group(std::string_view name) const {
    return std::ranges::any_of(groups_,
                               [&](const NamedGroup& group) { return group.name == name; });
  }

  static bool wanted(const Arguments& arguments, std::string_view name) {
    return arguments.only.empty() ||
           std::ranges::find(arguments.only, name) != arguments.only.end();
  }

  std::string_view name_;
  const std::vector<NamedGroup>& groups_;
};

}  // namespace

int run_comparisons(int argc, char** argv, std::string_view program,
                    const std::vector<NamedGroup>& groups, std::size_t peak_bytes) {
  const Program itself(program, groups);
  const auto arguments = itself.parse(argc, argv);
  if (!arguments) {
    itself.print_usage(std::cerr);
    return EXIT_FAILURE;
  }
  if (arguments->help) {
    itself.print_usage(std::cout);
    return EXIT_SUCCESS;
  }
  // Said before minutes of measuring; what is in the file stays until then.
  if (!arguments->json_file.empty() && !std::ofstream(arguments->json_file, std::ios::app)) {
    std::cerr << program << ": cannot write " << arguments->json_file << '\n';
    return EXIT_FAILURE;
  }
  std::cerr << "touching memory, so that the host has provided it\n";
  warm_up(peak_bytes);
  return itself.run(*arguments);
}

}  // namespace cow_bench
