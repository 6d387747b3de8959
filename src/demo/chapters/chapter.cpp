#include "demo/chapters/chapter.hpp"

#include <fmt/format.h>

#include "tool/quantity.hpp"
#include "tool/suggestion.hpp"
#include "tool/tool_error.hpp"

namespace cow::demo {

const std::vector<Chapter>& chapters() {
  static const std::vector<Chapter> all = {
      {"lazy-or-eager", "Lazy or eager?", "the same edits in both kinds", run_lazy_or_eager},
      {"one-store", "One store to a clone", "a page fault, step by step", run_one_store},
      {"parent-first", "The parent writes first", "who copies, who keeps the frame?",
       run_parent_first},
      {"sole-owner", "The sole owner", "a fault that copies nothing", run_sole_owner},
      {"tree", "A tree of clones", "clones of clones, higher counts", run_tree},
      {"fork", "fork()", "a real child process beside us", run_fork},
      {"snapshot", "A consistent cut", "a snapshot while threads store", run_snapshot},
      {"read-efault", "The kernel stores", "read(2): EFAULT, and the lease", run_read_efault},
      {"fragmentation", "Fragmentation", "mappings, their limit, windows", run_fragmentation},
      {"leak", "A leak between sharers", "a clock tells what others did", run_leak},
      {"rollback", "Rollback in a loop", "back to a snapshot, ten times", run_rollback},
      {"kernel-way", "The kernel's own way", "fork, MAP_PRIVATE, no signal", run_kernel_way},
      {"wrong-count", "A wrong reference count", "a bug, run in a child process", run_wrong_count},
      {"free", "Free play", "clone, store, drop, fork, and see", run_free, true},
  };
  return all;
}

const Chapter& chapter_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Chapter& chapter : chapters()) {
    if (name == chapter.name) return chapter;
    names.emplace_back(chapter.name);
  }
  std::string sentence = fmt::format("there is no chapter '{}'", tool::printable(name));
  if (const auto meant = tool::nearest(name, names)) {
    sentence += fmt::format("; did you mean {}?", *meant);
  }
  throw tool::ToolError(sentence + " (see cow demo --list)", tool::exit_usage);
}

}  // namespace cow::demo
