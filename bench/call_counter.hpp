#pragma once

// What a piece of work asks of the kernel, counted from outside: a child does it under ptrace, and
// its parent counts.

#include <cstdint>
#include <functional>
#include <vector>

namespace cow_bench {

struct KernelWork {
  std::uint64_t calls = 0;    ///< system calls, the return from a signal handler among them
  std::uint64_t signals = 0;  ///< signals delivered
  std::uint64_t faults = 0;   ///< page faults that the kernel resolved itself (ru_minflt)
};

/// The pieces of work that are counted, in the order in which they are done.
using WorkList = std::vector<std::function<void()>>;

/// Forks; in the child `prepare` makes the pieces of work, which are done twice: first to have all
/// code and stack touched, and then counted, each by itself. `pieces` is how many there are.
/// Throws std::runtime_error if the child failed or may not be traced.
[[nodiscard]] std::vector<KernelWork> count_kernel_work(std::size_t pieces,
                                                        const std::function<WorkList()>& prepare);

}  // namespace cow_bench
