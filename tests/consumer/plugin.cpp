// A plugin that uses a region and drops it again before it is unloaded.
#include <cow/cow.hpp>
#include <cstddef>

extern "C" __attribute__((visibility("default"))) int use_a_region() {
  cow::Region region = cow::Region::create(1 << 20);
  const cow::Snapshot before = region.snapshot();
  region.bytes()[0] = std::byte{1};
  return before.bytes()[0] == std::byte{0} && cow::owns_sigsegv() ? 0 : 1;
}
