#include "tool/demo_json.hpp"

#include <cow/version.hpp>
#include <nlohmann/json.hpp>

#include "tool/comparison_table.hpp"
#include "tool/demo.hpp"
#include "tool/fault_decode.hpp"
#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

Json error_code_json(const FaultRecord& record) {
  if (!record.has_error_code) return nullptr;
  Json fields = Json::object();
  for (const FaultField& field : decode_fault(this_architecture(), record.error_code)) {
    fields[field.name] = field.value;
  }
  return {{"value", hex(record.error_code)}, {"fields", fields}};
}

Json page_json(const ObservedStore& store, const PageView& view, PageState state) {
  Json page = {{"state", name_of(state)},
               {"value", std::to_integer<unsigned>(view.value)},
               {"region_mappings", view.region_lines},
               {"maps_line", nullptr},
               {"file_offset", nullptr}};
  if (view.line.has_value()) {
    page["maps_line"] = view.line->text;
    page["file_offset"] = view.line->file_offset_of(store.page_address());
  }
  return page;
}

Json times_json(const StepTimes& times) {
  return {{"page_fault", times.fault},
          {"page_fault_parts", {{"deliver", times.deliver}, {"locate", times.locate}}},
          {"allocate", times.allocate},
          {"copy", times.copy},
          {"map", times.map},
          {"return", times.resume},
          {"total", times.total}};
}

Json store_json(const DemoResult& result) {
  const ObservedStore& store = result.store;
  const FaultRecord& record = store.timed.record;
  return {{"page", store.page()},
          {"offset_in_page", store.offset % store.page_bytes},
          {"address", hex(store.address)},
          {"fault_address", hex(record.address)},
          {"instruction_pointer", hex(record.instruction_pointer)},
          {"function", function_text(record.instruction_pointer)},
          {"error_code", error_code_json(record)},
          {"stored", std::to_integer<unsigned>(store.value)},
          {"original_before", std::to_integer<unsigned>(result.original_before)},
          {"original_after", std::to_integer<unsigned>(result.original_after)},
          {"pages_taken", record.pages_taken},
          {"pages_copied", record.pages_copied},
          {"file_offset_before", record.file_offset_before},
          {"file_offset_after", record.file_offset_after},
          {"before", page_json(store, store.before, record.before)},
          {"after", page_json(store, store.after, record.after)},
          {"clone_ns", result.clone_ns},
          {"next_clone_ns", result.next_clone_ns},
          {"times_ns", times_json(store.times)},
          {"repeats", result.repeats},
          {"median_times_ns", times_json(result.median)}};
}

Json cost_json(const CloneCost& cost) {
  return {{"clone_ns", cost.clone_ns},
          {"edit_ns", cost.edit_ns},
          {"total_ns", cost.total_ns()},
          {"memory_bytes", cost.memory_bytes}};
}

Json comparison_json(const DemoResult& result) {
  Json rows = Json::array();
  for (const ComparisonRow& row : result.rows) {
    rows.push_back({{"fraction", row.fraction},
                    {"pages_edited", row.pages},
                    {"lazy", cost_json(row.lazy)},
                    {"eager", cost_json(row.eager)},
                    {"winner", name_of(row.winner())},
                    {"ratio", row.ratio()}});
  }
  return {{"region_bytes", result.comparison_bytes}, {"runs", comparison_runs}, {"rows", rows}};
}

}  // namespace

nlohmann::ordered_json demo_json(const DemoResult& result) {
  return {{"program", "cow"},
          {"version", COW_VERSION_STRING},
          {"command", "demo"},
          {"architecture", name_of(this_architecture())},
          {"page_bytes", result.page_bytes},
          {"file",
           {{"path", result.file.path},
            {"chosen_by_default", result.file.chosen_by_default},
            {"file_bytes", result.file.file_bytes},
            {"bytes_used", result.file.content.size()},
            {"pages", result.pages}}},
          {"store", store_json(result)},
          {"comparison", comparison_json(result)},
          {"check",
           {{"passed", result.check.passed()},
            {"bytes_compared", result.check.bytes_compared()},
            {"mismatches", result.check.mismatches()}}}};
}

}  // namespace cow::tool
