// One store to a clone, as libcow's handler saw it: the textbook's steps, each with its time.
#include <cow/cow.hpp>
#include <cstdio>
#include <cstring>
#include <string>

int main() {
  cow::RegionOptions options;
  options.max_window_pages = 1;  // the page of the store, and no neighbours
  options.mechanism = cow::Mechanism::handler;
  cow::Region a = cow::Region::create(8 << 20, options);
  std::memset(a.data(), 1, a.size());
  cow::Region b = a.clone();
  const std::size_t page = b.page_bytes();

  std::printf("before\n%s", cow::describe(b).c_str());
  cow::FaultRecord records[1000];
  std::size_t recorded = 0;
  {
    const cow::FaultRecorder recorder(records, 1000);
    for (std::size_t i = 0; i < 1000; ++i) b.bytes()[(7 + 2 * i) * page + 5] = std::byte{2};
    recorded = recorder.size();
  }
  const cow::FaultRecord& first = records[0];
  std::printf("\nthe first store: page %zu, address %#zx, instruction %#zx\n", first.page,
              static_cast<std::size_t>(first.address),
              static_cast<std::size_t>(first.instruction_pointer));
  std::printf("its frame moved from offset %#zx of the file to %#zx\n\n",
              static_cast<std::size_t>(first.file_offset_before),
              static_cast<std::size_t>(first.file_offset_after));

  double located = 0, allocated = 0, copied = 0, mapped = 0;
  for (const cow::FaultRecord& one : records) {
    located += static_cast<double>(one.located_ns - one.entered_ns) / 1000;
    allocated += static_cast<double>(one.allocated_ns - one.located_ns) / 1000;
    copied += static_cast<double>(one.copied_ns - one.allocated_ns) / 1000;
    mapped += static_cast<double>(one.mapped_ns - one.copied_ns) / 1000;
  }
  std::printf("mean of %zu faults, in the handler:\n", recorded);
  std::printf("  find the page and its entry  %8.0f ns\n", located);
  std::printf("  allocate a frame             %8.0f ns\n", allocated);
  std::printf("  copy the page                %8.0f ns\n", copied);
  std::printf("  update the mapping           %8.0f ns\n", mapped);
  const bool one_page_each = b.stats().pages_copied == 1000 && a.stats().pages_copied == 0;
  return recorded == 1000 && first.page == 7 && one_page_each ? 0 : 1;
}
