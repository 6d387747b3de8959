#include "tool/report/report.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "measure/host/process_start.hpp"
#include "measure/shortened.hpp"
#include "tool/json_input.hpp"
#include "tool/page.hpp"
#include "tool/quantity.hpp"
#include "tool/report/document.hpp"
#include "tool/report/figures.hpp"
#include "tool/report/pictures.hpp"
#include "tool/report/result_text.hpp"
#include "tool/report/trace_heat.hpp"
#include "tool/tool_error.hpp"
#include "tool/trace/report.hpp"
#include "tool/trace/trace_file.hpp"
#include "tool/trace/trace_json.hpp"

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

// More have no letters.
constexpr std::size_t most_results = 26;

/// The files, by what is in them.
struct Inputs {
  std::vector<ResultFile> results;
  std::vector<std::string> others;  ///< traces, and what only their report can say no to
};

bool looks_like_a_result(const Json& json) {
  return json.contains("context") && json.contains("benchmarks");
}

Inputs read_inputs(const std::vector<std::string>& files) {
  Inputs inputs;
  for (const std::string& path : files) {
    std::error_code ignored;
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
      throw ToolError(fmt::format("'{}' does not exist; cow bench --json FILE writes a result, and "
                                  "cow trace PROGRAM a trace",
                                  printable(path)));
    }
    std::optional<Json> json;
    if (begins_as_json(path) && !is_trace(path)) json = read_json_object(path);
    if (json.has_value() && looks_like_a_result(*json)) {
      inputs.results.push_back(result_file(path, std::move(*json)));
    } else {
      inputs.others.push_back(path);
    }
  }
  return inputs;
}

// What is JSON as far as it goes was one of ours, most likely, before something happened to it.
void refuse_damaged(const std::vector<std::string>& files) {
  for (const std::string& path : files) {
    if (!begins_as_json(path) || is_trace(path) || read_json_object(path).has_value()) continue;
    throw ToolError(fmt::format(
        "'{}' is not a trace, nor a whole result: it begins as JSON and is cut off or damaged; "
        "write it anew",
        measure::shortened(path)));
  }
}

[[noreturn]] void refuse_usage(const std::string& sentence) {
  throw ToolError(sentence, exit_usage);
}

void check_options_for_traces(const ReportOptions& options) {
  if (!options.figures.has_value() && !options.is_markdown) return;
  // A file that is no trace either has a sentence of its own.
  for (const std::string& path : options.files) static_cast<void>(read_trace(path));
  refuse_usage(fmt::format("{} is of results of cow bench, and none is given",
                           options.is_markdown ? "--markdown" : "--figures"));
}

void check_options_for_results(const ReportOptions& options, const Inputs& inputs) {
  if (options.json.has_value() || options.perfetto.has_value()) {
    refuse_usage(fmt::format("{} is of a trace alone; of results give -o, --figures or --markdown",
                             options.json.has_value() ? "--json" : "--perfetto"));
  }
  if (inputs.results.size() > most_results) {
    refuse_usage(
        fmt::format("these are {} results; give at most {}", inputs.results.size(), most_results));
  }
  if (!inputs.others.empty() && options.is_markdown) {
    refuse_usage(fmt::format("--markdown is of results alone; '{}' is none",
                             measure::shortened(inputs.others.front())));
  }
}

// A result that is written over by its report is lost.
void check_output(const std::string& output, const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    std::error_code ignored;
    if (file != output && !std::filesystem::equivalent(file, output, ignored)) continue;
    refuse_usage(fmt::format("'{}' and '{}' are the same file; write the report elsewhere",
                             measure::shortened(file), measure::shortened(output)));
  }
}

std::vector<Picture> pictures_with_traces(const Inputs& inputs) {
  std::vector<Picture> pictures = pictures_of(inputs.results);
  for (std::size_t i = 0; i < inputs.others.size(); ++i) {
    const std::string& path = inputs.others[i];
    std::optional<Picture> heat = trace_heat(trace_json(read_trace(path)), path);
    if (!heat.has_value()) {
      throw ToolError(fmt::format("'{}' has no fault that copied a page, so that there is nothing "
                                  "to draw of it; leave it out",
                                  measure::shortened(path)));
    }
    heat->id += fmt::format("-{}", i + 1);
    pictures.push_back(std::move(*heat));
  }
  return pictures;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw ToolError(fmt::format("the output cannot be written ({}); make room or send it elsewhere",
                              std::strerror(errno)));
}

void report_results(const Inputs& inputs, const ReportOptions& options) {
  check_options_for_results(options, inputs);
  std::optional<PageFile> page;
  if (options.page.has_value()) {
    check_output(*options.page, options.files);
    page.emplace(*options.page, "-o");
  }
  if (page.has_value() || options.figures.has_value()) {
    const std::vector<Picture> pictures = pictures_with_traces(inputs);
    if (options.figures.has_value()) {
      for (const Picture& picture : pictures) {
        check_output(figure_path(*options.figures, picture), options.files);
      }
      write_figures(pictures, *options.figures);
    }
    if (page.has_value()) page->write(document_of(inputs.results, pictures));
  }
  if (options.is_markdown) print(markdown_of(inputs.results));
  if (page.has_value() || options.figures.has_value() || options.is_markdown) return;
  Screen screen(stdout, wants_color(ColorChoice::automatic, stdout), Terminal::of(stdout));
  print_results(screen, inputs.results);
  screen.flush();
  if (inputs.others.empty()) return;
  static_cast<void>(
      report_traces({.files = inputs.others, .page = {}, .json = {}, .perfetto = {}}));
}

}  // namespace

int run_report(const ReportOptions& options) {
  const measure::FileSizeErrors errors;
  Inputs inputs = read_inputs(options.files);
  if (inputs.results.empty()) {
    refuse_damaged(inputs.others);
    check_options_for_traces(options);
    return report_traces({options.files, options.page, options.json, options.perfetto});
  }
  refuse_damaged(inputs.others);
  set_labels(inputs.results);
  try {
    report_results(inputs, options);
  } catch (const Screen::Stopped&) {
    return exit_success;  // whoever watches has seen enough
  }
  return exit_success;
}

}  // namespace cow::tool
