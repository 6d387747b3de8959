#pragma once

#include "mm/space/copy_on_write.hpp"

namespace cow {

/// Copies on write by the kernel, in a private mapping of the frames, and learns of it afterwards:
///
///   who keeps stores off?  nobody; while a snapshot is taken, store_gate.hpp at times
///   who copies?            the kernel; from there into frames settling.hpp
///   who finds out what?    the family's watch                  stored_pages.hpp
[[nodiscard]] const CopyOnWrite& kernel_copies() noexcept;

}  // namespace cow
