#include "tool/trace/command_line.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"
#include "tool/trace/trace_command.hpp"
#include "tool/trace/trace_file.hpp"

namespace cow::tool {
namespace {

// Where "--" was forgotten: the first word that is no option of `cow trace`, nor an option's value.
std::optional<std::size_t> place_of_program(const std::vector<std::string>& arguments) {
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    if (arguments[i] == "--windows") ++i;  // has no value
    if (i == arguments.size()) return std::nullopt;
    if (!arguments[i].starts_with("-")) return i;
    if (arguments[i] != "-o" && arguments[i] != "--events") return std::nullopt;
  }
  return std::nullopt;
}

[[noreturn]] void refuse_without_separator(const std::vector<std::string>& words) {
  throw ToolError(fmt::format("the program stands behind --; say cow trace -- {}",
                              printable(fmt::format("{}", fmt::join(words, " ")))),
                  exit_usage);
}

}  // namespace

std::vector<std::string> take_command(std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front() != "trace") return {};
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  if (separator == arguments.end()) {
    const std::optional<std::size_t> program = place_of_program(arguments);
    if (!program.has_value()) return {};
    refuse_without_separator(
        {arguments.begin() + static_cast<std::ptrdiff_t>(*program), arguments.end()});
  }
  std::vector<std::string> command(separator + 1, arguments.end());
  arguments.erase(separator, arguments.end());
  return command;
}

void add_trace(CLI::App& app, const std::vector<std::string>& command, int& exit_code) {
  static TraceOptions options;
  static std::vector<std::string> behind;  // for the help: they are taken before
  options.command = command;
  CLI::App* trace = app.add_subcommand(
      "trace", "Run a program and record what libcow does in it: cow trace -- PROGRAM ARG...");
  trace
      ->add_option("-o", options.file,
                   "The trace (default: the program's name and .cowtrace, in this folder)")
      ->type_name("FILE");
  trace
      ->add_option("--events", options.events,
                   "Room for N events (default: 65536); what comes later is counted, not kept")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, most_trace_events));
  trace->add_flag("--windows", options.has_windows,
                  "Let faults copy neighbours along, as without a trace: fewer faults and events, "
                  "and not every page that was copied was stored to");
  trace->add_option("PROGRAM", behind, "Behind --: the program to run, and its arguments");
  trace->footer(
      "The program's input, output and exit code are its own; what was recorded is said in a\n"
      "few lines on the error output. cow report FILE reads the trace.");
  trace->callback([&exit_code] {
    if (!behind.empty()) refuse_without_separator(behind);
    if (options.command.empty()) {
      throw ToolError("no program is given; say cow trace -- PROGRAM ARG...", exit_usage);
    }
    exit_code = run_trace(options);
  });
}

}  // namespace cow::tool
