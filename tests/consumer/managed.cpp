#include <cow/managed_region.hpp>
#include <cstdio>

int main() {
  cow::ManagedRegion original = cow::ManagedRegion::create(1 << 20);
  using Numbers = cow::vector<int>;
  Numbers& numbers = *original.construct<Numbers>("numbers")(original.get_allocator<int>());
  numbers.push_back(1);
  cow::ManagedRegion copy = original.clone();
  copy.find<Numbers>("numbers").first->push_back(2);
  const bool kept = numbers.size() == 1 && copy.find<Numbers>("numbers").first->back() == 2;
  std::puts(kept ? "a clone of the objects is changed by itself" : "wrong");
  return kept ? 0 : 1;
}
