#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/child_regions.hpp"
#include "demo/record/recorder.hpp"

namespace cow::demo {

/// Whatever somebody wants to try: each call does one thing, and records a step. What cannot be
/// done is a step as well, which says why.
class FreePlay {
 public:
  FreePlay(Recorder& recorder, const ChapterOptions& options);

  void clone(const std::string& region);
  void snapshot(const std::string& region);
  void drop(const std::string& name);
  /// Of the snapshot that is named, or the newest of the region.
  void restore(const std::string& region, const std::string& snapshot = {});
  void store(const std::string& name, std::size_t page);
  void fork();

  /// A line of words: "store B 3".
  void obey(const std::string& line);

  /// Names in the order in which they are shown, the child's last.
  [[nodiscard]] std::vector<std::string> rows() const;

  static constexpr std::size_t most_rows = 6;

 private:
  /// If not, it has said so.
  [[nodiscard]] bool is_region(const std::string& name);
  [[nodiscard]] bool has_room();
  [[nodiscard]] bool is_page(std::size_t page);
  void refuse(std::string sentence);
  void show(std::string title, std::string sentence);
  [[nodiscard]] std::string next_name();
  void store_by_child(const std::string& name, std::size_t page);
  void end_child();

  Recorder& recorder_;
  Scene& scene_;
  char next_region_ = 'B';
  std::size_t next_snapshot_ = 1;
  std::size_t pages_ = 0;
  std::unique_ptr<ChildRegions> child_;
  /// Snapshots and the regions they were taken of, oldest first.
  std::vector<std::pair<std::string, std::string>> snapshots_;
};

}  // namespace cow::demo
