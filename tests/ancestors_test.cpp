// A process that lives on by fork: what it inherits of its ancestors goes when it shows it no more.

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "catch.hpp"
#include "process_view.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

/// What this process, the `generation`-th of a line, has that it should not.
std::string complaint_of_generation(const Region& region, std::uint64_t generation) {
  if (!support::shows(region.bytes(), generation)) return "the parent's bytes are not seen";
  return support::broken_invariant(region);
}

std::string complaint_about_inherited(std::size_t size) {
  const cow::ProcessStats stats = cow::process_stats();
  if (process_view::frame_files().size() != 1) {
    return std::to_string(process_view::frame_files().size()) + " frame files are open";
  }
  if (stats.bytes_inherited != 0) return "memory of ancestors is kept";
  return stats.bytes_in_use == size ? "" : "this process has more memory in use than its region";
}

}  // namespace

TEST_CASE("a process that lives on by fork gives back the frame files of its dead ancestors",
          "[mm][handler]") {
  const auto result = support::run_in_child([&]() -> std::string {
    constexpr std::uint64_t generations = 12;
    Region region = Region::create(64 * support::page_bytes(), support::options());
    support::fill(region.bytes(), 0);
    std::function<std::string(std::uint64_t)> live = [&](std::uint64_t generation) -> std::string {
      if (std::string wrong = complaint_of_generation(region, generation); !wrong.empty()) {
        return wrong;
      }
      if (generation > 0 && cow::process_stats().bytes_inherited == 0) {
        return "the parent's frames are seen and not counted";
      }
      std::optional<Snapshot> past = region.snapshot();
      support::fill(region.bytes(), generation + 1);
      if (!support::shows(past->bytes(), generation)) return "the snapshot changed";
      cow::trim();
      if (generation > 0 && process_view::frame_files().size() != 2) {
        return "what a snapshot shows was given up, or more is kept";
      }
      past.reset();
      (void)region.snapshot();
      cow::trim();
      if (std::string wrong = complaint_about_inherited(region.size()); !wrong.empty()) {
        return std::to_string(generation) + ": " + wrong;
      }
      if (generation == generations) return "";
      return support::run_in_child([&] { return live(generation + 1); }).complaint;
    };
    return live(0);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
