#include "tool/input_file.hpp"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/check.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

// Patterns of glob(7).
constexpr const char* default_candidates[] = {
    "/usr/lib/gcc/*-linux-gnu/*/cc1plus",
    "/usr/bin/python3",
    "/usr/bin/perl",
    "/usr/lib/*-linux-gnu/libcrypto.so.*",
    "/usr/lib/*-linux-gnu/libstdc++.so.6",
    "/usr/lib/*-linux-gnu/libc.so.6",
    "/usr/lib/locale/locale-archive",
};

class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}
  ~FileDescriptor() {
    if (number_ >= 0) ::close(number_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void refuse(const std::string& path, const char* what) {
  throw ToolError(fmt::format("'{}' {}; give --file a readable file with some bytes in it",
                              printable(path), what));
}

[[noreturn]] void refuse_errno(const std::string& path, int error) {
  if (error == ENOENT) refuse(path, "does not exist");
  refuse(path, fmt::format("cannot be read ({})", std::strerror(error)).c_str());
}

std::string largest_candidate() {
  std::string largest;
  std::uintmax_t largest_bytes = 0;
  for (const char* pattern : default_candidates) {
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
  if (largest.empty()) {
    throw ToolError(
        "none of the large files that a system should have is here; name one with --file");
  }
  return largest;
}

std::vector<std::byte> read_all(const std::string& path, int descriptor) {
  constexpr std::size_t chunk_bytes = std::size_t{1} << 20;
  std::vector<std::byte> content;
  std::size_t used = 0;
  // To the end of the file, whatever size it claims: files in /proc claim none.
  while (used < max_input_bytes) {
    content.resize(std::min(max_input_bytes, used + chunk_bytes));
    const ssize_t count = ::read(descriptor, content.data() + used, content.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse_errno(path, errno);
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
  }
  content.resize(used);
  content.shrink_to_fit();
  return content;
}

}  // namespace

InputFile read_input_file(const std::optional<std::string>& path) {
  InputFile file;
  file.chosen_by_default = !path.has_value();
  file.path = path.has_value() ? *path : largest_candidate();

  // Asked before opening: opening a pipe would wait for someone to write to it.
  struct stat status {};
  if (::stat(file.path.c_str(), &status) != 0) refuse_errno(file.path, errno);
  if (S_ISDIR(status.st_mode)) refuse(file.path, "is a directory");
  if (!S_ISREG(status.st_mode)) refuse(file.path, "is not a regular file");

  const FileDescriptor descriptor(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.number() < 0) refuse_errno(file.path, errno);
  file.content = read_all(file.path, descriptor.number());
  if (file.content.empty()) refuse(file.path, "is empty");
  file.file_bytes =
      std::max(static_cast<std::uint64_t>(status.st_size), std::uint64_t{file.content.size()});
  return file;
}

std::vector<std::byte> in_size(std::vector<std::byte> content,
                               std::optional<std::size_t> size_bytes) {
  COW_CHECK(!content.empty());
  if (!size_bytes.has_value()) return content;
  const std::size_t before = content.size();
  content.resize(*size_bytes);
  for (std::size_t at = before; at < content.size(); at += before) {
    std::memcpy(content.data() + at, content.data(), std::min(before, content.size() - at));
  }
  content.shrink_to_fit();
  return content;
}

}  // namespace cow::tool
