#include "code_lines.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace cow_bench {

namespace {

namespace fs = std::filesystem;

std::size_t lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::size_t lines = 0;
  for (std::string line; std::getline(in, line);) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos && line.compare(begin, 2, "//") != 0) ++lines;
  }
  return lines;
}

bool is_source(const fs::path& file) {
  return file.extension() == ".cpp" || file.extension() == ".hpp";
}

}  // namespace

std::optional<std::size_t> code_lines(std::initializer_list<std::string_view> beginnings) {
  std::size_t lines = 0;
  for (const std::string_view beginning : beginnings) {
    const fs::path path = fs::path(COW_BENCH_SOURCES) / beginning;
    const std::string first = path.string();
    std::size_t found = 0;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(path.parent_path(), error)) {
      if (is_source(entry.path()) && entry.path().string().starts_with(first)) {
        found += lines_of(entry.path());
      }
    }
    if (error || found == 0) return std::nullopt;
    lines += found;
  }
  return lines;
}

}  // namespace cow_bench
