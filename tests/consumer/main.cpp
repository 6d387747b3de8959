#include <cow/cow.hpp>
#include <cstddef>
#include <cstdio>

int main() {
  cow::Region original = cow::Region::create(1 << 20);
  original.bytes()[0] = std::byte{1};
  cow::Region copy = original.clone();
  copy.bytes()[0] = std::byte{2};
  const bool kept = original.bytes()[0] == std::byte{1} && copy.bytes()[0] == std::byte{2};
  std::puts(kept ? "a store to the clone did not reach the original" : "wrong");
  return kept ? 0 : 1;
}
