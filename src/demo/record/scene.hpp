#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <cow/region.hpp>
#include <cow/snapshot.hpp>

#include "demo/record/step.hpp"

namespace cow::demo {

/// The regions and snapshots that a chapter shows, by name, and what can be seen of them: which
/// frame each page shows says /proc/self/maps, what it may do with it says describe().
class Scene {
 public:
  /// Takes part from now on, below those that were there.
  Region& add(std::string name, Region region);
  void add(std::string name, Snapshot snapshot);
  /// Gives it back. Precondition: it is there.
  void drop(const std::string& name);

  /// Precondition: there is a region of that name.
  [[nodiscard]] Region& region(const std::string& name);
  /// Precondition: there is a snapshot of that name.
  [[nodiscard]] const Snapshot& snapshot(const std::string& name) const;
  [[nodiscard]] bool has_region(const std::string& name) const;
  [[nodiscard]] bool has_snapshot(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const;

  /// Memory of another process, or other memory than regions, as it was told of; shown below.
  void tell(std::vector<RegionView> others) { others_ = std::move(others); }

  /// Shows at most `count` pages, so that `page` is among them.
  void show_around(std::size_t page, std::size_t count);
  /// Whether `page` is among those that are shown, if there is such a page.
  [[nodiscard]] bool shows(std::size_t page) const {
    return first_page_ <= page && page - first_page_ < page_count_;
  }
  /// Moves what is shown there, if it is not.
  void show(std::size_t page) {
    if (!shows(page)) show_around(page, page_count_);
  }

  /// Puts the state of this moment into `step`: regions, frames and, where the step has a mark,
  /// the line of /proc/self/maps. A frame keeps its place from step to step, also when nobody
  /// shows it any more, for as long as there is room for it.
  void look(Step& step);

 private:
  struct Member {
    std::string name;
    std::unique_ptr<Region> region;  ///< or:
    std::optional<Snapshot> snapshot;
  };

  [[nodiscard]] const Member* find(const std::string& name) const;
  [[nodiscard]] const Member& member(const std::string& name) const;

  std::vector<Member> members_;
  std::vector<RegionView> others_;
  std::vector<FrameId> places_;
  std::size_t first_page_ = 0;
  std::size_t page_count_ = 8;
};

/// The frames that `regions` show, each with how many of them show it, in order of `places`, to
/// which new ones are added. Those without owners stay while there are at most `most` of all.
[[nodiscard]] std::vector<FrameView> frames_of(const std::vector<RegionView>& regions,
                                               std::vector<FrameId>& places, std::size_t most);

}  // namespace cow::demo
