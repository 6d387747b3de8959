#include <cow/cow.hpp>
#include <cstddef>
#include <cstdio>

int main() {
  cow::Region original = cow::Region::create(1 << 20);
  original.bytes()[0] = std::byte{1};
  cow::Region copy = original.clone();
  copy.bytes()[0] = std::byte{2};
  const bool kept = original.bytes()[0] == std::byte{1} && copy.bytes()[0] == std::byte{2};
  const bool right_version = cow::version() == COW_VERSION;
  std::puts(kept ? "a store to the clone did not reach the original" : "wrong");
  std::puts(right_version ? "the library is of the headers' version" : "wrong version");
  return kept && right_version ? 0 : 1;
}
