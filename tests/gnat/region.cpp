// What tests/gnat/main.adb asks libcow for.

#include <cow/cow.hpp>
#include <optional>

namespace {

std::optional<cow::Region> g_region;
std::optional<cow::Snapshot> g_snapshot;

}  // namespace

extern "C" void make_region() { g_region.emplace(cow::Region::create(1 << 20)); }

/// What the region shows after the store, or -1 if the snapshot shows it too.
extern "C" int store_after_snapshot(int value) {
  g_snapshot.emplace(g_region->snapshot());
  g_region->bytes()[0] = static_cast<std::byte>(value);
  if (g_snapshot->bytes()[0] == static_cast<std::byte>(value)) return -1;
  return std::to_integer<int>(g_region->bytes()[0]);
}
