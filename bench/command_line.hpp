#pragma once

// The command line of a program that measures by itself: what Google Benchmark's programs know is
// ignored, so that all can be run with the same options.

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

namespace cow_bench {

class CommandLine {
 public:
  CommandLine(std::string name, std::string& json_file) : app_("", name), json_file_(json_file) {
    app_.add_option("--json", json_file, "write the results, with every sample, to FILE as well")
        ->type_name("FILE");
    app_.allow_extras();
  }

  [[nodiscard]] CLI::App& app() { return app_; }

  /// The exit status of a program that has nothing to measure: it was asked for help, or for what
  /// it does not know, or for a file that cannot be written, which is said before minutes of
  /// measuring. What is in the file stays until then.
  [[nodiscard]] std::optional<int> parse(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
      for (const std::string& extra : app_.remaining()) {
        if (!extra.starts_with("--benchmark_")) throw CLI::ExtrasError({extra});
      }
    } catch (const CLI::ParseError& error) {
      return app_.exit(error);
    }
    if (json_file_.empty() || std::ofstream(json_file_, std::ios::app)) {
      return std::nullopt;
    }
    std::cerr << app_.get_name() << ": cannot write " << json_file_ << '\n';
    return EXIT_FAILURE;
  }

 private:
  CLI::App app_;
  std::string& json_file_;
};

}  // namespace cow_bench
