// The program `cow`. Each subcommand adds itself to the command line here and has its own files.

#include <cow/version.hpp>
#include <exception>
#include <map>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tool/demo.hpp"
#include "tool/suggestion.hpp"
#include "tool/tool_error.hpp"

namespace {

using namespace cow::tool;

// Sets `exit_code` when the subcommand was chosen and has run.
void add_demo(CLI::App& app, int& exit_code) {
  static DemoOptions options;
  static const std::map<std::string, ColorChoice> colors = {{"auto", ColorChoice::automatic},
                                                            {"always", ColorChoice::always},
                                                            {"never", ColorChoice::never}};

  CLI::App* demo = app.add_subcommand(
      "demo", "Watch one store to a clone become a page fault; compare lazy with eager cloning");
  demo->add_option("--file", options.file,
                   "The file to clone (default: a large one of this system)")
      ->type_name("FILE");
  demo->add_option("--page", options.page,
                   "The page to store to, counted from 0 (default: the middle one)")
      ->type_name("N")
      ->check([](const std::string& text) {
        const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
        return digits && text.size() < 19 ? "" : "'" + text + "' is not the number of a page";
      });
  demo->add_option("--json", options.json, "Also write the results to FILE")->type_name("FILE");
  demo->add_option_function<std::string>(
          "--color", [](const std::string& when) { options.color = colors.at(when); },
          "auto (default: on a terminal, unless NO_COLOR is set), always or never")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  demo->add_flag("--auto", options.goes_on_by_itself,
                 "Do not wait for Enter where the terminal has too few rows for all of it");
  demo->callback([&exit_code] { exit_code = run_demo(options); });
}

int run(int argc, char** argv) {
  CLI::App app("libcow: memory that is copied when it is written", "cow");
  app.set_version_flag("--version", "cow " COW_VERSION_STRING);
  app.require_subcommand(1);
  app.failure_message([&](const CLI::App*, const CLI::Error& error) {
    const auto unknown = unknown_word(app, argc, argv);
    if (unknown.has_value()) return fmt::format("cow: {} (see cow --help)\n", *unknown);
    return fmt::format("cow: {}; see cow --help\n", error.what());
  });
  int exit_code = exit_success;
  add_demo(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_success : exit_usage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const ToolError& error) {
    fmt::print(stderr, "cow: {}\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    fmt::print(stderr, "cow: {}\n", error.what());
    return exit_failure;
  }
}
