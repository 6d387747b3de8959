#pragma once

#include "mm/space/copy_on_write.hpp"

namespace cow {

/// Copies on write by mappings, their protection, and a signal:
///
///   who keeps stores off?  read-only mappings                       write_protection.hpp
///   who copies?            the handler of SIGSEGV                   write_fault.hpp
///   who finds out what?    it does: the entries say what it opened  entry.hpp
[[nodiscard]] const CopyOnWrite& handler_copies() noexcept;

}  // namespace cow
