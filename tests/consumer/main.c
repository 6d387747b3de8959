// A program in C that uses the installed libcow: a clone, and a store to it.
#include <cow/cow.h>

int main(void) {
  cow_region* region = NULL;
  cow_region* clone = NULL;
  if (cow_region_create(1 << 20, NULL, &region) != 0) return 1;
  char* bytes = cow_region_data(region);
  bytes[0] = 1;
  if (cow_region_clone(region, COW_CLONE_LAZY, &clone) != 0) return 2;
  char* others = cow_region_data(clone);
  others[0] = 2;
  const int is_right = bytes[0] == 1 && others[0] == 2 && cow_version() == COW_VERSION;
  cow_region_destroy(clone);
  cow_region_destroy(region);
  return is_right ? 0 : 3;
}
