#include "demo/chapters/chapter.hpp"

#include <fmt/format.h>

#include "tool/quantity.hpp"
#include "tool/suggestion.hpp"
#include "tool/tool_error.hpp"

namespace cow::demo {

const std::vector<Chapter>& chapters() {
  static const std::vector<Chapter> all = {
      {"lazy-or-eager", "Lazy or eager?", "the same edits in both kinds of clone",
       run_lazy_or_eager},
      {"one-store", "One store to a clone", "a page fault, step by step", run_one_store},
      {"parent-first", "The parent writes first", "who copies, and who keeps the frame?",
       run_parent_first},
      {"sole-owner", "The sole owner", "a fault that copies nothing", run_sole_owner},
      {"tree", "A tree of clones", "clones of clones, and counts above two", run_tree},
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
