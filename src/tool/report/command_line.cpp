#include "tool/report/command_line.hpp"

#include <CLI/CLI.hpp>

#include "tool/report/report.hpp"

namespace cow::tool {

void add_report(CLI::App& app, int& exit_code) {
  static ReportOptions options;
  CLI::App* report = app.add_subcommand(
      "report", "Read what cow bench measured or cow trace recorded: text, a page, pictures");
  report
      ->add_option("FILE", options.files,
                   "Results of cow bench; or traces, which may also stand beside results; for -o "
                   "also what cow demo CHAPTER --json FILE wrote")
      ->required();
  report
      ->add_option("-o", options.page,
                   "Make a page, for any browser: of results with pictures; of a trace one that "
                   "replays it, step by step and back")
      ->type_name("OUT.html");
  report
      ->add_option("--figures", options.figures,
                   "Of results: write every picture as an SVG file to FOLDER")
      ->type_name("FOLDER");
  report->add_flag("--markdown", options.is_markdown,
                   "Of results: print the tables for an issue or a README");
  report
      ->add_option("--json", options.json,
                   "Of a trace: write every event, and what it did, to FILE (-: the output)")
      ->type_name("FILE");
  report
      ->add_option("--perfetto", options.perfetto,
                   "Of a trace: write it for ui.perfetto.dev to FILE (-: the output)")
      ->type_name("FILE");
  report->footer("Without these options, a summary as text. Two results are compared.");
  report->callback([&exit_code] { exit_code = run_report(options); });
}

}  // namespace cow::tool
