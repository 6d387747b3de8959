#include "demo/pages.hpp"

#include <cow/version.hpp>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "demo/record/recorder.hpp"
#include "demo/record/step_json.hpp"
#include "tool/fault_decode.hpp"
#include "tool/page.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::demo {
namespace {

constexpr const char* contents_name = "index.html";

Recording record(const Chapter& chapter, const ChapterOptions& options) {
  Recording recording{chapter.name, chapter.title, {}};
  Recorder recorder([&](const Step& step) { recording.steps.push_back(step); });
  chapter.run(recorder, options);
  return recording;
}

std::vector<const Chapter*> wanted(const std::optional<std::string>& name) {
  if (name.has_value()) return {&chapter_named(*name)};
  std::vector<const Chapter*> all;
  for (const Chapter& chapter : chapters()) {
    if (!chapter.is_free) all.push_back(&chapter);
  }
  return all;
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return;
  throw tool::ToolError(fmt::format("the folder '{}' cannot be made ({}); give --html another one",
                                    tool::printable(folder.string()), error.message()));
}

}  // namespace

nlohmann::ordered_json document_of(const std::vector<Recording>& recordings) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Recording& recording : recordings) all.push_back(recording_json(recording));
  return {{"program", "cow"},
          {"version", COW_VERSION_STRING},
          {"command", "demo"},
          {"architecture", tool::name_of(tool::this_architecture())},
          {"chapters", all}};
}

std::vector<Recording> record_all(const ChapterOptions& options) {
  std::vector<Recording> recordings;
  for (const Chapter* const one : wanted(std::nullopt)) {
    recordings.push_back(record(*one, options));
    fmt::print("{:<28} {}\n", one->name, tool::counted(recordings.back().steps.size(), "step"));
    std::fflush(stdout);
  }
  return recordings;
}

void write_folder_of_pages(const std::string& folder, const std::optional<std::string>& chapter,
                           const ChapterOptions& options) {
  const std::vector<const Chapter*> all = wanted(chapter);
  const std::filesystem::path root = folder;
  tool::need_page_template();
  make_folder(root);
  const tool::PageFile contents((root / contents_name).string());
  nlohmann::ordered_json links = nlohmann::ordered_json::array();
  for (const Chapter* const one : all) {
    const std::string name = std::string(one->name) + ".html";
    const tool::PageFile page((root / name).string());
    const Recording recording = record(*one, options);
    nlohmann::ordered_json document = document_of({recording});
    document["contents"] = contents_name;
    page.write(document);
    links.push_back({{"file", name}, {"title", one->title}, {"about", one->about}});
    fmt::print("{:<28} {}\n", tool::printable((root / name).string()),
               tool::counted(recording.steps.size(), "step"));
    std::fflush(stdout);
  }
  contents.write({{"program", "cow"},
                  {"version", COW_VERSION_STRING},
                  {"command", "contents"},
                  {"pages", links}});
  fmt::print("{}\n", tool::printable((root / contents_name).string()));
}

}  // namespace cow::demo
