#pragma once

#include <cstddef>
#include <new>

namespace cow {

/// The one T of this process, made when first asked for and never destroyed: regions of static
/// duration may fault until the very end.
template <class T>
T& immortal() noexcept {
  alignas(T) static std::byte storage[sizeof(T)];
  static T* const object = ::new (static_cast<void*>(storage)) T;
  return *object;
}

}  // namespace cow
