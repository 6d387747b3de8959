// The program `cow`. Each subcommand adds itself to the command line here and has its own files.

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "demo/show.hpp"
#include "measure/host/process_start.hpp"
#include "tool/bench/command_line.hpp"
#include "tool/demo.hpp"
#include "tool/doctor/doctor.hpp"
#include "tool/report/command_line.hpp"
#include "tool/suggestion.hpp"
#include "tool/tool_error.hpp"
#include "tool/trace/command_line.hpp"
#include "tool/version_text.hpp"

namespace {

using namespace cow::tool;

struct DemoCommand {
  DemoOptions text;  ///< the demo as text
  cow::demo::ShowOptions show;
  std::optional<std::string> html;
  bool lists = false;
};

void add_demo_text_options(CLI::App& demo, DemoCommand& command) {
  static const std::map<std::string, ColorChoice> colors = {{"auto", ColorChoice::automatic},
                                                            {"always", ColorChoice::always},
                                                            {"never", ColorChoice::never}};
  demo.add_option("--file", command.text.file,
                  "The file to clone (default: a large one of this system, or letters)")
      ->type_name("FILE");
  demo.add_option("--page", command.text.page,
                  "The page to store to, counted from 0 (default: the middle one)")
      ->type_name("N")
      ->check([](const std::string& text) {
        const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
        return digits && text.size() < 19 ? "" : "'" + text + "' is not the number of a page";
      });
  demo.add_option("--size", command.text.size_bytes,
                  "The region's size, such as 64K or 10M: that much of the content, repeated where "
                  "it has less (at most 256M; default: the content's)")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::size_t{1}, max_input_bytes));
  demo.add_option("--json", command.text.json,
                  "Also write the results, or a chapter's steps, to FILE")
      ->type_name("FILE");
  demo.add_option_function<std::string>(
          "--color", [&](const std::string& when) { command.text.color = colors.at(when); },
          "auto (default: on a terminal, unless NO_COLOR is set), always or never")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}));
}

int run_demo_command(DemoCommand& command) {
  const cow::measure::FileSizeErrors errors;
  if (command.lists) {
    cow::demo::list_chapters();
    return exit_success;
  }
  cow::demo::ShowOptions& show = command.show;
  show.file = command.text.file;
  show.json = command.text.json;
  show.html = command.html;
  show.page = command.text.page;
  show.size_bytes = command.text.size_bytes;
  show.color = command.text.color;
  show.goes_on_by_itself = command.text.goes_on_by_itself;
  if (show.html.has_value()) {
    if (wants_folder_of_pages(show) && show.json.has_value()) {
      throw ToolError(
          "a folder of pages has no one recording for --json; name a chapter and a file",
          exit_usage);
    }
    return run_show(show);
  }
  // The results of the whole demo are those of its text.
  if (show.json.has_value() && !show.chapter.has_value()) show.plain = true;
  if (show.chapter.has_value() || wants_full_screen(show)) return run_show(show);
  return run_demo(command.text);
}

// Sets `exit_code` when the subcommand was chosen and has run.
void add_demo(CLI::App& app, int& exit_code) {
  static DemoCommand command;
  CLI::App* demo = app.add_subcommand(
      "demo", "Watch copy-on-write happen, step by step: in chapters on a full screen, or as text");
  demo->add_option("CHAPTER", command.show.chapter, "One chapter (default: a menu of them)");
  demo->add_flag("--list", command.lists, "Print the chapters");
  demo->add_flag("--plain", command.show.plain, "Text, also on a terminal");
  add_demo_text_options(*demo, command);
  demo->add_option("--html", command.html,
                   "Also write a page that replays the steps to FILE; or a page of each chapter to "
                   "FOLDER/, without showing them")
      ->type_name("FILE");
  demo->add_flag("--auto", command.text.goes_on_by_itself,
                 "Go on without waiting for a key; in the full screen at a pace");
  demo->add_option("--pace", command.show.pace_seconds,
                   "Seconds for each step with --auto (default: 4)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.01, 600.0));
  demo->add_flag_callback(
      "--no-questions", [] { command.show.asks = false; }, "Do not ask before something happens");
  demo->callback([&exit_code] { exit_code = run_demo_command(command); });
}

int run(std::vector<std::string> arguments) {
  const std::vector<std::string> command = take_command(arguments);
  const std::vector<std::string> words = arguments;
  CLI::App app("libcow: memory that is copied when it is written", "cow");
  app.set_version_flag("--version", version_text, "What this program and its library contain");
  app.require_subcommand(1);
  app.failure_message([&](const CLI::App*, const CLI::Error& error) {
    const auto unknown = unknown_word(app, words);
    if (unknown.has_value()) return fmt::format("cow: {} (see cow --help)\n", *unknown);
    return fmt::format("cow: {}; see cow --help\n", error.what());
  });
  int exit_code = exit_success;
  add_demo(app, exit_code);
  add_trace(app, command, exit_code);
  add_report(app, exit_code);
  add_bench(app, words, exit_code);
  add_doctor(app, exit_code);
  try {
    std::reverse(arguments.begin(), arguments.end());  // parse() takes the last one first
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_success : exit_usage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  cow::measure::open_standard_descriptors();
  try {
    return run({argv + 1, argv + argc});
  } catch (const ToolError& error) {
    say_on_stderr(error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    say_on_stderr(error.what());
    return exit_failure;
  }
}
