#pragma once

/// @file
/// Which libcow this is. Versions are major.minor.patch. Before 1.0 a new minor version may change
/// or take away what was there, and its shared library has another SONAME; a new patch changes
/// neither. C reads the macros, too; cow_version() of <cow/c/base.h> is its function.

#include <cow/export.hpp>

/// Major version of these headers.
#define COW_VERSION_MAJOR 0
/// Minor version of these headers.
#define COW_VERSION_MINOR 1
/// Patch version of these headers.
#define COW_VERSION_PATCH 0

/// The version of these headers as one number that grows with it: 10203 is 1.2.3.
#define COW_VERSION (COW_VERSION_MAJOR * 10000 + COW_VERSION_MINOR * 100 + COW_VERSION_PATCH)

/// The version of these headers as a string literal: "1.2.3".
#define COW_VERSION_STRING             \
  COW_VERSION_TEXT_(COW_VERSION_MAJOR) \
  "." COW_VERSION_TEXT_(COW_VERSION_MINOR) "." COW_VERSION_TEXT_(COW_VERSION_PATCH)
/// @cond a macro's value as text, not its name
#define COW_VERSION_TEXT_(number) COW_VERSION_QUOTE_(number)
#define COW_VERSION_QUOTE_(text) #text
/// @endcond

#if defined(__cplusplus) && __cplusplus > 201703L  // the C API is for C++11, too
namespace cow {

/// The version of the library the program runs with, as COW_VERSION counts. With a shared library
/// it may be another than the one of the headers the program was compiled with.
/// Thread safe, async-signal-safe. Cost: none.
[[nodiscard]] COW_API int version() noexcept;

/// What the library the program runs with is made of, a line `name: value` for each of: version,
/// commit ("unknown" where the sources were no repository and nobody said it), modified ("yes" or
/// "no": the sources were not those of the commit; "unknown" where nobody can tell), type (CMake's
/// build type), optimised, compiler, architecture, sanitizers, checks (CMake's COW_CHECKS),
/// mechanisms, and the headers that are compiled in, xxHash and Boost, with their versions. More
/// lines may come. The text lives as long as the library. Thread safe, async-signal-safe. Cost:
/// none.
[[nodiscard]] COW_API const char* build_info() noexcept;

}  // namespace cow
#endif
