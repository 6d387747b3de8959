#include "demo/chapters/free_play.hpp"

#include <algorithm>
#include <exception>
#include <iostream>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "demo/chapters/content.hpp"
#include "demo/chapters/told.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {

FreePlay::FreePlay(Recorder& recorder, const ChapterOptions& options)
    : recorder_(recorder), scene_(recorder.scene()) {
  add_original_to_store_to(recorder, options, "A");
  pages_ = page_count(scene_.region("A"));
  show("A region, A", "Clone it, take snapshots, store to any page of any of them, and see.");
}

std::vector<std::string> FreePlay::rows() const {
  std::vector<std::string> names = scene_.names();
  if (child_ == nullptr) return names;
  for (const std::string& name : scene_.names()) {
    if (child_->has(ChildRegions::name_of(name))) names.push_back(ChildRegions::name_of(name));
  }
  return names;
}

void FreePlay::show(std::string title, std::string sentence) {
  recorder_.show(told(Focus::event, std::move(title), std::move(sentence)));
}

void FreePlay::refuse(std::string sentence) { show("That cannot be done", std::move(sentence)); }

bool FreePlay::is_region(const std::string& name) {
  if (scene_.has_region(name)) return true;
  std::string all;
  for (const std::string& each : scene_.names()) {
    if (scene_.has_region(each)) all += (all.empty() ? "" : ", ") + each;
  }
  refuse(scene_.has_snapshot(name)
             ? fmt::format("{} is a snapshot; choose a region: {}.", name, all)
             : fmt::format("There is no region '{}' in this process; there is: {}.",
                           tool::printable(name), all));
  return false;
}

bool FreePlay::has_room() {
  if (rows().size() < most_rows) return true;
  refuse(fmt::format("There are {} rows already, and no screen shows more: drop one first.",
                     rows().size()));
  return false;
}

std::string FreePlay::next_name() {
  std::string name(1, next_region_);
  next_region_ = next_region_ == 'R' ? 'A' : static_cast<char>(next_region_ + 1);
  return scene_.has_region(name) ? next_name() : name;
}

void FreePlay::clone(const std::string& region) {
  if (!is_region(region) || !has_room()) return;
  const std::string name = next_name();
  scene_.add(name, scene_.region(region).clone());
  show(fmt::format("{} = {}.clone()", name, region), "Nothing was copied.");
}

void FreePlay::snapshot(const std::string& region) {
  if (!is_region(region) || !has_room()) return;
  const std::string name = fmt::format("S{}", next_snapshot_++);
  scene_.add(name, scene_.region(region).snapshot());
  snapshots_.emplace_back(name, region);
  show(fmt::format("{} = {}.snapshot()", name, region), "The frames of this moment are kept.");
}

void FreePlay::drop(const std::string& name) {
  if (child_ != nullptr && child_->has(name)) {
    end_child();
    return;
  }
  const std::vector<std::string> names = scene_.names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    refuse(fmt::format("There is no '{}'.", tool::printable(name)));
    return;
  }
  const auto is_a_region = [this](const std::string& each) { return scene_.has_region(each); };
  if (scene_.has_region(name) && std::count_if(names.begin(), names.end(), is_a_region) == 1) {
    refuse(fmt::format("{} is the last region: nothing could be stored to any more.", name));
    return;
  }
  scene_.drop(name);
  std::erase_if(snapshots_, [&](const auto& each) { return each.first == name; });
  show(fmt::format("{} is dropped", name), "What only it showed goes back.");
}

void FreePlay::restore(const std::string& region, const std::string& snapshot) {
  if (!is_region(region)) return;
  std::string chosen = snapshot;
  for (const auto& [name, of] : snapshots_) {
    if (snapshot.empty() && of == region) chosen = name;
  }
  if (!scene_.has_snapshot(chosen)) {
    refuse(snapshot.empty() ? fmt::format("There is no snapshot of {} yet.", region)
                            : fmt::format("There is no snapshot '{}'.", tool::printable(snapshot)));
    return;
  }
  scene_.region(region).restore(scene_.snapshot(chosen));
  show(fmt::format("{}.restore({})", region, chosen), "The bytes are those of the snapshot again.");
}

void FreePlay::store(const std::string& name, std::size_t page) {
  if (child_ != nullptr && child_->has(name)) {
    store_by_child(name, page);
    return;
  }
  if (scene_.has_snapshot(name)) {
    refuse("A snapshot is never stored to: it shows one moment for good.");
    return;
  }
  if (!is_region(name) || !is_page(page)) return;
  scene_.show(page);
  recorder_.store_at_once({name, page, "", ""});
}

bool FreePlay::is_page(std::size_t page) {
  if (page >= pages_) {
    refuse(fmt::format("There is no page {}: they go from 0 to {}.", page, pages_ - 1));
  } else if (child_ != nullptr && !scene_.shows(page)) {
    refuse(fmt::format("Page {} is not among those that are shown, and the child shows no others: "
                       "drop it first, or begin with --page {}.",
                       page, page));
  } else {
    return true;
  }
  return false;
}

void FreePlay::store_by_child(const std::string& name, std::size_t page) {
  if (!is_page(page)) return;
  recorder_.show(child_->store(name.substr(0, name.find(' ')), page));
}

void FreePlay::fork() {
  if (child_ != nullptr) {
    refuse("There is a child already: drop it first.");
    return;
  }
  const std::vector<std::string> names = scene_.names();
  const auto regions = std::count_if(names.begin(), names.end(), [this](const std::string& each) {
    return scene_.has_region(each);
  });
  if (names.size() + static_cast<std::size_t>(regions) > most_rows) {
    refuse(
        fmt::format("The child's regions would be more than {} rows: drop some first.", most_rows));
    return;
  }
  child_ = std::make_unique<ChildRegions>(scene_);
  show(fmt::format("fork(): a child process, {}", child_->pid()),
       "It has the same regions at the same addresses.");
}

void FreePlay::end_child() {
  const std::string how = child_->end();
  child_.reset();
  Step step = told(Focus::event, "The child exits", "Its frames go back with it.");
  step.facts = {{"the child", how}};
  recorder_.show(std::move(step));
}

void FreePlay::obey(const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  std::string name;
  words >> verb >> name;
  std::string rest;
  std::getline(words >> std::ws, rest);
  const bool is_of_child = rest.starts_with("child");
  if (is_of_child) {
    name = ChildRegions::name_of(name);
    std::istringstream more(rest.substr(5));
    rest.clear();
    more >> rest;
  }
  if (verb == "clone") return clone(name);
  if (verb == "snapshot") return snapshot(name);
  if (verb == "drop") return drop(name);
  if (verb == "restore") return restore(name, rest);
  if (verb == "fork") return fork();
  const bool is_number = !rest.empty() && rest.size() < 10 &&
                         rest.find_first_not_of("0123456789") == std::string::npos;
  if (verb == "store" && is_number) return store(name, std::stoul(rest));
  refuse(fmt::format("'{}' is none of: clone R, snapshot R, drop R, restore R [S], store R PAGE, "
                     "fork. A region of the child is 'R child'.",
                     tool::printable(line)));
}

// Without a screen: a command a line.
void run_free(Recorder& recorder, const ChapterOptions& options) {
  FreePlay play(recorder, options);
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) play.obey(line);
  }
}

}  // namespace cow::demo
