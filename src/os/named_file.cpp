#include "os/named_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/error.hpp"
#include "os/signal_mask.hpp"
#include "os/syscall.hpp"

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

[[noreturn]] void refuse_kind(const std::string& name, mode_t mode,
                              const char* advice = "give the name of a regular file") {
  throw_system_error(S_ISDIR(mode) ? EISDIR : ENOTSUP, "open",
                     "'" + name + "' " + kind_of(mode) + "; " + advice);
}

// Not `literal + string`, in which GCC 12 at -O3 sees an overlapping copy.
std::string quoted(const std::filesystem::path& path) {
  return std::string("'").append(path.string()).append("'");
}

int open_again(const char* path, int flags, mode_t mode = 0) {
  return uninterrupted_by_libc([&] { return ::open(path, flags, mode); });
}

int sync(const Descriptor& file) {
  return uninterrupted_by_libc([&] { return ::fsync(file.number()); });
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

// Gives a new file the owner of the one it is to replace, as far as that is allowed, and its mode.
// 0 or an errno value. What was granted to a group must not go to another one, which then is one of
// all others; and nobody may run as an owner that the file does not have any more.
int take_after(int file, const struct stat& before) {
  mode_t mode = before.st_mode & 07777;
  const auto give_to = [&](uid_t owner, gid_t group) {
    return uninterrupted_by_libc([&] { return ::fchown(file, owner, group); }) == 0;
  };
  constexpr auto kSameOwner = static_cast<uid_t>(-1);
  constexpr auto kSameGroup = static_cast<gid_t>(-1);
  const bool has_group = give_to(kSameOwner, before.st_gid);
  const bool has_owner = give_to(before.st_uid, kSameGroup);
  if (!has_owner) mode &= ~static_cast<mode_t>(S_ISUID);
  if (!has_group) {
    const mode_t others = mode & S_IRWXO;
    mode = (mode & ~static_cast<mode_t>(S_ISGID | S_IRWXG)) | (mode & (others << 3));
  }
  const auto set_mode = [&] { return ::fchmod(file, mode); };
  const int error = uninterrupted_by_libc(set_mode) == 0 ? 0 : errno;
  // A file system without modes gives every file the same.
  return error == EPERM || error == EOPNOTSUPP || error == ENOSYS ? 0 : error;
}

std::string path_of(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

// Whether a file without a name can get one at last: in a chroot there may be no /proc.
bool can_be_named(int descriptor) { return ::access(path_of(descriptor).c_str(), F_OK) == 0; }

}  // namespace

ReadableFile ReadableFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: a pipe that nobody writes to would keep us waiting.
  const int number = open_again(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (number < 0) {
    const int error = errno;
    throw_system_error(error, "open", quoted(path) + " could not be opened for reading");
  }
  Descriptor opened(number);  // has an owner before anything is allocated
  return of(std::move(opened), path.string());
}

ReadableFile ReadableFile::of(Descriptor descriptor, std::string name) {
  return look_at(std::move(descriptor), std::move(name), "give the name of a regular file");
}

ReadableFile ReadableFile::open(int descriptor) {
  std::string name = "descriptor " + std::to_string(descriptor);
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0) {
    throw_system_error(EBADF, "open",
                       "'" + name + "' is not open; give one of a regular file, open for reading");
  }
  if ((flags & O_ACCMODE) == O_WRONLY) {
    throw_system_error(EACCES, "open",
                       "'" + name + "' is open for writing alone; open the file for reading, too");
  }
  // Before it is opened anew: with some devices that alone does something.
  const char* const advice = "give a descriptor of a regular file";
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    const int error = errno;
    throw_system_error(error, "fstat", "'" + name + "' could not be looked at");
  }
  if (!S_ISREG(status.st_mode)) refuse_kind(name, status.st_mode, advice);
  int number =
      open_again(path_of(descriptor).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (number < 0) number = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (number < 0) {
    const int error = errno;
    throw_system_error(error, "fcntl", "'" + name + "' could not be duplicated");
  }
  return look_at(Descriptor(number), std::move(name), advice);
}

ReadableFile ReadableFile::look_at(Descriptor descriptor, std::string name, const char* advice) {
  struct stat status {};
  if (!descriptor.is_open() || ::fstat(descriptor.number(), &status) != 0) {
    const int error = errno;
    throw_system_error(error, "fstat", "'" + name + "' could not be looked at");
  }
  if (!S_ISREG(status.st_mode)) refuse_kind(name, status.st_mode, advice);
  return {std::move(descriptor), std::move(name), static_cast<std::uint64_t>(status.st_size)};
}

void ReadableFile::read(std::byte* target, std::size_t bytes, FileOffset from) const {
  const int error = read_frames(descriptor_.name(), target, bytes, from);
  if (error == 0) return;
  throw_system_error(error, "pread",
                     "'" + name_ + "' could not be read at byte " + std::to_string(from.bytes) +
                         (error == EIO ? "; its disk has failed, or it has become shorter" : ""));
}

