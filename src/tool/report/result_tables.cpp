#include "tool/report/result_tables.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "tool/json_input.hpp"
#include "tool/quantity.hpp"
#include "tool/report/mechanism_names.hpp"
#include "tool/report/svg_scale.hpp"

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

ResultTable& table_for(std::vector<ResultTable>& tables, const ResultRow& row) {
  for (ResultTable& table : tables) {
    if (table.experiment == row.row.experiment && table.unit == row.row.unit) return table;
  }
  tables.push_back({row.row.experiment, row.row.unit, row.row.sample, {}, {}});
  return tables.back();
}

void add_mechanism(std::vector<std::string>& mechanisms, const std::string& name) {
  if (std::find(mechanisms.begin(), mechanisms.end(), name) != mechanisms.end()) return;
  mechanisms.push_back(name);
}

void place(ResultTable& table, const ResultRow& row) {
  auto line = std::find_if(table.lines.begin(), table.lines.end(),
                           [&](const auto& one) { return one.workload == row.row.workload; });
  if (line == table.lines.end()) {
    table.lines.push_back({row.row.workload, {}});
    line = table.lines.end() - 1;
  }
  line->cells.resize(table.mechanisms.size());
  const auto at = std::find(table.mechanisms.begin(), table.mechanisms.end(), row.row.mechanism);
  line->cells[static_cast<std::size_t>(at - table.mechanisms.begin())] = &row;
}

// "Linux 6.18.44 #1 SMP …": the version is enough.
std::string first_words(const std::string& text, std::size_t count) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < count && end != std::string::npos; ++i) {
    end = text.find(' ', i == 0 ? 0 : end + 1);
  }
  return text.substr(0, end);
}

// What the processor says of itself, as people call it.
std::string hypervisor_words(const std::string& signature) {
  constexpr std::array known = {
      std::pair{"KVMKVMKVM", "KVM"},       std::pair{"Microsoft Hv", "Hyper-V"},
      std::pair{"VMwareVMware", "VMware"}, std::pair{"XenVMMXenVMM", "Xen"},
      std::pair{"TCGTCGTCGTCG", "QEMU"},   std::pair{"VBoxVBoxVBox", "VirtualBox"}};
  for (const auto& [letters, name] : known) {
    if (signature == letters) return name;
  }
  return signature;
}

// "2026-11-29T16:10:27+00:00" to the minute.
std::string date_words(const std::string& date) {
  if (date.size() < 16 || date[10] != 'T') return date;
  const std::string zone = date.size() > 19 ? date.substr(19) : "";
  return fmt::format("{} {}{}{}", date.substr(0, 10), date.substr(11, 5), zone.empty() ? "" : " ",
                     zone == "+00:00" || zone == "Z" ? "UTC" : zone);
}

std::string virtual_words(const Json& environment) {
  const auto found = environment.find("virtual");
  if (found == environment.end()) return "";
  if (found->is_string()) return "virtual: " + found->get<std::string>();
  if (!found->is_object() || !found->value("machine", false)) return "";
  const std::string name = hypervisor_words(text_in(*found, "hypervisor"));
  return name.empty() ? "a virtual machine" : fmt::format("a virtual machine ({})", name);
}

std::string build_words(const Json& environment) {
  const auto found = environment.find("build");
  if (found == environment.end() || !found->is_object()) return "";
  std::string words = text_in(*found, "compiler");
  const std::string type = text_in(*found, "type");
  if (!type.empty()) words += words.empty() ? type : ", " + type;
  return words;
}

std::string libcow_words(const Json& own) {
  const auto found = own.find("libcow");
  if (found == own.end() || !found->is_object()) return "";
  std::string words = "libcow " + text_in(*found, "version");
  const std::string commit = text_in(*found, "commit").substr(0, 12);
  if (!commit.empty()) words += " " + commit;
  if (found->value("modified", false)) words += " with changes";
  return words;
}

