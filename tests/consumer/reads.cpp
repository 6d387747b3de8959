// A program that reads from a file into a region as if it were any memory.
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdio>

int main() {
  cow::Region region = cow::Region::create(1 << 20);
  const cow::Snapshot before = region.snapshot();
  std::FILE* const file = std::fopen("/dev/zero", "r");
  const std::size_t count = std::fread(region.data(), 1, region.size(), file);
  std::fclose(file);
  std::printf("%zu of %zu bytes were read\n", count, region.size());
  return count == region.size() ? 0 : 1;
}
