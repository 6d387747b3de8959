#pragma once

#include <cstddef>
#include <cstdint>

#include "os/frame_file.hpp"

namespace cow::os {

/// Where an image is written to. Each call throws std::system_error that names it.
class OutputFile {
 public:
  OutputFile() noexcept = default;
  virtual ~OutputFile() = default;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Its size; what is not written shows zeros and takes no room.
  virtual void resize(std::uint64_t bytes) = 0;
  virtual void write(const std::byte* source, std::size_t bytes, FileOffset to) = 0;
};

}  // namespace cow::os
