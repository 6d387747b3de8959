#include "tool/trace/trace_command.hpp"

#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "tool/child/program_run.hpp"
#include "tool/json_file.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"
#include "tool/trace/summary_text.hpp"
#include "tool/trace/trace_file.hpp"
#include "tool/trace/trace_summary.hpp"

namespace cow::tool {
namespace {

namespace fs = std::filesystem;

// That libcow makes room for if it is not told otherwise.
constexpr std::uint64_t usual_events = 65'536;

std::string default_file(const std::string& program) {
  return fs::path(program).filename().string() + ".cowtrace";
}

void check_room(const std::string& file, std::uint64_t events) {
  const fs::path folder = fs::absolute(file).parent_path();
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  const std::uint64_t wanted = trace::kHeaderBytes + events * sizeof(trace::Event);
  if (error || space.available >= wanted) return;
  throw ToolError(fmt::format("'{}' would take {}, and there are {} left in its file system; give "
                              "-o a file elsewhere, or --events a smaller number",
                              printable(file), bytes_text(wanted), bytes_text(space.available)));
}

// libcow puts the process's number where %p stands.
std::string escaped(const std::string& file) {
  std::string text;
  for (const char character : file) text += character == '%' ? "%%" : std::string(1, character);
  return text;
}

// What is there must be a trace: anything else may be dear to somebody.
void check_file(const std::string& file) {
  const JsonFile trial(file, "-o");  // whether a file can be made there
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (!fs::exists(status) || is_trace(file)) return;
  if (fs::is_regular_file(status) && fs::file_size(file, error) == 0) return;
  throw ToolError(fmt::format("'{}' is there and is no trace; it is left alone: give -o another "
                              "file, or remove it",
                              printable(file)));
}

/// Which file has this name: a trace replaces the one before by a new file.
using FileNumber = std::pair<dev_t, ino_t>;

std::optional<FileNumber> number_of(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  return FileNumber(status.st_dev, status.st_ino);
}

void say_end(const std::string& program, const ProgramEnd& end) {
  if (end.signal == 0) return;
  say_on_stderr(
      fmt::format("signal {} ({}) ended '{}'", end.signal, end.signal_name, printable(program)));
}

void say_no_trace(const std::string& program) {
  say_on_stderr(fmt::format(
      "'{}' made no trace: it makes no region, or is not linked to libcow, or to one that is too "
      "old to record, or is set-user-ID, or left its work to a process that goes on",
      printable(program)));
}

void say_summary(const TraceOptions& options, const std::string& file) {
  const TraceFile trace = read_trace(file);
  const TraceSummary summary = summarize(trace);
  Screen screen(stderr, false, Terminal());
  screen.line("cow: '{}' is recorded in '{}'", printable(options.command.front()), printable(file));
  print_summary(screen, trace, summary);
  screen.fact("next", fmt::format("cow report {}", printable(file)));
  screen.flush();
}

}  // namespace

int run_trace(const TraceOptions& options) {
  const std::string& program = options.command.front();
  const std::string file = options.file.value_or(default_file(program));
  check_file(file);
  check_room(file, options.events.value_or(usual_events));
  // The program may change its directory.
  std::vector<std::pair<std::string, std::string>> variables = {
      {"COW_TRACE", escaped(fs::absolute(file).string())}};
  if (options.events.has_value()) {
    variables.emplace_back("COW_TRACE_EVENTS", std::to_string(*options.events));
  }
  variables.emplace_back("COW_TRACE_WINDOWS", options.has_windows ? "on" : "off");
  const std::optional<FileNumber> before = number_of(file);
  const ProgramEnd end = run_program(options.command, variables);
  say_end(program, end);
  if (number_of(file) == before || !is_trace(file)) {
    say_no_trace(program);
    return end.status;
  }
  // What it returned counts more than what cannot be read.
  try {
    say_summary(options, file);
  } catch (const std::exception& error) {
    say_on_stderr(error.what());
  } catch (const Screen::Stopped&) {
    return end.status;  // whoever watches has seen enough
  }
  return end.status;
}

}  // namespace cow::tool
