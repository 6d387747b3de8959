#include "demo/record/step_json.hpp"

#include <nlohmann/json.hpp>

namespace cow::demo {
namespace {

using Json = nlohmann::ordered_json;

constexpr PageLook all_looks[] = {PageLook::unmapped,   PageLook::zero,         PageLook::shared,
                                  PageLook::sole_owner, PageLook::private_page, PageLook::leased,
                                  PageLook::kept};

Json page_json(const PageView& page) {
  Json json = {{"state", name_of(page.look)}, {"frame", nullptr}};
  if (page.frame.has_value()) json["frame"] = {page.frame->file, page.frame->number};
  return json;
}

PageView page_of(const Json& json) {
  PageView page;
  const std::string state = json.at("state").get<std::string>();
  for (const PageLook look : all_looks) {
    if (state == name_of(look)) page.look = look;
  }
  const Json& frame = json.at("frame");
  if (!frame.is_null()) {
    page.frame = FrameId{frame.at(0).get<std::uint64_t>(), frame.at(1).get<std::uint64_t>()};
  }
  return page;
}

Json region_json(const RegionView& region) {
  Json pages = Json::array();
  for (const PageView& page : region.shown) pages.push_back(page_json(page));
  return {{"name", region.name},
          {"address", region.address},
          {"pages", region.pages},
          {"first_page", region.first_page},
          {"shown", pages}};
}

RegionView region_of(const Json& json) {
  RegionView region;
  region.name = json.at("name").get<std::string>();
  region.address = json.at("address").get<std::uint64_t>();
  region.pages = json.at("pages").get<std::size_t>();
  region.first_page = json.at("first_page").get<std::size_t>();
  for (const Json& page : json.at("shown")) region.shown.push_back(page_of(page));
  return region;
}

Json frames_json(const std::vector<FrameView>& frames) {
  Json array = Json::array();
  for (const FrameView& frame : frames) {
    array.push_back({{"frame", {frame.id.file, frame.id.number}}, {"owners", frame.owners}});
  }
  return array;
}

Json times_json(const std::vector<TimedPart>& times) {
  Json array = Json::array();
  for (const TimedPart& part : times) {
    array.push_back({{"name", part.name}, {"ns", part.ns}, {"now", part.is_now}});
  }
  return array;
}

Json question_json(const std::optional<Question>& question) {
  if (!question.has_value()) return nullptr;
  return {{"text", question->text}, {"answer", question->answer}};
}

Json step_json(const Step& step) {
  Json facts = Json::array();
  for (const Fact& fact : step.facts) {
    facts.push_back({{"name", fact.name}, {"value", fact.value}});
  }
  Json json = {{"focus", name_of(step.focus)},
               {"title", step.title},
               {"sentence", step.sentence},
               {"facts", facts},
               {"times", times_json(step.times)},
               {"table", step.table},
               {"question", question_json(step.question)},
               {"answered", question_json(step.answered)},
               {"mark", nullptr},
               {"mapping", nullptr},
               {"regions", regions_json(step.regions)},
               {"frames", frames_json(step.frames)}};
  if (step.mark.has_value()) {
    json["mark"] = {{"region", step.mark->region}, {"page", step.mark->page}};
  }
  if (step.mapping.has_value()) {
    json["mapping"] = {{"text", step.mapping->text},
                       {"mark_column", step.mapping->mark_column},
                       {"mark_width", step.mapping->mark_width}};
  }
  return json;
}

}  // namespace

const char* name_of(PageLook look) noexcept {
  switch (look) {
    case PageLook::unmapped: return "unmapped";
    case PageLook::zero: return "zero";
    case PageLook::shared: return "shared";
    case PageLook::sole_owner: return "sole owner";
    case PageLook::private_page: return "private";
    case PageLook::leased: return "leased";
    case PageLook::kept: return "kept";
  }
  return "unknown";
}

const char* name_of(Focus focus) noexcept {
  switch (focus) {
    case Focus::overview: return "overview";
    case Focus::before: return "before";
    case Focus::instruction: return "instruction";
    case Focus::fault: return "fault";
    case Focus::allocate: return "allocate";
    case Focus::copy: return "copy";
    case Focus::map: return "map";
    case Focus::again: return "again";
    case Focus::after: return "after";
    case Focus::event: return "event";
    case Focus::table: return "table";
  }
  return "unknown";
}

nlohmann::ordered_json regions_json(const std::vector<RegionView>& regions) {
  Json array = Json::array();
  for (const RegionView& region : regions) array.push_back(region_json(region));
  return array;
}

std::vector<RegionView> regions_of(const nlohmann::ordered_json& document) {
  std::vector<RegionView> regions;
  for (const Json& region : document) regions.push_back(region_of(region));
  return regions;
}

nlohmann::ordered_json recording_json(const Recording& recording) {
  Json steps = Json::array();
  for (const Step& step : recording.steps) steps.push_back(step_json(step));
  return {{"chapter", recording.chapter}, {"title", recording.title}, {"steps", steps}};
}

}  // namespace cow::demo
