#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cow::tool {

/// More than this is not read: three regions and two plain copies of it are in memory at once.
inline constexpr std::size_t max_input_bytes = std::size_t{256} << 20;

/// A file's bytes in plain memory.
struct InputFile {
  std::string path;
  bool chosen_by_default = false;  ///< nobody named a file
  std::uint64_t file_bytes = 0;    ///< size of the file
  std::vector<std::byte> content;  ///< its first `max_input_bytes`
};

/// Reads the file at `path`, or, without one, the largest of some files of which every Debian
/// system has several. Throws ToolError if there is nothing to read.
[[nodiscard]] InputFile read_input_file(const std::optional<std::string>& path);

/// `content` in `size_bytes`: its beginning, or repeated where it is smaller; unchanged where no
/// size is asked for. Precondition: not empty, and 0 < size <= max_input_bytes.
[[nodiscard]] std::vector<std::byte> in_size(std::vector<std::byte> content,
                                             std::optional<std::size_t> size_bytes);

}  // namespace cow::tool
