// A tree of clones, and who copies when they store to page 0 one after the other.
#include <cow/cow.hpp>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

/// The last word of page 0's line in describe(): how many tables reference its frame.
std::string references(const cow::Region& region) {
  std::istringstream lines(cow::describe(region));
  std::string line;
  std::getline(lines, line);  // of the whole region
  std::getline(lines, line);
  return line.substr(line.rfind(' ') + 1);
}

}  // namespace

int main() {
  cow::RegionOptions options;
  options.max_window_pages = 1;
  options.mechanism = cow::Mechanism::handler;
  const std::size_t page = cow::Region::create(1).page_bytes();
  cow::Region a = cow::Region::create(2 * page, options);
  std::memset(a.data(), 1, a.size());
  cow::Region b = a.clone();
  cow::Region c = b.clone();  // a clone of a clone
  cow::Region d = a.clone();
  const std::vector<std::pair<const char*, cow::Region*>> all = {
      {"a", &a}, {"b", &b}, {"c", &c}, {"d", &d}};

  // Page 1 first, so that each has a leaf of its own: a leaf that is shared counts once.
  for (const auto& [name, region] : all) region->bytes()[page] = std::byte{8};
  std::printf("references to its frame    a   b   c   d\nafter the clones      ");
  for (const auto& [name, region] : all) std::printf("%4s", references(*region).c_str());
  std::puts("");
  std::size_t copied = 0;
  std::size_t upgraded = 0;
  for (const auto& [name, region] : all) {
    const cow::RegionStats before = region->stats();
    region->bytes()[0] = std::byte{9};
    const cow::RegionStats after = region->stats();
    copied += after.pages_copied - before.pages_copied;
    upgraded += after.pages_upgraded - before.pages_upgraded;
    std::printf("%s stores: %s", name,
                after.pages_copied > before.pages_copied ? "copies      " : "nothing else");
    for (const auto& [other, its] : all) std::printf("%4s", references(*its).c_str());
    std::puts("");
  }
  std::printf("%zu copies, %zu page made writable without one\n", copied, upgraded);
  return copied == 3 && upgraded == 1 ? 0 : 1;
}
