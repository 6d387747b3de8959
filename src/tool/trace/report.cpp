#include "tool/trace/report.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "measure/shortened.hpp"
#include "tool/json_file.hpp"
#include "tool/json_input.hpp"
#include "tool/page.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"
#include "tool/trace/perfetto.hpp"
#include "tool/trace/summary_text.hpp"
#include "tool/trace/trace_file.hpp"
#include "tool/trace/trace_json.hpp"
#include "tool/trace/trace_summary.hpp"

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

/// A file for one of the exports, or stdout.
class Output {
 public:
  Output(const std::string& path, const std::string& option) {
    if (path != "-") file_.emplace(path, option);
  }

  void write(const std::string& text) const {
    if (file_.has_value()) {
      file_->write_text(text);
      return;
    }
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
    throw ToolError(fmt::format("the output cannot be written ({}); make room or send it elsewhere",
                                std::strerror(errno)));
  }

 private:
  std::optional<JsonFile> file_;
};

std::optional<Output> output(const std::optional<std::string>& path, const std::string& option) {
  if (!path.has_value()) return std::nullopt;
  return Output(*path, option);
}

// Whether the file is a result of cow rather than a trace. Throws ToolError if -o can do nothing
// with it.
bool report_recorded_json(const std::string& path, const TraceReportOptions& options) {
  if (is_trace(path)) return false;
  const std::optional<Json> json = read_json_object(path);
  if (!json.has_value() || text_in(*json, "program") != "cow") return false;
  const std::string command = text_in(*json, "command");
  const bool can_be_replayed = (command == "demo" && json->contains("chapters")) ||
                               (command == "trace" && json->contains("events"));
  if (!can_be_replayed) {
    throw ToolError(fmt::format("'{}' is a result of cow {}, which cannot be replayed; give a "
                                "trace, or what cow demo CHAPTER --json FILE wrote",
                                measure::shortened(path), printable(command)));
  }
  if (!options.page.has_value() || options.json.has_value() || options.perfetto.has_value()) {
    throw ToolError(fmt::format("'{}' is what cow {} recorded, of which a page can be made and "
                                "nothing else; give -o OUT.html alone",
                                measure::shortened(path), command),
                    exit_usage);
  }
  write_page(*json, *options.page, "-o");
  return true;
}

void print_report(Screen& screen, const TraceFile& trace) {
  const TraceSummary summary = summarize(trace);
  screen.title(printable(trace.path));
  screen.fact("recorded",
              fmt::format("{} on {}, Linux {}, libcow {}", utc_text(trace.header.started_utc_ns),
                          architecture_text(trace.header.architecture), printable(trace.kernel),
                          printable(trace.library)));
  print_summary(screen, trace, summary);
  print_details(screen, summary);
}

void print_ways_on(Screen& screen) {
  screen.blank();
  screen.text(3,
              "More: -o OUT.html replays it in a browser, step by step; --perfetto OUT.json opens "
              "in ui.perfetto.dev; --json OUT.json has every event and what it did.");
}

void check(const TraceReportOptions& options) {
  const int outputs = int{options.page.has_value()} + int{options.json.has_value()} +
                      int{options.perfetto.has_value()};
  if (outputs > 0 && options.files.size() > 1) {
    throw ToolError("-o, --json and --perfetto take one trace at a time; give them one FILE",
                    exit_usage);
  }
  if (options.json == "-" && options.perfetto == "-") {
    throw ToolError("--json and --perfetto cannot both go to the output; give one of them a file",
                    exit_usage);
  }
}

// A trace that is written over is lost, and so is the first of two results.
void check_outputs(const std::string& path, const TraceReportOptions& options) {
  std::vector<std::string> files = {path};
  for (const auto& output : {options.page, options.json, options.perfetto}) {
    if (!output.has_value() || output == "-") continue;
    for (const std::string& file : files) {
      std::error_code ignored;
      if (file != *output && !std::filesystem::equivalent(file, *output, ignored)) continue;
      throw ToolError(
          fmt::format("'{}' and '{}' are the same file; give each result one of its own",
                      printable(file), printable(*output)),
          exit_usage);
    }
    files.push_back(*output);
  }
}

void report_one(const std::string& path, const TraceReportOptions& options) {
  check_outputs(path, options);
  if (report_recorded_json(path, options)) return;
  // Whether they can be written is said before the work.
  const std::optional<Output> json = output(options.json, "--json");
  const std::optional<Output> perfetto = output(options.perfetto, "--perfetto");
  std::optional<PageFile> page;
  if (options.page.has_value()) page.emplace(*options.page, "-o");
  const TraceFile trace = read_trace(path);
  if (perfetto.has_value()) perfetto->write(perfetto_json(trace));
  if (json.has_value() || page.has_value()) {
    const Json document = trace_json(trace);
    if (json.has_value()) json->write(one_line(document) + "\n");
    if (page.has_value()) page->write(document);
  }
  if (json.has_value() || perfetto.has_value() || options.page.has_value()) return;
  Screen screen(stdout, wants_color(ColorChoice::automatic, stdout), Terminal::of(stdout));
  print_report(screen, trace);
  if (path == options.files.back()) print_ways_on(screen);
  screen.flush();
}

}  // namespace

int report_traces(const TraceReportOptions& options) {
  check(options);
  try {
    for (const std::string& path : options.files) report_one(path, options);
  } catch (const Screen::Stopped&) {
    return exit_success;  // whoever watches has seen enough
  }
  return exit_success;
}

}  // namespace cow::tool
