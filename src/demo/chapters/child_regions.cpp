#include "demo/chapters/child_regions.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "demo/record/recorder.hpp"
#include "demo/record/step_json.hpp"
#include "demo/record/store_steps.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* just_look = "look";

// What the child says of a store, in facts; one that needs no fault is an ordinary store.
std::vector<Fact> store_as_told(Region& region, std::size_t page, bool faults) {
  const std::size_t offset = stored_offset(region, page);
  std::byte* const place = region.data() + offset;
  const std::byte value = ~*place;
  std::vector<Fact> facts;
  if (faults) {
    const tool::TimedStore timed = tool::time_store(region, offset, value);
    facts = {{"address", tool::hex(timed.record.address) + ", the same as in the parent"},
             {"copied", tool::counted(timed.record.pages_copied, "page")},
             {"took", tool::time_text(tool::step_times(timed).total)}};
  } else {
    *place = value;
    facts = {{"fault", "none: the page is writable already"}};
  }
  facts.push_back({"child's byte", fmt::format("{:#04x}", std::to_integer<unsigned>(*place))});
  return facts;
}

// In the child. A request is "look", or a region and a page.
std::string answer_of_child(Scene& scene, const std::string& request) {
  Json facts = Json::array();
  std::istringstream words(request);
  std::string region;
  std::size_t page = 0;
  if (request != just_look && words >> region >> page) {
    Step before;
    before.mark = Mark{region, page};
    scene.look(before);
    const PageView* const view = marked_page(before);
    const bool faults =
        view == nullptr || (view->look != PageLook::private_page && view->look != PageLook::leased);
    for (const Fact& fact : store_as_told(scene.region(region), page, faults)) {
      facts.push_back({fact.name, fact.value});
    }
  }
  Step state;
  scene.look(state);
  return Json({{"facts", facts}, {"regions", regions_json(state.regions)}}).dump();
}

}  // namespace

ChildRegions::ChildRegions(Scene& scene)
    : scene_(scene),
      child_([&scene](const std::string& request) { return answer_of_child(scene, request); }) {
  show(regions_of(Json::parse(child_.ask(just_look)).at("regions")));
}

bool ChildRegions::has(const std::string& child_name) const {
  return std::find(names_.begin(), names_.end(), child_name) != names_.end();
}

Step ChildRegions::store(const std::string& region, std::size_t page) {
  const Json answer = Json::parse(child_.ask(fmt::format("{} {}", region, page)));
  show(regions_of(answer.at("regions")));
  Step step;
  step.focus = Focus::event;
  step.title = fmt::format("The child stores to page {} of {}", page, region);
  for (const Json& fact : answer.at("facts")) {
    step.facts.push_back({fact.at(0).get<std::string>(), fact.at(1).get<std::string>()});
  }
  step.mark = Mark{name_of(region), page};
  return step;
}

std::string ChildRegions::end() {
  scene_.tell({});
  names_.clear();
  return child_.end();
}

void ChildRegions::show(std::vector<RegionView> views) {
  // Snapshots are kept by the parent's own row.
  std::erase_if(views, [](const RegionView& view) {
    return std::any_of(view.shown.begin(), view.shown.end(),
                       [](const PageView& page) { return page.look == PageLook::kept; });
  });
  names_.clear();
  for (RegionView& view : views) {
    view.name = name_of(view.name);
    names_.push_back(view.name);
  }
  scene_.tell(std::move(views));
}

}  // namespace cow::demo
