#include "tool/json_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "measure/shortened.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

/// A new file beside another one; it goes unless it is kept.
class FileBeside {
 public:
  explicit FileBeside(const std::string& target)
      : name_(target + ".XXXXXX"), descriptor_(::mkostemp(name_.data(), O_CLOEXEC)) {}
  ~FileBeside() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    if (!kept_) ::unlink(name_.c_str());
  }
  FileBeside(const FileBeside&) = delete;
  FileBeside& operator=(const FileBeside&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_there() const { return descriptor_ >= 0; }
  [[nodiscard]] bool take_place_of(const std::string& target) {
    kept_ = ::rename(name_.c_str(), target.c_str()) == 0;
    return kept_;
  }

 private:
  std::string name_;
  int descriptor_;
  bool kept_ = false;
};

// 0 or an errno value.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

// 0 or an errno value. The mode of a new file is that which every program's new files have.
int set_mode(int descriptor, mode_t mode) {
  if (mode == 0) {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    mode = 0666 & ~mask;
  }
  return ::fchmod(descriptor, mode & 0777) == 0 ? 0 : errno;
}

// 0 or an errno value of what a write would fail with, too. Some filesystems cannot do it, and a
// filter of system calls may refuse it with any error.
int take_room(int descriptor, std::size_t bytes) {
  const int error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  const bool is_of_room = error == ENOSPC || error == EFBIG || error == EDQUOT || error == EIO;
  return is_of_room ? error : 0;
}

// A file name need not be UTF-8, a JSON document must be.
constexpr auto replaced = nlohmann::ordered_json::error_handler_t::replace;

}  // namespace

std::string one_line(const nlohmann::ordered_json& document) {
  return document.dump(-1, ' ', false, replaced);
}

JsonFile::JsonFile(std::string path, std::string option, std::size_t room_bytes)
    : path_(std::move(path)), option_(std::move(option)), target_(path_) {
  if (path_.empty()) {
    throw ToolError(fmt::format("{} names no file; give it the name of one", option_), exit_usage);
  }
  if (path_ == "-") {
    throw ToolError(fmt::format("{} needs a file here, and '-' is the output; for a file of that "
                                "name give './-'",
                                option_),
                    exit_usage);
  }
  std::error_code ignored;
  if (std::filesystem::is_symlink(path_, ignored)) {
    target_ = std::filesystem::weakly_canonical(path_, ignored).string();
  }
  struct stat status {};
  if (::stat(target_.c_str(), &status) == 0) {
    mode_ = status.st_mode;
    is_ours_alone_ = status.st_uid == ::geteuid() && status.st_nlink == 1;
    if (S_ISDIR(mode_)) refuse(EISDIR);
    if (::access(target_.c_str(), W_OK) != 0) refuse(errno);
  }
  if (!is_replaced()) return;
  const FileBeside trial(target_);
  if (!trial.is_there()) refuse(errno);
  const int error = take_room(trial.descriptor(), room_bytes);
  if (error != 0) refuse(error);
}

// A pipe or a device is written to. So is a file of somebody else's, one that has other names too,
// and one in a folder where no other can be made.
bool JsonFile::is_replaced() const {
  if (mode_ == 0) return true;
  const std::string folder = std::filesystem::path(target_).parent_path().string();
  return S_ISREG(mode_) && is_ours_alone_ &&
         ::access(folder.empty() ? "." : folder.c_str(), W_OK) == 0;
}

void JsonFile::write(const nlohmann::ordered_json& document) const {
  write_text(document.dump(2, ' ', false, replaced) + "\n");
}

void JsonFile::write_text(const std::string& text) const {
  if (is_replaced()) {
    replace_by(text);
  } else {
    write_in_place(text);
  }
}

void JsonFile::replace_by(const std::string& text) const {
  FileBeside file(target_);
  if (!file.is_there()) refuse(errno);
  int error = write_all(file.descriptor(), text);
  if (error == 0) error = set_mode(file.descriptor(), mode_);
  if (error != 0) refuse(error);
  if (!file.take_place_of(target_)) refuse(errno);
}

// The room is taken before anything is written over, and what is behind the end goes last.
void JsonFile::write_in_place(const std::string& text) const {
  const int descriptor = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) refuse(errno);
  int error = 0;
  if (S_ISREG(mode_)) error = take_room(descriptor, text.size());
  if (error == 0) error = write_all(descriptor, text);
  if (error == 0 && S_ISREG(mode_) && ::ftruncate(descriptor, static_cast<off_t>(text.size()))) {
    error = errno;
  }
  ::close(descriptor);
  if (error != 0) refuse(error);
}

void JsonFile::refuse(int error) const {
  throw ToolError(fmt::format("'{}' cannot be written ({}); give {} another file",
                              measure::shortened(path_), std::strerror(error), option_));
}

}  // namespace cow::tool
