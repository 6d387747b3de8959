#include "tool/maps_line.hpp"

#include <fstream>

namespace cow::tool {
namespace {

// Calls `visit` with each line until it returns false.
template <typename Visit>
void for_each_maps_line(Visit visit) {
  std::ifstream maps("/proc/self/maps");
  std::string text;
  while (std::getline(maps, text)) {
    const auto line = parse_maps_line(text);
    if (line.has_value() && !visit(*line)) return;
  }
}

}  // namespace

std::optional<MapsLine> find_maps_line(std::uint64_t address) {
  std::optional<MapsLine> found;
  for_each_maps_line([&](const MapsLine& line) {
    if (line.covers(address)) found = line;
    return !found.has_value();
  });
  return found;
}

std::size_t count_maps_lines(std::uint64_t begin, std::uint64_t end) {
  std::size_t count = 0;
  for_each_maps_line([&](const MapsLine& line) {
    if (line.begin < end && begin < line.end) ++count;
    return line.begin < end;
  });
  return count;
}

}  // namespace cow::tool