// Rows that ended in the same way for the same reason, in one sentence.
void add_reasons(std::vector<std::string>& notes, const ResultFile& file) {
  std::vector<std::pair<std::string, std::size_t>> counts;
  for (const ResultRow& row : file.rows) {
    if (row.is_measured()) continue;
    const char* how = row.row.status == measure::Status::failed ? "failed" : "skipped";
    const std::string what =
        fmt::format("{} of {}: {}", how, mechanism_title(row.row.mechanism), row.row.reason);
    const auto found = std::find_if(counts.begin(), counts.end(),
                                    [&](const auto& count) { return count.first == what; });
    if (found == counts.end()) {
      counts.emplace_back(what, 1);
    } else {
      ++found->second;
    }
  }
  for (const auto& [what, count] : counts) {
    notes.push_back(fmt::format("{} {}", counted(count, "row"), what));
  }
}

// Warnings that differ in their numbers only are of one kind.
std::string kind_of(const std::string& warning) {
  std::string kind;
  for (const char letter : warning) {
    const bool is_digit = letter >= '0' && letter <= '9';
    if (!is_digit) {
      kind += letter;
    } else if (kind.empty() || kind.back() != '#') {
      kind += '#';
    }
  }
  return kind;
}

struct Kind {
  std::string name;
  std::string first{};  ///< of its warnings
  bool are_same = true;
  std::size_t count = 0;
  std::uint64_t least = 0;  ///< of the first number in each
  std::uint64_t most = 0;
};

std::uint64_t number_in(const std::string& warning) {
  const std::size_t begin = warning.find_first_of("0123456789");
  return begin == std::string::npos ? 0 : std::strtoull(warning.c_str() + begin, nullptr, 10);
}

std::string kind_words(const Kind& kind) {
  if (kind.name == "uncertain: the interval is # % of the median" && kind.count > 1) {
    return fmt::format("{} rows are uncertain: their intervals are {} to {} % of the median",
                       with_commas(kind.count), with_commas(kind.least), with_commas(kind.most));
  }
  return fmt::format("{} with a warning{}: {}", counted(kind.count, "row"),
                     kind.are_same ? "" : ", the first of them", kind.first);
}

// A line for a kind; the rows have marks.
void add_warnings(std::vector<std::string>& notes, const ResultFile& file) {
  std::vector<Kind> kinds;
  for (const ResultRow& row : file.rows) {
    for (const std::string& warning : row.row.warnings) {
      const std::string name = kind_of(warning);
      auto found = std::find_if(kinds.begin(), kinds.end(),
                                [&](const Kind& kind) { return kind.name == name; });
      if (found == kinds.end()) found = kinds.insert(kinds.end(), {.name = name});
      const std::uint64_t number = number_in(warning);
      if (found->count++ == 0) {
        found->first = warning;
        found->least = number;
      }
      found->are_same = found->are_same && found->first == warning;
      found->least = std::min(found->least, number);
      found->most = std::max(found->most, number);
    }
  }
  for (const Kind& kind : kinds) notes.push_back(kind_words(kind));
}

}  // namespace

bool ResultTable::is_list() const {
  const auto count =
      std::count_if(mechanisms.begin(), mechanisms.end(),
                    [](const std::string& name) { return !is_known_mechanism(name); });
  return count > 3 && mechanisms.size() > lines.size();
}

std::vector<ResultTable> tables_of(const ResultFile& file) {
  std::vector<ResultTable> tables;
  for (const ResultRow& row : file.rows) {
    add_mechanism(table_for(tables, row).mechanisms, row.row.mechanism);
  }
  for (ResultTable& table : tables) {
    std::stable_sort(table.mechanisms.begin(), table.mechanisms.end(),
                     [](const std::string& a, const std::string& b) {
                       return mechanism_order(a) < mechanism_order(b);
                     });
  }
  for (const ResultRow& row : file.rows) place(table_for(tables, row), row);
  return tables;
}

