#include "measure/host/large_file.hpp"

#include <glob.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <system_error>

namespace cow::measure {

namespace {

// Patterns of glob(7).
constexpr const char* candidates[] = {
    "/usr/lib/gcc/*-linux-gnu/*/cc1plus",
    "/usr/bin/python3",
    "/usr/bin/perl",
    "/usr/lib/*-linux-gnu/libcrypto.so.*",
    "/usr/lib/*-linux-gnu/libstdc++.so.6",
    "/usr/lib/*-linux-gnu/libc.so.6",
    "/usr/lib/locale/locale-archive",
};

}  // namespace

std::optional<std::string> large_file() {
  std::optional<std::string> largest;
  std::uintmax_t largest_bytes = 0;
  for (const char* pattern : candidates) {
    glob_t matches{};
    if (::glob(pattern, 0, nullptr, &matches) == 0) {
      for (std::size_t i = 0; i < matches.gl_pathc; ++i) {
        const char* path = matches.gl_pathv[i];
        std::error_code error;
        const std::uintmax_t bytes = std::filesystem::file_size(path, error);
        if (error || bytes <= largest_bytes || ::access(path, R_OK) != 0) continue;
        // The file itself, where the pattern found a symbolic link to it.
        const auto resolved = std::filesystem::canonical(path, error);
        largest = error ? std::string(path) : resolved.string();
        largest_bytes = bytes;
      }
    }
    ::globfree(&matches);
  }
  return largest;
}

}  // namespace cow::measure
