#pragma once

#include <string>
#include <vector>

#include "demo/kernel/child_process.hpp"
#include "demo/record/scene.hpp"
#include "demo/record/step.hpp"

namespace cow::demo {

/// A child process that has the regions of a scene as they were at the fork, stores to them when it
/// is told to, and says what its pages show. The scene shows that below its own.
class ChildRegions {
 public:
  /// Forks. The scene must live longer.
  explicit ChildRegions(Scene& scene);
  ~ChildRegions() { end(); }
  ChildRegions(const ChildRegions&) = delete;
  ChildRegions& operator=(const ChildRegions&) = delete;

  [[nodiscard]] pid_t pid() const { return child_.pid(); }

  /// "A child" for the child's A.
  [[nodiscard]] static std::string name_of(const std::string& region) { return region + " child"; }
  /// Whether the child has a region of that name, as `name_of` gives it.
  [[nodiscard]] bool has(const std::string& child_name) const;

  /// A store by the child to one of its regions; a step that tells of it, marked, without state.
  /// Throws tool::ToolError.
  Step store(const std::string& region, std::size_t page);

  /// Ends the child; how it ended, in words.
  std::string end();

 private:
  void show(std::vector<RegionView> views);

  Scene& scene_;
  ChildProcess child_;
  std::vector<std::string> names_;
};

}  // namespace cow::demo
