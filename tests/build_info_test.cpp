// What cow::build_info() says of the library.

#include <cow/c/base.h>
#include <cow/version.hpp>

#include <cstring>
#include <map>
#include <sstream>
#include <string>

#include "catch.hpp"

namespace {

std::map<std::string, std::string> lines_of(const char* text) {
  std::map<std::string, std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t colon = line.find(": ");
    REQUIRE(colon != std::string::npos);
    REQUIRE(lines.emplace(line.substr(0, colon), line.substr(colon + 2)).second);
  }
  return lines;
}

}  // namespace

TEST_CASE("build_info has a line for each part of the library, and no part is empty", "[api]") {
  auto lines = lines_of(cow::build_info());
  for (const auto& [name, value] : lines) {
    INFO(name);
    CHECK_FALSE(value.empty());
  }
  for (const char* name :
       {"version", "commit", "modified", "type", "optimised", "compiler", "architecture",
        "sanitizers", "checks", "mechanisms", "xxHash", "Boost"}) {
    INFO(name);
    CHECK(lines.count(name) == 1);
  }
  CHECK(lines["version"] == COW_VERSION_STRING);
}

TEST_CASE("build_info says how this very library was built", "[api]") {
  auto lines = lines_of(cow::build_info());
#if defined(COW_CHECKS)
  CHECK(lines["checks"] == "yes");
#else
  CHECK(lines["checks"] == "no");
#endif
#if defined(__clang__)
  CHECK(lines["compiler"].rfind("Clang " + std::to_string(__clang_major__) + ".", 0) == 0);
#else
  CHECK(lines["compiler"].rfind("GCC " + std::to_string(__GNUC__) + ".", 0) == 0);
#endif
#if defined(__SANITIZE_ADDRESS__)
  CHECK(lines["sanitizers"].find("address") != std::string::npos);
#endif
  const std::string& commit = lines["commit"];
  const bool is_hash =
      commit.size() == 40 && commit.find_first_not_of("0123456789abcdef") == std::string::npos;
  CHECK((is_hash || commit == "unknown"));
  CHECK(std::strcmp(cow_build_info(), cow::build_info()) == 0);
}
