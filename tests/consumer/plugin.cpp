// A plugin that keeps one region and uses another one.
#include <cow/cow.hpp>
#include <cstddef>

extern "C" __attribute__((visibility("default"))) int use_a_region() {
  static cow::Region kept = cow::Region::create(1 << 20);
  static std::size_t rounds = 0;
  const cow::Snapshot earlier = kept.snapshot();
  kept.bytes()[rounds++] = std::byte{1};

  cow::Region region = cow::Region::create(1 << 20);
  const cow::Snapshot before = region.snapshot();
  region.bytes()[0] = std::byte{1};
  return before.bytes()[0] == std::byte{0} && kept.bytes()[0] == std::byte{1} &&
                 earlier.bytes()[rounds - 1] == std::byte{0} && cow::owns_sigsegv()
             ? 0
             : 1;
}
