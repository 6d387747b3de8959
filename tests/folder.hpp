// A folder of a test's own, gone at the end.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace support {

class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// The names of what is in it, sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::filesystem::path path_;
};

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
std::vector<std::byte> read_file(const std::filesystem::path& path);

/// Bytes of the disk that a file takes.
std::size_t bytes_on_disk(const std::filesystem::path& path);

/// Descriptors that are open in this process.
std::size_t open_descriptors();

/// What `code` throws, in words; "nothing" if it throws nothing.
template <class Error, class Code>
std::string words_of(const Code& code) {
  try {
    code();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace support
