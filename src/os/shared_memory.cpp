#include "os/shared_memory.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/error.hpp"
#include "os/object_names.hpp"
#include "os/syscall.hpp"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3; older kernels say EINVAL
#endif

namespace cow::os {

namespace {

// POSIX has no way to give an object its name when it is complete, or to rename it. On Linux
// objects are files in this folder: shm_open(3) says so, of glibc as of musl, and there they can be
// linked, and opened without waiting for anybody.
constexpr const char* kFolder = "/dev/shm";

const char* reason_of(int error) noexcept {
  switch (error) {
    case ENOSPC: return "; /dev/shm, or what this process may take of memory, is full";
    case ENOMEM: return "; no memory is left for it";
    case EMFILE: return "; this process may not open more descriptors (see ulimit -n)";
    default: return "";
  }
}

std::string path_of(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

int memory_file(unsigned more_flags) noexcept {
  return static_cast<int>(raw_syscall(SYS_memfd_create, argument("cow-template"),
                                      MFD_CLOEXEC | MFD_ALLOW_SEALING | more_flags));
}

}  // namespace

std::string path_of_object(const std::string& name) {
  return std::string(kFolder).append("/").append(name);
}

void MemoryFile::refuse(int error, const char* call, const std::string& what) const {
  throw_system_error(error, call, title_ + " " + what + reason_of(error));
}

void MemoryFile::resize(std::uint64_t bytes) {
  if (bytes > writable_room_bytes()) {
    refuse(EFBIG, "ftruncate", "would become larger than this process may make a file (ulimit -f)");
  }
  const auto set_size = [&] {
    return ::ftruncate(descriptor_.number(), static_cast<off_t>(bytes));
  };
  if (uninterrupted_by_libc(set_size) != 0) refuse(errno, "ftruncate", "could not get its size");
}

// Within what resize() has checked.
void MemoryFile::write(const std::byte* source, std::size_t bytes, FileOffset to) {
  const int error = write_frames(descriptor_.name(), source, bytes, to);
  if (error != 0) refuse(error, "pwrite", "could not be filled; nothing of it is left");
}

// Written: what was only allocated still counts as a hole, which nobody can tell from one that
// takes memory later.
void MemoryFile::fill_holes(FileOffset from, std::uint64_t end) {
  const DescriptorName& file = descriptor_.name();
  for (std::uint64_t at = from.bytes;;) {
    std::uint64_t hole = end;
    int error = find_hole(file, at, hole);
    if (error != 0) refuse(error, "lseek", "could not be looked through; nothing of it is left");
    if (hole >= end) return;
    at = std::min(next_data(file, hole), end);
    error = zero_frames(file, {hole}, at - hole);
    if (error != 0) {
      refuse(error, "pwrite",
             "could not get memory for the zeros between its data; nothing of it is left");
    }
  }
}

NewNamedObject::NewNamedObject(std::string name)
    : MemoryFile(std::string("'").append(path_of_object(name)).append("'")),
      name_(std::move(name)) {
  struct stat status {};
  const std::string path = path_of_object(name_);
  const auto look = [&] { return ::lstat(path.c_str(), &status); };
  if (uninterrupted_by_libc(look) == 0) refuse_name();  // before gigabytes are copied
  open_unnamed();
  if (!descriptor_.is_open()) open_unfinished();
}

void NewNamedObject::refuse_name() const {
  refuse(EEXIST, "publish",
         "is there already: the name is taken; unpublish it first, or take another name");
}

void NewNamedObject::open_unnamed() {
  const int number = uninterrupted_by_libc(
      [&] { return ::open(kFolder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR); });
  if (number < 0) {
    // Kernels and file systems without nameless files say one of these.
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) return;
    const int error = errno;
    refuse(error, "open",
           error == ENOENT || error == ENOTDIR
               ? "cannot be made: there is no folder /dev/shm here; publish to a descriptor"
               : "cannot be made");
  }
  if (::access(path_of(number).c_str(), F_OK) != 0) {  // no /proc, as in a chroot
    ::close(number);
    return;
  }
  descriptor_ = Descriptor(number);
  if (!descriptor_.is_open()) refuse(errno, "fstat", "could not be looked at");
}

void NewNamedObject::open_unfinished() {
  std::uint64_t word = 0;
  fill_randomly(reinterpret_cast<std::byte*>(&word), sizeof(word));
  char suffix[32];
  std::snprintf(suffix, sizeof(suffix), "%016llx", static_cast<unsigned long long>(word));
  unfinished_ = std::string(unfinished_prefix).append(suffix);
  const int error = create_object(unfinished_.c_str(), descriptor_);
  if (error == 0) return;
  unfinished_.clear();
  refuse(error, "shm_open", "cannot be made");
}

NewNamedObject::~NewNamedObject() {
  if (!unfinished_.empty()) remove_object(unfinished_.c_str());
}

void NewNamedObject::allocate(std::uint64_t bytes) {
  const int error = allocate_frames(descriptor_.name(), {0}, bytes);
  if (error == 0) return;
  refuse(error, "fallocate",
         "could not get memory for the zeros between its data (see PublishOptions::reserve_zeros); "
         "nothing of it is left");
}

void NewNamedObject::link(mode_t mode) {
  const auto set_mode = [&] { return ::fchmod(descriptor_.number(), mode); };
  if (uninterrupted_by_libc(set_mode) != 0) refuse(errno, "fchmod", "could not get its mode");
  const std::string from =
      unfinished_.empty() ? path_of(descriptor_.number()) : path_of_object(unfinished_);
  const std::string path = path_of_object(name_);
  const auto give_name = [&] {
    return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(),
                    unfinished_.empty() ? AT_SYMLINK_FOLLOW : 0);
  };
  if (uninterrupted_by_libc(give_name) == 0) return;
  if (errno == EEXIST) refuse_name();
  refuse(errno, "linkat", "could not be given its name");
}

NewSealedObject::NewSealedObject() : MemoryFile("a template without a name") {
  int number = memory_file(MFD_NOEXEC_SEAL);
  if (number == -EINVAL) {
    number = memory_file(0);
    if (number >= 0) ::fchmod(number, S_IRUSR | S_IWUSR);  // memfds of old start out executable
  }
  if (number < 0) refuse(-number, "memfd_create", "cannot be made");
  descriptor_ = Descriptor(number);
  if (!descriptor_.is_open()) refuse(errno, "fstat", "could not be looked at");
}

int NewSealedObject::seal() {
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (::fcntl(descriptor_.number(), F_ADD_SEALS, kSeals) != 0) {
    refuse(errno, "fcntl(F_ADD_SEALS)", "could not be sealed");
  }
  // Before Linux 6.7 what is sealed against writing cannot be mapped shared by a descriptor that
  // may write. Where there is no /proc it is that one, and newer kernels take it.
  const std::string path = path_of(descriptor_.number());
  const auto open_again = [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); };
  int number = uninterrupted_by_libc(open_again);
  if (number < 0) number = ::fcntl(descriptor_.number(), F_DUPFD_CLOEXEC, 0);
  if (number < 0) refuse(errno, "open", "could not be opened again");
  return number;
}

}  // namespace cow::os
