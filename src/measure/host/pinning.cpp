#include "measure/host/pinning.hpp"

#include <sched.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace cow::measure {

// A set of more processors than cpu_set_t has room for is refused, and asked for with more room.
std::vector<int> list_processors() {
  constexpr int most_processors = 1 << 16;
  for (int room = CPU_SETSIZE; room <= most_processors; room *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(room));
    if (set == nullptr) return {};
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(room));
    CPU_ZERO_S(bytes, set);
    const bool is_told = ::sched_getaffinity(0, bytes, set) == 0;
    std::vector<int> processors;
    for (int i = 0; is_told && i < room; ++i) {
      if (CPU_ISSET_S(static_cast<std::size_t>(i), bytes, set)) processors.push_back(i);
    }
    CPU_FREE(set);
    if (is_told) return processors;
  }
  return {};
}

std::optional<int> processor_to_pin_to() {
  const std::vector<int> processors = list_processors();
  if (processors.empty()) return std::nullopt;
  return processors.back();
}

int allowed_processors() { return std::max(1, static_cast<int>(list_processors().size())); }

bool pin_to(int processor) { return pin_to(std::vector<int>{processor}); }

bool pin_to(const std::vector<int>& processors) {
  if (processors.empty()) return false;
  const auto room = static_cast<std::size_t>(std::ranges::max(processors)) + 1;
  cpu_set_t* set = CPU_ALLOC(room);
  if (set == nullptr) return false;
  const std::size_t bytes = CPU_ALLOC_SIZE(room);
  CPU_ZERO_S(bytes, set);
  for (const int processor : processors) {
    CPU_SET_S(static_cast<std::size_t>(processor), bytes, set);
  }
  const bool is_pinned = ::sched_setaffinity(0, bytes, set) == 0;
  CPU_FREE(set);
  return is_pinned;
}

}  // namespace cow::measure
