// Which objects in shared memory are taken for templates: those that nobody who is not trusted can
// change, or cut, while they are mapped. A page that is cut off is SIGBUS for whoever touches it.

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "os/shared_memory.hpp"
#include "os/syscall.hpp"
#include "os/system_file.hpp"

namespace cow::os {

namespace {

[[noreturn]] void refuse_object(int error, const std::string& name, const std::string& what) {
  throw_system_error(error, "attach",
                     std::string("'").append(path_of_object(name)).append("' ").append(what));
}

[[noreturn]] void refuse_descriptor(int error, int descriptor, const std::string& what) {
  throw_system_error(error, "attach", "descriptor " + std::to_string(descriptor) + " " + what);
}

// What tells whose an object is, and could not be read.
[[noreturn]] void refuse_unknown_owner(int error, const std::string& name, const char* path) {
  refuse_object(error, name,
                std::string("cannot be trusted as long as ") + path +
                    ", which tells whether this process knows its owner, cannot be read");
}

// The number that stands for all users that a user namespace does not know. Where there is no
// /proc, or a security module keeps its settings from everybody, it is what it is by default.
uid_t overflow_user(const std::string& name) {
  constexpr uid_t kByDefault = 65534;
  constexpr const char* kPath = "/proc/sys/kernel/overflowuid";
  const SystemFileStart<32> file(kPath);
  if (file.error() == ENOENT || file.error() == EACCES || file.error() == EPERM) return kByDefault;
  uid_t user = 0;
  const std::string_view text = file.text();
  if (file.error() != 0) refuse_unknown_owner(file.error(), name, kPath);
  if (std::from_chars(text.begin(), text.end(), user).ec != std::errc{}) {
    refuse_unknown_owner(EIO, name, kPath);
  }
  return user;
}

// In a user namespace all users that it does not map look alike, and the process may look like them
// itself: to be of the same number says nothing of them then.
bool is_nobody_known(uid_t user, const std::string& name) {
  if (user != overflow_user(name)) return false;
  constexpr const char* kPath = "/proc/self/uid_map";
  const SystemFileStart<128> file(kPath);
  if (file.error() != 0) refuse_unknown_owner(file.error(), name, kPath);
  const char* at = file.text().begin();
  const char* const end = file.text().end();
  for (const std::uint64_t expected : {0u, 0u, 4294967295u}) {  // one line, for everybody
    at = std::find_if(at, end, [](char c) { return c != ' '; });
    std::uint64_t number = 1;
    const auto [behind, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || number != expected) return true;
    at = behind;
  }
  return false;
}

void check_owner(const std::string& name, const struct stat& status) {
  if (is_nobody_known(status.st_uid, name)) {
    refuse_object(EPERM, name,
                  "belongs to a user whom the user namespace of this process does not know, as in "
                  "a container, and who could change or cut it at any time: have its publisher "
                  "pass a descriptor");
  }
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    refuse_object(EPERM, name,
                  "belongs to user " + std::to_string(status.st_uid) +
                      ", who could change or cut it at any time; a template by name is taken from "
                      "root and from this user alone: have its publisher pass a descriptor");
  }
  // With an access list the group's bits are the most that anybody in the list may do.
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    refuse_object(EPERM, name,
                  "may be written to by others than its owner, who could change or cut it at any "
                  "time: have its publisher pass a descriptor");
  }
}

const char* missing_seal(int seals) noexcept {
  if ((seals & F_SEAL_WRITE) == 0) return "against writing (F_SEAL_WRITE)";
  if ((seals & F_SEAL_SHRINK) == 0) return "against being cut (F_SEAL_SHRINK)";
  if ((seals & F_SEAL_GROW) == 0) return "against growing (F_SEAL_GROW)";
  return nullptr;
}

void check_seals(int descriptor) {
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 && errno == EBADF) refuse_descriptor(EBADF, descriptor, "is not open for reading");
  if (seals < 0) {
    refuse_descriptor(EINVAL, descriptor,
                      "is of nothing that can be sealed, so no template; for an image in a file "
                      "there is Region::load");
  }
  if (const char* const missing = missing_seal(seals)) {
    refuse_descriptor(EPERM, descriptor,
                      std::string("is of memory that is not sealed ") + missing +
                          ": whoever sent it could still change it; publish(snapshot) makes one "
                          "that is");
  }
  struct statfs system {};
  // Its pages are larger than the host's, and cannot be mapped one by one.
  if (::fstatfs(descriptor, &system) == 0 && system.f_type == HUGETLBFS_MAGIC) {
    refuse_descriptor(EINVAL, descriptor, "is of huge pages (MFD_HUGETLB), so no template");
  }
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY) {
    refuse_descriptor(EBADF, descriptor, "is not open for reading");
  }
}

}  // namespace

ReadableFile open_trusted_object(const std::string& name) {
  const auto refuse_kind = [&] {
    refuse_object(ENOTSUP, name, "is no object in shared memory, but a pipe, a link or the like");
  };
  // What is under the name may become something else at any moment: it is looked at once it is
  // open. Not by way of the C library, whose shm_open() waits for the other end of a pipe. What can
  // be seen before is not opened at all.
  const std::string path = path_of_object(name);
  struct stat status {};
  const auto look = [&] { return ::lstat(path.c_str(), &status); };
  if (uninterrupted_by_libc(look) == 0 && !S_ISREG(status.st_mode)) refuse_kind();
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY;
  const int number = uninterrupted_by_libc([&] { return ::open(path.c_str(), kFlags); });
  const int error = number < 0 ? errno : 0;
  if (error == ENOENT) {
    refuse_object(ENOENT, name,
                  "is not there: nothing was published under that name, or it was unpublished, or "
                  "this process has a /dev/shm of its own, as in a container, where a descriptor "
                  "can be passed to it");
  }
  if (error == EACCES) {
    refuse_object(EACCES, name,
                  "may not be read by this user: see PublishOptions::mode, or have its publisher "
                  "pass a descriptor");
  }
  if (error == ELOOP || error == ENXIO) refuse_kind();  // a link, a socket
  if (error != 0) refuse_object(error, name, "could not be opened");
  Descriptor opened(number);
  if (!opened.is_open() || ::fstat(opened.number(), &status) != 0) {
    refuse_object(errno, name, "could not be looked at");
  }
  if (!S_ISREG(status.st_mode)) refuse_kind();
  check_owner(name, status);
  return ReadableFile::of(std::move(opened), path);
}

ReadableFile open_sealed_object(int descriptor) {
  check_seals(descriptor);
  // One that may write is opened again for reading: see NewSealedObject::seal().
  int number = -1;
  if ((::fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_RDONLY) {
    const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
    const auto open_again = [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); };
    number = uninterrupted_by_libc(open_again);
  }
  if (number < 0) number = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (number < 0) refuse_descriptor(errno, descriptor, "could not be duplicated");
  Descriptor opened(number);
  return ReadableFile::of(std::move(opened), "descriptor " + std::to_string(descriptor));
}

}  // namespace cow::os
