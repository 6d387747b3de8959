// The program that tests/scripts/gdb_test.py and memcheck_test.py run: every store of `overwrite`
// to a new page of the clone is a fault. With the argument `crash` it ends with a fault of its own,
// with `secret` its regions are kept out of cores.

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace {

constexpr std::size_t pages = 32;

const volatile std::byte* view = nullptr;  // of a snapshot, for who looks at a core

// Breakpoints go here, by name. Not inlined, and what it is given is not optimised away.
__attribute__((noinline)) void compare_both(volatile std::byte* shared, volatile std::byte* own) {
  std::printf("%d %d\n", static_cast<int>(shared[0]), static_cast<int>(own[0]));
}

__attribute__((noinline)) void overwrite(volatile std::byte* bytes, std::size_t page_bytes) {
  for (std::size_t page = 0; page < pages; ++page) {
    bytes[page * page_bytes] = std::byte{2};
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // what was said before a crash is not lost
  cow::RegionOptions options;
  options.max_window_pages = 1;
  options.keep_out_of_cores = argc > 1 && std::strcmp(argv[1], "secret") == 0;
  cow::Region original = cow::Region::create(pages << 16, options);
  std::memset(original.data(), 1, original.size());
  cow::Region clone = original.clone();
  const cow::Snapshot past = original.snapshot();
  view = past.bytes().data();
  overwrite(clone.data(), clone.page_bytes());
  std::printf("%zu faults\n", static_cast<std::size_t>(clone.stats().faults));
  compare_both(original.data() + original.page_bytes() * pages, clone.data());
  if (argc > 1 && std::strcmp(argv[1], "crash") == 0) {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
  }
  clone = original.clone();
  std::puts("done");
  return 0;
}
