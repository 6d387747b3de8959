#include "tool/doctor/doctor.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cow/version.hpp>
#include <nlohmann/json.hpp>

#include "measure/host/environment.hpp"
#include "measure/host/examine.hpp"
#include "measure/host/findings_json.hpp"
#include "measure/host/in_child.hpp"
#include "measure/host/process_start.hpp"
#include "tool/doctor/advice.hpp"
#include "tool/doctor/text.hpp"
#include "tool/json_file.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {

namespace {

using nlohmann::ordered_json;

/// What was not found is absent, and no null stands for it.
void drop_nulls(ordered_json& value) {
  if (value.is_object()) {
    for (auto entry = value.begin(); entry != value.end();) {
      if (entry->is_null()) {
        entry = value.erase(entry);
      } else {
        drop_nulls(*entry);
        ++entry;
      }
    }
  } else if (value.is_array()) {
    for (ordered_json& entry : value) drop_nulls(entry);
  }
}

ordered_json document_of(const measure::Findings& findings, const Verdict& found,
                         const std::vector<Line>& lines) {
  ordered_json document = {{"kind", "doctor"},
                           {"format", 1},
                           {"libcow", COW_VERSION_STRING},
                           {"can_make_regions", found.can_make_regions}};
  if (!found.mechanism.empty()) document["mechanism"] = found.mechanism;
  document["why"] = found.why;
  document["lines"] = ordered_json::array();
  for (const Line& line : lines) {
    ordered_json entry = {
        {"level", word_of(line.level)}, {"subject", line.subject}, {"meaning", line.meaning}};
    if (!line.remedy.empty()) entry["remedy"] = line.remedy;
    document["lines"].push_back(entry);
  }
  document["findings"] = nlohmann::json(findings);
  drop_nulls(document["findings"]);
  // Reading it is system calls, too, which a filter may kill for.
  const measure::ChildEnd end = measure::in_child([] { return one_line(measure::environment()); });
  if (end.has_said) document["environment"] = ordered_json::parse(end.said);
  return document;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw ToolError(fmt::format("the output cannot be written ({}); make room or send it elsewhere",
                              std::strerror(errno)));
}

int run_doctor(const std::optional<std::string>& json) {
  const bool is_output = json == "-";
  // A filter may kill for it, and then who started us is the one that set them.
  const bool may_set_signals = measure::in_child([] {
                                 measure::take_back_signals_of_children();
                                 return std::string("done");
                               }).has_said;
  if (may_set_signals) measure::take_back_signals_of_children();
  std::optional<JsonFile> file;
  if (json.has_value() && !is_output) {
    std::optional<measure::FileSizeErrors> errors;
    if (may_set_signals) errors.emplace();
    file.emplace(*json);
  }
  const measure::Findings findings = measure::examine();
  const Verdict found = verdict(findings);
  const std::vector<Line> lines = advise(findings);
  if (json.has_value()) {
    const ordered_json document = document_of(findings, found, lines);
    if (is_output) {
      print(one_line(document) + "\n");
    } else {
      std::optional<measure::FileSizeErrors> errors;
      if (may_set_signals) errors.emplace();
      file->write(document);
    }
  }
  if (!is_output) print(doctor_text(found, lines));
  return found.can_make_regions ? exit_success : exit_failure;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  static std::optional<std::string> json;
  CLI::App* doctor = app.add_subcommand(
      "doctor", "Say what this kernel, container and process allow libcow, and what to change");
  doctor->add_option("--json", json, "Write all that was found to FILE (-: the output)")
      ->type_name("FILE");
  doctor->footer("The exit code is 0 where regions can be made, and 1 where not.");
  doctor->callback([&exit_code] { exit_code = run_doctor(json); });
}

}  // namespace cow::tool