std::string figure_words(double value, const std::string& unit, const std::string& micro) {
  if (unit == "ns") {
    if (value >= 1e9) return fmt::format("{} s", short_number(value / 1e9));
    if (value >= 1e6) return fmt::format("{} ms", short_number(value / 1e6));
    if (value >= 1e3) return fmt::format("{} {}", short_number(value / 1e3), micro);
    return fmt::format("{} ns", short_number(value));
  }
  const bool is_whole = value >= 0 && value < 1e15 && value == std::floor(value);
  if (unit == "bytes" && value >= 0 && value < 1e18) {
    return bytes_text(static_cast<std::uint64_t>(std::llround(value)));
  }
  const std::string number =
      is_whole ? with_commas(static_cast<std::uint64_t>(value)) : short_number(value);
  return unit.empty() ? number : number + " " + unit;
}

std::string fault_share_words(const ResultRow& row) {
  if (row.row.experiment != "faults") return "";
  for (const auto& [name, count] : row.row.counts) {
    // Counted beside every store, of which one may fault but once.
    if (name != "page faults" || count >= 0.995 || count <= 0) continue;
    return fmt::format("{} % of the stores faulted", short_number(count * 100));
  }
  return "";
}

Likeness likeness_to_against(const ResultRow& row) {
  if (!row.against.has_value() || row.against->difference != measure::Difference::none) {
    return Likeness::none;
  }
  return row.against->are_enough ? Likeness::same : Likeness::too_few;
}

std::string ratio_words(double ratio) {
  if (ratio > 0 && ratio < 0.01) {
    return "1/" + with_commas(static_cast<std::uint64_t>(std::llround(1 / ratio)));
  }
  if (ratio > 0 && ratio < 0.1) return fmt::format("{:.2g}", ratio);
  return ratio >= 10 ? fmt::format("{:.1f}", ratio) : fmt::format("{:.2f}", ratio);
}

std::string environment_line(const ResultFile& file) {
  const Json& context = file.document.at("context");
  const Json environment = file.environment();
  std::vector<std::string> parts = {text_in(environment, "processor")};
  if (const auto cores = environment.find("cores");
      cores != environment.end() && cores->is_number_unsigned()) {
    parts.push_back(counted(cores->get<std::uint64_t>(), "core"));
  } else if (context.contains("num_cpus") && context["num_cpus"].is_number_unsigned()) {
    parts.push_back(counted(context["num_cpus"].get<std::uint64_t>(), "core"));
  }
  parts.push_back(virtual_words(environment));
  parts.push_back(first_words(text_in(environment, "kernel"), 2));
  if (const auto bytes = environment.find("page_bytes");
      bytes != environment.end() && bytes->is_number_unsigned()) {
    parts.push_back("pages of " + bytes_text(bytes->get<std::uint64_t>()));
  }
  parts.push_back(build_words(environment));
  parts.push_back(libcow_words(context.at("cow_bench")));
  parts.push_back(date_words(text_in(context, "date")));
  std::erase_if(parts, [](const std::string& part) { return part.empty(); });
  return printable(fmt::format("{}", fmt::join(parts, "; ")));
}

std::vector<std::string> notes_of(const ResultFile& file) {
  std::vector<std::string> notes;
  const measure::Result& result = file.result;
  const bool is_said = std::any_of(
      result.warnings.begin(), result.warnings.end(),
      [](const std::string& warning) { return warning.starts_with("stopped half-way"); });
  if (!result.is_complete && !is_said) {
    notes.emplace_back("The run was stopped half-way: what is here was measured, the rest is not.");
  }
  if (result.is_quick) {
    notes.emplace_back("A quick run, at sizes at which figures mean nothing (COW_BENCH_QUICK).");
  }
  notes.insert(notes.end(), result.warnings.begin(), result.warnings.end());
  add_reasons(notes, file);
  add_warnings(notes, file);
  return notes;
}

}  // namespace cow::tool
