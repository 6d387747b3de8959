// Every system call and every allocation fails in turn in a backup, in the call and on its thread.

#include <string>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "injection.hpp"
#include "injection_world.hpp"
#include "support.hpp"

using injection::Window;
using injection::World;

namespace {

std::string complaint_about_backup(const Window& window) {
  const support::Folder folder;
  const std::filesystem::path path = folder / "image";
  World world(24);
  const auto backup = [&] { world.regions[0].backup(path).wait(); };
  return injection::complaint_about_writing(
      world, {folder, {"image"}, {path}, world.plain[0], backup}, window);
}

}  // namespace

TEST_CASE("a backup among failures throws and leaves the file as it was, or replaces it", "[api]") {
  const injection::Tally tally = injection::loop_over_call(
      injection::all_plans(),
      [](const Window& window, bool) { return complaint_about_backup(window); },
      &injection::judge_survivor);
  CHECK(tally.text() == "");
  if (tally.skipped.empty()) CHECK(tally.runs > 0);
  if (!tally.skipped.empty()) WARN("skipped: " << tally.skipped);
}
