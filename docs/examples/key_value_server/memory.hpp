#pragma once

// Where the database lies, and how it is saved while it serves. One interface, two answers: a
// region of libcow's (region_memory.hpp), and what is done today, fork() (forked_memory.hpp).

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <cow/managed_region.hpp>

/// How a save ended. Times in seconds.
struct SaveResult {
  std::string error;  ///< why it failed; empty if the image is complete
  double duration = 0;
  std::size_t peak_extra_bytes = 0;  ///< by its own count; the test asks the kernel
  std::uint64_t waits = 0;           ///< stores that waited for the save
  double wait_p99 = 0;
  double wait_max = 0;
};

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  virtual ~Memory() = default;

  [[nodiscard]] virtual cow::SegmentManager& segment() = 0;

  /// Begins to save what there is at this moment, and returns. Not more than `most_extra_bytes` of
  /// memory is taken for it. Throws what keeps it from beginning, also a limit that it cannot keep.
  virtual void start_save(const std::filesystem::path& image, std::size_t most_extra_bytes) = 0;
  /// Below this no limit can be kept; nothing where none can be kept at all.
  [[nodiscard]] virtual std::optional<std::size_t> least_limit() const = 0;
  [[nodiscard]] virtual bool is_saving() const = 0;
  /// The end of the save, once; nothing while it goes on, unless `wait`.
  virtual std::optional<SaveResult> finished(bool wait) = 0;
  /// The process that saves, 0 if it is this one.
  [[nodiscard]] virtual pid_t saving_process() const { return 0; }

  /// Gives memory behind the last object back to the kernel.
  virtual void trim() = 0;
};
