// What the chapters of `cow demo` record: frames, owners and states of pages, step by step.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "demo/chapters/chapter.hpp"
#include "demo/record/step_json.hpp"
#include "demo/record/store_steps.hpp"
#include "tool/tool_error.hpp"

using namespace cow::demo;

namespace {

std::vector<Step> steps_of(const std::string& chapter, const ChapterOptions& options = {}) {
  std::vector<Step> steps;
  Recorder recorder([&](const Step& step) { steps.push_back(step); });
  chapter_named(chapter).run(recorder, options);
  return steps;
}

/// The first step with this focus from `begin` on. Fails the test if there is none.
const Step& step_about(const std::vector<Step>& steps, Focus focus, std::size_t begin = 0) {
  for (std::size_t i = begin; i < steps.size(); ++i) {
    if (steps[i].focus == focus && !steps[i].question.has_value()) return steps[i];
  }
  FAIL("no step about " << name_of(focus));
  return steps.front();
}

const PageView& page_of(const Step& step, const std::string& region, std::size_t page) {
  for (const RegionView& view : step.regions) {
    if (view.name == region) return view.shown.at(page - view.first_page);
  }
  FAIL("no region " << region);
  return step.regions.front().shown.front();
}

std::size_t owners_of(const Step& step, const FrameId& id) {
  for (const FrameView& frame : step.frames) {
    if (frame.id == id) return frame.owners;
  }
  return 0;
}

std::size_t frames_in_use(const Step& step) {
  return static_cast<std::size_t>(
      std::count_if(step.frames.begin(), step.frames.end(),
                    [](const FrameView& frame) { return frame.owners > 0; }));
}

}  // namespace

TEST_CASE("After the store the clone shows another frame, and the old one has one owner less",
          "[demo]") {
  const std::vector<Step> steps = steps_of("one-store");
  const Step& before = step_about(steps, Focus::before);
  const Step& after = step_about(steps, Focus::after);
  const PageView old_page = page_of(before, "B", 4);
  const PageView new_page = page_of(after, "B", 4);
  REQUIRE(old_page.frame.has_value());
  REQUIRE(new_page.frame.has_value());
  CHECK(old_page.look == PageLook::shared);
  CHECK(new_page.look == PageLook::private_page);
  CHECK(old_page.frame != new_page.frame);
  CHECK(owners_of(before, *old_page.frame) == 2);
  CHECK(owners_of(after, *old_page.frame) == 1);
  CHECK(owners_of(after, *new_page.frame) == 1);
  CHECK(page_of(after, "A", 4).frame == old_page.frame);
  CHECK(page_of(after, "A", 4).look == PageLook::sole_owner);
  CHECK(frames_in_use(after) == frames_in_use(before) + 1);
}

TEST_CASE("The steps of a store come in the textbook's order, and only the last part moves a page",
          "[demo]") {
  const std::vector<Step> steps = steps_of("one-store");
  std::vector<Focus> order;
  for (const Step& step : steps) {
    if (step.focus != Focus::event && !step.question.has_value()) order.push_back(step.focus);
  }
  CHECK(order == std::vector<Focus>{Focus::before, Focus::instruction, Focus::fault,
                                    Focus::allocate, Focus::copy, Focus::map, Focus::again,
                                    Focus::after});
  const Step& fault = step_about(steps, Focus::fault);
  const Step& copy = step_about(steps, Focus::copy);
  const Step& map = step_about(steps, Focus::map);
  CHECK(page_of(copy, "B", 4) == page_of(fault, "B", 4));
  CHECK(copy.frames.size() == fault.frames.size() + 1);
  CHECK(copy.frames.back().owners == 0);
  CHECK(page_of(map, "B", 4).frame == copy.frames.back().id);
  REQUIRE(map.mapping.has_value());
  CHECK(map.mapping->text.find(frame_text(copy.frames.back().id)) != std::string::npos);
}

TEST_CASE("The times of a store are those of all its parts, and each step is about one", "[demo]") {
  const std::vector<Step> steps = steps_of("one-store");
  for (const Focus focus : {Focus::fault, Focus::allocate, Focus::copy, Focus::map, Focus::again}) {
    const Step& step = step_about(steps, focus);
    REQUIRE(step.times.size() == 5);
    CHECK(std::count_if(step.times.begin(), step.times.end(),
                        [](const TimedPart& part) { return part.is_now; }) == 1);
  }
}

TEST_CASE("A question comes before what it asks about has happened", "[demo]") {
  const std::vector<Step> steps = steps_of("one-store");
  const auto asks = [](const Step& step) { return step.question.has_value(); };
  const auto question = std::find_if(steps.begin(), steps.end(), asks);
  REQUIRE(question != steps.end());
  CHECK(page_of(*question, "B", 4).look == PageLook::shared);
  CHECK(std::next(question)->focus == Focus::fault);
  const Step& after = step_about(steps, Focus::after);
  REQUIRE(after.answered.has_value());
  CHECK(after.answered->text == question->question->text);
}

TEST_CASE("Whoever stores first moves, the original as well, and the other one copies nothing",
          "[demo]") {
  const std::vector<Step> steps = steps_of("parent-first");
  const Step& before = step_about(steps, Focus::before);
  const Step& after = step_about(steps, Focus::after);
  CHECK(page_of(after, "A", 4).frame != page_of(before, "A", 4).frame);
  CHECK(page_of(after, "B", 4).frame == page_of(before, "B", 4).frame);
  const Step& last = steps.back();
  CHECK(page_of(last, "B", 4).frame == page_of(before, "B", 4).frame);
  CHECK(page_of(last, "B", 4).look == PageLook::private_page);
}

