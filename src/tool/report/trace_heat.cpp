#include "tool/report/trace_heat.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t most_columns = 64;  // ranges of pages
constexpr std::uint64_t rows = 32;          // stretches of time

/// A fault that copied.
struct Copy {
  std::uint64_t ns;
  std::uint64_t first_page;
  std::uint64_t pages;
  std::uint64_t copied;
};

using TracedSpace = std::pair<std::uint64_t, std::uint64_t>;  // pid and number

std::map<TracedSpace, std::vector<Copy>> copies_in(const Json& trace) {
  std::map<TracedSpace, std::vector<Copy>> copies;
  for (const Json& event : trace.at("events")) {
    if (event.at("kind") != "fault" || !event.contains("copied") || !event.contains("page"))
      continue;
    const Copy copy{event.at("ns"), event.at("page"), event.at("pages"), event.at("copied")};
    if (copy.copied == 0 || copy.pages == 0) continue;
    copies[{event.at("pid"), event.at("space")}].push_back(copy);
  }
  return copies;
}

std::uint64_t copied_pages(const std::vector<Copy>& copies) {
  std::uint64_t sum = 0;
  for (const Copy& copy : copies) sum += copy.copied;
  return sum;
}

}  // namespace

std::optional<Picture> trace_heat(const Json& trace, const std::string& name) {
  const std::map<TracedSpace, std::vector<Copy>> spaces = copies_in(trace);
  const auto most = std::max_element(
      spaces.begin(), spaces.end(),
      [](const auto& a, const auto& b) { return copied_pages(a.second) < copied_pages(b.second); });
  if (most == spaces.end()) return std::nullopt;
  std::uint64_t pages = 0;
  for (const Copy& copy : most->second) pages = std::max(pages, copy.first_page + copy.pages);
  const std::uint64_t end_ns = std::max<std::uint64_t>(1, trace.at("events").back().at("ns"));
  const std::uint64_t columns = std::min(most_columns, pages);
  std::map<std::pair<std::size_t, std::size_t>, double> cells;
  for (const Copy& copy : most->second) {
    const auto row = static_cast<std::size_t>(std::min(rows - 1, copy.ns * rows / end_ns));
    // A fault may make more pages writable than it copies: each has its share.
    const double each = static_cast<double>(copy.copied) / static_cast<double>(copy.pages);
    for (std::uint64_t page = copy.first_page; page < copy.first_page + copy.pages; ++page) {
      cells[{static_cast<std::size_t>(page * columns / pages), row}] += each;
    }
  }
  Picture picture{.kind = PictureKind::heat, .id = "trace-heat"};
  const std::string file = printable(std::filesystem::path(name).filename().string());
  picture.title = fmt::format("Pages copied in {}", file);
  picture.what = fmt::format(
      "Region {} of process {}, in which most pages were copied by faults: its {} up to the last "
      "of them from left to right, {} from top to bottom; dark where many were copied.",
      most->first.second, most->first.first, counted(pages, "page"), time_text(end_ns));
  picture.x = {.title = fmt::format("page, 0 to {}, to the right", with_commas(pages - 1)),
               .unit = "",
               .count = static_cast<std::size_t>(columns),
               .span = static_cast<double>(pages)};
  picture.y = {.title = fmt::format("time, 0 to {}, downwards", time_text(end_ns)),
               .unit = "ns",
               .count = static_cast<std::size_t>(rows),
               .span = static_cast<double>(end_ns)};
  for (const auto& [place, value] : cells) {
    picture.cells.push_back({place.first, place.second, value});
  }
  return picture;
}

}  // namespace cow::tool
