// Whether this build has a sanitizer's runtime in it, which makes system calls of its own and
// needs more stack.
#pragma once

#include "support.hpp"

namespace support {

#if defined(COW_TEST_THREAD_SANITIZER)
inline constexpr bool has_thread_sanitizer = true;
#else
inline constexpr bool has_thread_sanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool has_sanitizer = true;
#elif defined(__has_feature)
inline constexpr bool has_sanitizer = has_thread_sanitizer || __has_feature(address_sanitizer);
#else
inline constexpr bool has_sanitizer = has_thread_sanitizer;
#endif

}  // namespace support