TEST_CASE("A sole owner's store faults, and neither allocates nor copies", "[demo]") {
  const std::vector<Step> steps = steps_of("sole-owner");
  const Step& before = step_about(steps, Focus::before);
  const Step& after = step_about(steps, Focus::after);
  CHECK(page_of(before, "A", 4).look == PageLook::sole_owner);
  CHECK(page_of(after, "A", 4).look == PageLook::private_page);
  CHECK(page_of(after, "A", 4).frame == page_of(before, "A", 4).frame);
  for (const Step& step : steps) {
    CHECK(step.focus != Focus::allocate);
    CHECK(step.focus != Focus::copy);
  }
  CHECK(step_about(steps, Focus::fault).facts.size() >= 4);
}

TEST_CASE("In a tree of clones a frame has as many owners as regions show it", "[demo]") {
  const std::vector<Step> steps = steps_of("tree");
  std::size_t most = 0;
  for (const Step& step : steps) {
    for (const FrameView& frame : step.frames) {
      std::size_t showing = 0;
      for (const RegionView& region : step.regions) {
        showing += std::any_of(region.shown.begin(), region.shown.end(),
                               [&](const PageView& page) { return page.frame == frame.id; });
      }
      CHECK(frame.owners == showing);
      most = std::max(most, showing);
    }
    for (const RegionView& region : step.regions) {
      for (const PageView& page : region.shown) {
        const bool shared = page.look == PageLook::shared;
        CHECK(shared == (owners_of(step, *page.frame) > 1));
      }
    }
  }
  CHECK(most == 4);
}

TEST_CASE("A chapter takes the lecturer's page, and refuses one that is not there", "[demo]") {
  ChapterOptions options;
  options.page = 1;
  CHECK(step_about(steps_of("one-store", options), Focus::before).mark->page == 1);
  options.page = 8;
  CHECK_THROWS_AS(steps_of("one-store", options), cow::tool::ToolError);
}

TEST_CASE("An unknown chapter is refused with the one that was meant", "[demo]") {
  try {
    static_cast<void>(chapter_named("one-stor"));
    FAIL("it was found");
  } catch (const cow::tool::ToolError& error) {
    CHECK(std::string(error.what()).find("did you mean one-store?") != std::string::npos);
  }
}

TEST_CASE("A recording as JSON has every step, and its regions can be read back", "[demo]") {
  Recording recording{"one-store", "One store", steps_of("one-store")};
  const nlohmann::ordered_json document = recording_json(recording);
  REQUIRE(document.at("steps").size() == recording.steps.size());
  for (std::size_t i = 0; i < recording.steps.size(); ++i) {
    const std::vector<RegionView> read = regions_of(document.at("steps").at(i).at("regions"));
    REQUIRE(read.size() == recording.steps[i].regions.size());
    for (std::size_t k = 0; k < read.size(); ++k) {
      CHECK(read[k].shown == recording.steps[i].regions[k].shown);
    }
  }
}

TEST_CASE("A child process has its parent's frames after fork, and its own after a store",
          "[demo]") {
  const std::vector<Step> steps = steps_of("fork");
  const auto title = [&](const std::string& words) {
    const auto found = std::find_if(steps.begin(), steps.end(),
                                    [&](const Step& step) { return step.title == words; });
    REQUIRE(found != steps.end());
    return *found;
  };
  const Step forked = title("fork()");
  CHECK(page_of(forked, "A child", 4).frame == page_of(forked, "A", 4).frame);
  const Step stored = title("The child stores to page 4 of A");
  CHECK(page_of(stored, "A", 4).frame == page_of(forked, "A", 4).frame);
  CHECK(page_of(stored, "A child", 4).frame != page_of(stored, "A", 4).frame);
  CHECK(owners_of(stored, *page_of(stored, "A", 4).frame) == 1);
  CHECK(steps.back().facts.at(0).value == "it ended with 0");
}

TEST_CASE("A snapshot while threads store is of one moment every time", "[demo]") {
  const std::vector<Step> steps = steps_of("snapshot");
  const Step& table = step_about(steps, Focus::table);
  REQUIRE(table.table.size() == 3);
  CHECK(table.table.at(2).ends_with(" 0"));
  const Step& last = steps.back();
  CHECK(page_of(last, "A", 4).frame != page_of(last, "S", 4).frame);
  CHECK(page_of(last, "S", 4).look == PageLook::kept);
}

TEST_CASE("read(2) into a protected page is EFAULT, and into a leased one it reads", "[demo]") {
  std::vector<std::string> results;
  for (const Step& step : steps_of("read-efault")) {
    for (const Fact& fact : step.facts) {
      if (fact.name == "read()") results.push_back(fact.value);
    }
  }
  CHECK(results == std::vector<std::string>{"-1, EFAULT", "15 bytes"});
}

TEST_CASE("A wrong count shows as another's bytes, or as frames that are never given back",
          "[demo]") {
  std::vector<std::string> bytes_of_a;
  std::vector<std::string> frames;
  for (const Step& step : steps_of("wrong-count")) {
    for (const Fact& fact : step.facts) {
      if (fact.name == "A's byte") bytes_of_a.push_back(fact.value);
      if (fact.name == "in use") frames.push_back(fact.value.substr(0, 1));
    }
  }
  CHECK(bytes_of_a == std::vector<std::string>{"'a'", "'B'", "'C'", "'A'"});
  CHECK(frames == std::vector<std::string>{"5", "4", "4", "5"});
}

TEST_CASE("In rounds of stores and a restore the last one takes no fault", "[demo]") {
  const Step table = step_about(steps_of("rollback"), Focus::table);
  REQUIRE(table.table.size() >= 3);
  std::istringstream last(table.table.back());
  std::size_t round = 0;
  std::size_t faults = 1;
  last >> round >> faults;
  CHECK(round == 10);
  CHECK(faults == 0);
}
