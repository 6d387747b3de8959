// COW_BUILD_TYPE and COW_BUILD_SANITIZERS are set for this file, by src/CMakeLists.txt.
#include <cow/version.hpp>

#include <xxhash.h>
#include <boost/version.hpp>
#include <cow_commit.hpp>  // made when the library is built: src/commit.cmake

// One literal: whoever asks may be a signal handler, and `strings` finds it in a file, too.

#define COW_TEXT_(value) COW_VERSION_TEXT_(value)

#if !defined(COW_COMMIT_MODIFIED)
#define COW_INFO_MODIFIED "unknown"
#elif COW_COMMIT_MODIFIED
#define COW_INFO_MODIFIED "yes"
#else
#define COW_INFO_MODIFIED "no"
#endif

#if defined(__OPTIMIZE__)
#define COW_INFO_OPTIMISED "yes"
#else
#define COW_INFO_OPTIMISED "no"
#endif

#if defined(__clang__)
#define COW_INFO_COMPILER                                                           \
  "Clang " COW_TEXT_(__clang_major__) "." COW_TEXT_(__clang_minor__) "." COW_TEXT_( \
      __clang_patchlevel__)
#elif defined(__GNUC__)
#define COW_INFO_COMPILER \
  "GCC " COW_TEXT_(__GNUC__) "." COW_TEXT_(__GNUC_MINOR__) "." COW_TEXT_(__GNUC_PATCHLEVEL__)
#else
#define COW_INFO_COMPILER "unknown"
#endif

#if defined(__x86_64__)
#define COW_INFO_ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define COW_INFO_ARCHITECTURE "aarch64"
#else
#define COW_INFO_ARCHITECTURE "unknown"
#endif

#if defined(COW_CHECKS)
#define COW_INFO_CHECKS "yes"
#else
#define COW_INFO_CHECKS "no"
#endif

#define COW_INFO_XXHASH        \
  COW_TEXT_(XXH_VERSION_MAJOR) \
  "." COW_TEXT_(XXH_VERSION_MINOR) "." COW_TEXT_(XXH_VERSION_RELEASE)

namespace cow {

const char* build_info() noexcept {
  return "version: " COW_VERSION_STRING "\n"
         "commit: " COW_COMMIT "\n"
         "modified: " COW_INFO_MODIFIED "\n"
         "type: " COW_BUILD_TYPE "\n"
         "optimised: " COW_INFO_OPTIMISED "\n"
         "compiler: " COW_INFO_COMPILER "\n"
         "architecture: " COW_INFO_ARCHITECTURE "\n"
         "sanitizers: " COW_BUILD_SANITIZERS "\n"
         "checks: " COW_INFO_CHECKS "\n"
         "mechanisms: handler kernel\n"  // every build has both; `cow doctor` says what a host
                                         // allows
         "xxHash: " COW_INFO_XXHASH "\n"
         "Boost: " BOOST_LIB_VERSION "\n";
}

}  // namespace cow
