// Calls on protected pages of a region.

#include "calls.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace {

/// The call at an offset into a new region whose first page is writable, and no other.
std::string on_pages(bool (*call)(char*), std::size_t offset) {
  cow::RegionOptions options;
  options.max_window_pages = 1;
  cow::Region region = cow::Region::create(std::size_t{1} << 20, options);
  std::memset(region.data(), 1, region.size());
  const cow::Snapshot before = region.snapshot();
  region.data()[0] = std::byte{2};
  probe::around = &region;
  errno = 0;
  if (!call(reinterpret_cast<char*>(region.data()) + offset)) {
    return errno == 0 ? "not what was asked for" : std::strerror(errno);
  }
  if (region.stats().pages_leased != 0) return "a lease is left";
  const auto past = before.bytes();
  const bool intact =
      std::all_of(past.begin(), past.end(), [](auto b) { return b == std::byte{1}; });
  return intact ? "" : "the snapshot changed";
}

}  // namespace

std::span<const probe::Case> probe::call_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> made;
    const auto add = [&](const Call& call, std::size_t offset) {
      made.push_back({call.name, [=] { return on_pages(call.call, offset); }});
    };
    for (const Call& call : byte_calls()) add(call, 0);
    for (const Call& call : fact_calls()) add(call, 4 * page);
    return made;
  }();
  return cases;
}
