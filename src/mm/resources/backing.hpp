#pragma once

#include <cerrno>
#include <cstddef>

#include "os/mapping.hpp"

namespace cow {

/// When memory is taken for frames and page tables.
enum class Backing {
  on_store,  ///< as it is needed; a store may find none left
  reserved,  ///< by the control call after which a store may need it
};

/// Metadata for which memory is there already if it is to be reserved. Null on failure, with
/// the reason in errno.
inline std::byte* map_metadata(std::size_t bytes, Backing backing) noexcept {
  std::byte* const memory = os::map_metadata(bytes);
  if (memory == nullptr || backing == Backing::on_store) return memory;
  if (os::populate_metadata(memory, bytes)) return memory;
  const int error = errno;
  os::unmap_metadata(memory, bytes);
  errno = error;
  return nullptr;
}

}  // namespace cow
