#include <cow/cow.hpp>
#if defined(WITH_MANAGED)
#include <cow/managed_region.hpp>
#endif

#include <cstddef>
#include <cstdio>

int main() {
  cow::Region a = cow::Region::create(1 << 20);
  a.bytes()[0] = std::byte{1};
  cow::Region b = a.clone();
  b.bytes()[0] = std::byte{2};
#if defined(WITH_MANAGED)
  cow::ManagedRegion m = cow::ManagedRegion::create(1 << 20);
  if (*m.construct<int>("seven")(7) != 7) return 1;
#endif
  std::printf("libcow of the package:\n%s", cow::build_info());
  return a.bytes()[0] == std::byte{1} && cow::version() == COW_VERSION ? 0 : 1;
}
