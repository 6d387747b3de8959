// COW_BUILD_TYPE, COW_BUILD_FLAGS and COW_BUILD_SANITIZERS are set for this file, by
// src/CMakeLists.txt.
#include "measure/host/build.hpp"

#include <string>
#include <string_view>

namespace cow::measure {

namespace {

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#else
  return "GCC " __VERSION__;
#endif
}

#if defined(NDEBUG)
constexpr bool kHasAssertions = false;
#else
constexpr bool kHasAssertions = true;
#endif
#if defined(COW_CHECKS)
constexpr bool kHasChecks = true;
#else
constexpr bool kHasChecks = false;
#endif
#if defined(__OPTIMIZE__)
constexpr bool kIsOptimised = true;
#else
constexpr bool kIsOptimised = false;
#endif

// The build may say "", which is none.
constexpr std::string_view kSanitizers = COW_BUILD_SANITIZERS;  // NOLINT(*-redundant-string-init)

}  // namespace

nlohmann::ordered_json build() {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  object["compiler"] = compiler();
  object["type"] = COW_BUILD_TYPE;
  object["flags"] = COW_BUILD_FLAGS;
  object["optimised"] = kIsOptimised;
  object["assertions"] = kHasAssertions;
  object["checks"] = kHasChecks;
  object["sanitizers"] = kSanitizers.empty() ? "none" : std::string(kSanitizers);
  return object;
}

bool is_release_build() {
  return kIsOptimised && !kHasAssertions && !kHasChecks && kSanitizers.empty();
}

}  // namespace cow::measure
