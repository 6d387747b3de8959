#include "tool/input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/check.hpp"
#include "measure/host/large_file.hpp"
#include "measure/shortened.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

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
                              measure::shortened(path), what));
}

[[noreturn]] void refuse_errno(const std::string& path, int error) {
  if (error == ENOENT) refuse(path, "does not exist");
  refuse(path, fmt::format("cannot be read ({})", std::strerror(error)).c_str());
}

std::string usual_file() {
  if (std::optional<std::string> path = measure::large_file()) return *path;
  throw ToolError(
      "none of the large files that a system should have is here; name one with --file");
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
  file.path = path.has_value() ? *path : usual_file();

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
