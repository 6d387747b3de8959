#include "comparison_program.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

#include "command_line.hpp"
#include "comparison_report.hpp"

namespace cow_bench {

namespace {

struct Arguments {
  std::string json_file;
  std::vector<std::string> only;
};

class Program {
 public:
  Program(std::string_view name, const std::vector<NamedGroup>& groups)
      : name_(name), groups_(groups) {}

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
  Arguments arguments;
  std::vector<std::string> names;
  for (const NamedGroup& group : groups) names.emplace_back(group.name);
  CommandLine command_line(std::string(program), arguments.json_file);
  command_line.app()
      .add_option("--only", arguments.only, "measure this group only")
      ->check(CLI::IsMember(names))
      ->type_name("GROUP");
  command_line.app().footer("COW_BENCH_QUICK=1 makes everything tiny, to see that it runs.");
  if (const auto status = command_line.parse(argc, argv)) {
    return *status;
  }
  std::cerr << "touching memory, so that the host has provided it\n";
  warm_up(peak_bytes);
  return Program(program, groups).run(arguments);
}

}  // namespace cow_bench
