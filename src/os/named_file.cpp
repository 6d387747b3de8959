#include "os/named_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/error.hpp"

namespace cow::os {

namespace {

const char* kind_of(mode_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFDIR: return "is a folder";
    case S_IFIFO: return "is a pipe";
    case S_IFSOCK: return "is a socket";
    case S_IFCHR:
    case S_IFBLK: return "is a device";
    default: return "is not a regular file";
  }
}

[[noreturn]] void refuse_kind(const std::string& name, mode_t mode) {
  throw_system_error(S_ISDIR(mode) ? EISDIR : ENOTSUP, "open",
                     "'" + name + "' " + kind_of(mode) + "; give the name of a regular file");
}

// Not `literal + string`, in which GCC 12 at -O3 sees an overlapping copy.
std::string quoted(const std::filesystem::path& path) {
  return std::string("'").append(path.string()).append("'");
}

// A name that no other file has, in the same folder.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  std::uint64_t word = 0;
  fill_randomly(reinterpret_cast<std::byte*>(&word), sizeof(word));
  char suffix[32];
  std::snprintf(suffix, sizeof(suffix), ".%016llx", static_cast<unsigned long long>(word));
  // Not longer than the name itself can be.
  constexpr std::size_t kMostNameBytes = 200;
  return std::string(".").append(path.filename().string(), 0, kMostNameBytes).append(suffix);
}

}  // namespace

ReadableFile ReadableFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: a pipe that nobody writes to would keep us waiting.
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (number < 0) {
    const int error = errno;
    throw_system_error(error, "open", quoted(path) + " could not be opened for reading");
  }
  Descriptor descriptor(number);
  struct stat status {};
  if (!descriptor.is_open() || ::fstat(descriptor.number(), &status) != 0) {
    const int error = errno;
    throw_system_error(error, "fstat", quoted(path) + " could not be looked at");
  }
  if (!S_ISREG(status.st_mode)) refuse_kind(path.string(), status.st_mode);
  return {std::move(descriptor), path.string(), static_cast<std::uint64_t>(status.st_size)};
}

void ReadableFile::read(std::byte* target, std::size_t bytes, FileOffset from) const {
  const int error = read_frames(descriptor_.number(), target, bytes, from);
  if (error == 0) return;
  throw_system_error(error, "pread",
                     "'" + name_ + "' could not be read at byte " + std::to_string(from.bytes) +
                         "; it may have become shorter meanwhile");
}

std::uint64_t ReadableFile::next_data(std::uint64_t from) const noexcept {
  return std::min(os::next_data(descriptor_.number(), from), bytes_);
}

std::uint64_t ReadableFile::next_hole(std::uint64_t from) const noexcept {
  return std::min(os::next_hole(descriptor_.number(), from), bytes_);
}

ReplacementFile::ReplacementFile(std::filesystem::path path)
    : path_(std::move(path)), folder_(path_.parent_path().empty() ? "." : path_.parent_path()) {
  if (path_.filename().empty()) refuse(EINVAL, "open", "is not the name of a file");
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode) &&
      !S_ISLNK(status.st_mode)) {
    refuse_kind(path_.string(), status.st_mode);
  }
  open_temporary();
}

void ReplacementFile::open_temporary() {
  constexpr mode_t kMode = 0666;  // less the umask, as with any new file
  int number = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, kMode);
  // Kernels and file systems without nameless files say one of these.
  if (number < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    temporary_ = folder_ / temporary_name(path_);
    number = ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kMode);
    if (number < 0) temporary_.clear();
  }
  if (number < 0) refuse(errno, "open", "could not be written: no file can be made beside it");
  descriptor_ = Descriptor(number);
  if (!descriptor_.is_open()) {
    const int error = errno;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    refuse(error, "fstat", "could not be written: the new file could not be looked at");
  }
}

ReplacementFile::~ReplacementFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void ReplacementFile::refuse(int error, const char* call, const char* what) const {
  throw_system_error(error, call, quoted(path_) + " " + what);
}

void ReplacementFile::check_room(std::uint64_t bytes) const {
  if (bytes <= writable_room_bytes()) return;
  refuse(EFBIG, "pwrite", "would become larger than this process may make a file (ulimit -f)");
}

void ReplacementFile::resize(std::uint64_t bytes) {
  check_room(bytes);
  if (::ftruncate(descriptor_.number(), static_cast<off_t>(bytes)) == 0) return;
  refuse(errno, "ftruncate", "could not be given its size");
}

void ReplacementFile::write(const std::byte* source, std::size_t bytes, FileOffset to) {
  check_room(to.bytes + bytes);
  const int error = write_frames(descriptor_.number(), source, bytes, to);
  if (error != 0) refuse(error, "pwrite", "could not be written; what was there before still is");
}

void ReplacementFile::commit() {
  if (::fsync(descriptor_.number()) != 0) {
    refuse(errno, "fsync", "could not be brought to the disk; what was there before still is");
  }
  if (temporary_.empty()) {
    const std::string open_file = "/proc/self/fd/" + std::to_string(descriptor_.number());
    temporary_ = folder_ / temporary_name(path_);
    if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW)) {
      const int error = errno;
      temporary_.clear();
      refuse(error, "linkat", "could not be given a name; what was there before still is");
    }
  }
  const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) refuse(errno, "open", "cannot be replaced: its folder cannot be opened");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    refuse(errno, "rename", "could not be replaced; what was there before still is");
  }
  temporary_.clear();
  if (::fsync(folder.number()) != 0) {
    refuse(
        errno, "fsync",
        "is replaced, but its folder could not be brought to the disk: a power failure may bring "
        "back what was there before");
  }
}

void fill_randomly(std::byte* target, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::getrandom(target + done, bytes - done, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error(errno, "getrandom", "no random number could be had");
    done += static_cast<std::size_t>(got);
  }
}

}  // namespace cow::os
