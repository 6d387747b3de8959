#include "demo/record/scene.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <span>
#include <sstream>

#include "base/check.hpp"
#include "tool/maps_line.hpp"

namespace cow::demo {
namespace {

constexpr std::size_t most_frames = 14;  ///< that still have a place each on a small screen

/// One line of /proc/self/maps that belongs to a file.
struct FileMapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  std::uint64_t inode = 0;
};

std::vector<FileMapping> read_mappings() {
  std::ifstream maps("/proc/self/maps");
  std::vector<FileMapping> mappings;
  for (std::string text; std::getline(maps, text);) {
    const auto line = tool::parse_maps_line(text);
    if (!line.has_value()) continue;
    std::istringstream words(line->text);
    std::string word;
    FileMapping mapping{line->begin, line->end, line->offset, 0};
    words >> word >> word >> word >> word >> mapping.inode;
    mappings.push_back(mapping);
  }
  return mappings;
}

std::optional<FrameId> frame_at(const std::vector<FileMapping>& mappings, std::uint64_t address,
                                std::size_t page_bytes) {
  for (const FileMapping& mapping : mappings) {
    if (address < mapping.begin || mapping.end <= address || mapping.inode == 0) continue;
    return FrameId{mapping.inode, (mapping.offset + (address - mapping.begin)) / page_bytes};
  }
  return std::nullopt;
}

// "7f52a4e00000-7f52a4e02000 rwlp ...": what the flags say. 'c' is for frames that others have.
PageLook look_of(const std::string& flags) {
  if (flags.size() != 4) return PageLook::unmapped;
  if (flags[2] == 'l') return PageLook::leased;
  if (flags[3] == 'z') return PageLook::zero;
  if (flags[3] == 'c') return PageLook::shared;
  return flags[1] == 'w' ? PageLook::private_page : PageLook::sole_owner;
}

// Of the pages [first, first + count) of the region.
std::vector<PageLook> looks_of(const Region& region, std::size_t first, std::size_t count) {
  const auto begin = reinterpret_cast<std::uintptr_t>(region.data());
  std::vector<PageLook> looks(count, PageLook::unmapped);
  std::istringstream lines(describe(region));
  std::string line;
  std::getline(lines, line);  // the counts
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    char dash = 0;
    std::string flags;
    words >> std::hex >> from >> dash >> to >> flags;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t address = begin + (first + i) * region.page_bytes();
      if (from <= address && address < to) looks[i] = look_of(flags);
    }
  }
  return looks;
}

RegionView view_of(const std::string& name, std::span<const std::byte> bytes,
                   std::size_t page_bytes, std::size_t first, std::size_t count,
                   const std::vector<PageLook>& looks, const std::vector<FileMapping>& mappings) {
  RegionView view;
  view.name = name;
  view.address = reinterpret_cast<std::uintptr_t>(bytes.data());
  view.pages = (bytes.size() + page_bytes - 1) / page_bytes;
  view.first_page = first;
  for (std::size_t i = 0; i < count && first + i < view.pages; ++i) {
    PageView page;
    page.look = looks[i];
    if (page.look != PageLook::zero) {
      page.frame = frame_at(mappings, view.address + (first + i) * page_bytes, page_bytes);
    }
    view.shown.push_back(page);
  }
  return view;
}

}  // namespace

Region& Scene::add(std::string name, Region region) {
  COW_CHECK(find(name) == nullptr);
  members_.push_back({std::move(name), std::make_unique<Region>(std::move(region)), {}});
  return *members_.back().region;
}

void Scene::add(std::string name, Snapshot snapshot) {
  COW_CHECK(find(name) == nullptr);
  members_.push_back({std::move(name), nullptr, std::move(snapshot)});
}

void Scene::drop(const std::string& name) {
  const auto gone = std::find_if(members_.begin(), members_.end(),
                                 [&](const Member& each) { return each.name == name; });
  COW_CHECK(gone != members_.end());
  members_.erase(gone);
}

const Scene::Member* Scene::find(const std::string& name) const {
  for (const Member& each : members_) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

const Scene::Member& Scene::member(const std::string& name) const {
  const Member* const found = find(name);
  COW_CHECK(found != nullptr);
  return *found;
}

Region& Scene::region(const std::string& name) {
  COW_CHECK(has_region(name));
  return *member(name).region;
}

const Snapshot& Scene::snapshot(const std::string& name) const {
  COW_CHECK(has_snapshot(name));
  return *member(name).snapshot;
}

bool Scene::has_region(const std::string& name) const {
  const Member* const found = find(name);
  return found != nullptr && found->region != nullptr;
}

bool Scene::has_snapshot(const std::string& name) const {
  const Member* const found = find(name);
  return found != nullptr && found->snapshot.has_value();
}

std::vector<std::string> Scene::names() const {
  std::vector<std::string> all;
  for (const Member& each : members_) all.push_back(each.name);
  return all;
}

void Scene::show_around(std::size_t page, std::size_t count) {
  page_count_ = count;
  first_page_ = page - std::min(page, count / 2);
  if (page < count) first_page_ = 0;
}

void Scene::look(Step& step) {
  // The views of snapshots are mapped before the mappings are read.
  for (const Member& each : members_) {
    if (each.snapshot.has_value()) static_cast<void>(each.snapshot->bytes());
  }
  const std::vector<FileMapping> mappings = read_mappings();
  const std::vector<PageLook> kept(page_count_, PageLook::kept);
  for (const Member& each : members_) {
    if (each.region != nullptr) {
      const Region& region = *each.region;
      step.regions.push_back(view_of(each.name, region.bytes(), region.page_bytes(), first_page_,
                                     page_count_, looks_of(region, first_page_, page_count_),
                                     mappings));
    } else {
      step.regions.push_back(view_of(each.name, each.snapshot->bytes(), each.snapshot->page_bytes(),
                                     first_page_, page_count_, kept, mappings));
    }
  }
  step.regions.insert(step.regions.end(), others_.begin(), others_.end());
  step.frames = frames_of(step.regions, places_, most_frames);
  if (!step.mark.has_value() || !has_region(step.mark->region)) return;
  const Region& marked = region(step.mark->region);
  const auto address =
      reinterpret_cast<std::uintptr_t>(marked.data()) + step.mark->page * marked.page_bytes();
  if (const auto line = tool::find_maps_line(address)) {
    step.mapping = MappingView{line->text, line->offset_column, line->offset_width};
  }
}

std::vector<FrameView> frames_of(const std::vector<RegionView>& regions,
                                 std::vector<FrameId>& places, std::size_t most) {
  std::map<FrameId, std::size_t> owners;
  for (const RegionView& region : regions) {
    std::set<FrameId> of_this;  // one owner, however many of its pages show the frame
    for (const PageView& page : region.shown) {
      if (!page.frame.has_value() || !of_this.insert(*page.frame).second) continue;
      if (++owners[*page.frame] == 1 &&
          std::find(places.begin(), places.end(), *page.frame) == places.end()) {
        places.push_back(*page.frame);
      }
    }
  }
  if (places.size() > most) {
    std::erase_if(places, [&](const FrameId& id) { return owners.find(id) == owners.end(); });
  }
  std::vector<FrameView> frames;
  for (const FrameId& id : places) {
    const auto found = owners.find(id);
    frames.push_back({id, found == owners.end() ? 0 : found->second});
  }
  return frames;
}

}  // namespace cow::demo