std::uint64_t ReadableFile::next_data(std::uint64_t from) const noexcept {
  return std::min(os::next_data(descriptor_.name(), from), bytes_);
}

std::uint64_t ReadableFile::next_hole(std::uint64_t from) const noexcept {
  return std::min(os::next_hole(descriptor_.name(), from), bytes_);
}

ReplacementFile::ReplacementFile(std::filesystem::path path)
    : path_(std::move(path)), folder_(path_.parent_path().empty() ? "." : path_.parent_path()) {
  if (path_.filename().empty()) refuse(EINVAL, "open", "is not the name of a file");
  struct stat status {};
  const auto look = [&] { return ::lstat(path_.c_str(), &status); };
  if (uninterrupted_by_libc(look) != 0 || S_ISLNK(status.st_mode)) {
    open_temporary(0666);  // less the umask, as with any new file
    return;
  }
  if (!S_ISREG(status.st_mode)) refuse_kind(path_.string(), status.st_mode);
  open_temporary(S_IRUSR | S_IWUSR);
  const int error = take_after(descriptor_.number(), status);
  if (error == 0) return;
  remove_temporary();
  refuse(error, "fchmod", "could not be written: the new file could not be given its mode");
}

void ReplacementFile::open_temporary(mode_t mode) {
  int number = open_again(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  // Kernels and file systems without nameless files say one of these.
  bool needs_name = number < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
  if (number >= 0 && !can_be_named(number)) {
    ::close(number);
    needs_name = true;
  }
  if (needs_name) {
    temporary_ = folder_ / temporary_name(path_);
    number = open_again(temporary_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode);
    if (number < 0) temporary_.clear();
  }
  if (number < 0) refuse(errno, "open", "could not be written: no file can be made beside it");
  descriptor_ = Descriptor(number);
  if (!descriptor_.is_open()) {
    const int error = errno;
    remove_temporary();
    refuse(error, "fstat", "could not be written: the new file could not be looked at");
  }
}

ReplacementFile::~ReplacementFile() { remove_temporary(); }

void ReplacementFile::remove_temporary() noexcept {
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
  const auto set_size = [&] {
    return ::ftruncate(descriptor_.number(), static_cast<off_t>(bytes));
  };
  if (uninterrupted_by_libc(set_size) == 0) return;
  refuse(errno, "ftruncate", "could not be given its size");
}

void ReplacementFile::write(const std::byte* source, std::size_t bytes, FileOffset to) {
  check_room(to.bytes + bytes);
  const int error = write_frames(descriptor_.name(), source, bytes, to);
  if (error != 0) refuse(error, "pwrite", "could not be written; what was there before still is");
  begin_write_back(to.bytes + bytes);
}

// What was written goes to the disk while more is read and written, and not all of it in commit().
// A wish: where it is refused, commit() does it all.
void ReplacementFile::begin_write_back(std::uint64_t written) noexcept {
  constexpr std::uint64_t kWorthACall = std::uint64_t{8} << 20;
  if (written < on_the_way_ + kWorthACall) return;
  ::sync_file_range(descriptor_.number(), static_cast<off64_t>(on_the_way_),
                    static_cast<off64_t>(written - on_the_way_), SYNC_FILE_RANGE_WRITE);
  on_the_way_ = written;
}

std::byte* ReplacementFile::allocate_and_map(std::size_t bytes) {
  check_room(bytes);
  int error = EINTR;
  {
    const SignalsMasked no_signal_begins_it_anew;
    while (error == EINTR) {
      error = ::posix_fallocate(descriptor_.number(), 0, static_cast<off_t>(bytes));
    }
  }
  if (error != 0) {
    refuse(error, "posix_fallocate",
           error == ENOSPC ? "has no room on its disk; what was there before still is"
                           : "could not be given its room; what was there before still is");
  }
  void* const address =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_.number(), 0);
  if (address == MAP_FAILED) refuse(errno, "mmap", "could not be mapped");
  return static_cast<std::byte*>(address);
}

void unmap_shared(std::byte* address, std::size_t bytes) noexcept { ::munmap(address, bytes); }

void ReplacementFile::commit() {
  if (sync(descriptor_) != 0) {
    refuse(errno, "fsync", "could not be brought to the disk; what was there before still is");
  }
  if (temporary_.empty()) {
    const std::string open_file = path_of(descriptor_.number());
    temporary_ = folder_ / temporary_name(path_);
    const auto link = [&] {
      return ::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW);
    };
    if (uninterrupted_by_libc(link) != 0) {
      const int error = errno;
      temporary_.clear();
      refuse(error, "linkat", "could not be given a name; what was there before still is");
    }
  }
  const Descriptor folder(open_again(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) refuse(errno, "open", "cannot be replaced: its folder cannot be opened");
  const auto replace = [&] { return ::rename(temporary_.c_str(), path_.c_str()); };
  if (uninterrupted_by_libc(replace) != 0) {
    refuse(errno, "rename", "could not be replaced; what was there before still is");
  }
  temporary_.clear();
  if (sync(folder) != 0) {
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
