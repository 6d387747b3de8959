// System calls that fill memory of the process: each is made the way it comes, without libc or the
// vDSO in between, so that it is the kernel that stores the bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace support {

/// What came of one call.
struct KernelWrite {
  int error = 0;             ///< the call's errno value
  std::string wrong;         ///< it succeeded, but this is not what should have arrived
  bool unavailable = false;  ///< this machine has no such call, or not what it needs
};

struct KernelWriter {
  const char* name;
  /// The call may change no more than this many bytes from the target on.
  std::size_t bytes;
  /// What the program itself stores to the target before the call; null for nothing.
  void (*prepare)(std::byte* target);
  /// Makes whatever the call needs, makes the call, and compares what arrived with what the same
  /// call stores to ordinary memory.
  KernelWrite (*write)(std::byte* target);
};

/// All of them.
std::vector<KernelWriter> kernel_writers();
/// Those that tell facts, about time, the process, the system and files.
std::span<const KernelWriter> kernel_fact_writers();

}  // namespace support
