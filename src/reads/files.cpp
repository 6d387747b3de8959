// Files: what reads them, and what tells about them.

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>

#include "reads/interpose.hpp"

COW_READS_MEMBER(files)

// ---- Bytes --------------------------------------------------------------------------------------

COW_READS(ssize_t, read, (int file, void* to, size_t bytes), (file, to, bytes), {to, bytes})
COW_READS(ssize_t, pread, (int file, void* to, size_t bytes, off_t at), (file, to, bytes, at),
          {to, bytes})
COW_READS(ssize_t, pread64, (int file, void* to, size_t bytes, off64_t at), (file, to, bytes, at),
          {to, bytes})
COW_READS(ssize_t, getrandom, (void* to, size_t bytes, unsigned flags), (to, bytes, flags),
          {to, bytes})
COW_READS(int, getentropy, (void* to, size_t bytes), (to, bytes), {to, bytes})

// What a program calls that was built with _FORTIFY_SOURCE. `room` is what its compiler knows.
COW_READS(ssize_t, __read_chk, (int file, void* to, size_t bytes, size_t room),
          (file, to, bytes, room), {to, bytes})
COW_READS(ssize_t, __pread_chk, (int file, void* to, size_t bytes, off_t at, size_t room),
          (file, to, bytes, at, room), {to, bytes})
COW_READS(ssize_t, __pread64_chk, (int file, void* to, size_t bytes, off64_t at, size_t room),
          (file, to, bytes, at, room), {to, bytes})

namespace {

/// Calls `call` with leases on what the vectors name.
template <class Function>
ssize_t into_vectors(const iovec* to, int count, const Function& call) {
  const bool none = to == nullptr || count <= 0 || count > IOV_MAX;  // the kernel refuses the rest
  return cow::reads::with_leases<ssize_t>(to, none ? to : to + count, call);
}

}  // namespace

/// The same as COW_READS, for memory that an array `to` of `count` vectors names.
#define COW_READS_VECTORS(name, parameters, arguments)                                \
  COW_READS_NEXT(name)                                                                \
  COW_READS_OURS ssize_t name parameters {                                            \
    const auto real = COW_READS_REAL(name);                                           \
    if (real == nullptr) return cow::reads::missing<ssize_t>();                       \
    return into_vectors(to, static_cast<int>(count), [&] { return real arguments; }); \
  }

COW_READS_VECTORS(readv, (int file, const iovec* to, int count), (file, to, count))
COW_READS_VECTORS(preadv, (int file, const iovec* to, int count, off_t at), (file, to, count, at))
COW_READS_VECTORS(preadv64, (int file, const iovec* to, int count, off64_t at),
                  (file, to, count, at))
COW_READS_VECTORS(preadv2, (int file, const iovec* to, int count, off_t at, int flags),
                  (file, to, count, at, flags))
COW_READS_VECTORS(preadv64v2, (int file, const iovec* to, int count, off64_t at, int flags),
                  (file, to, count, at, flags))
COW_READS_VECTORS(process_vm_readv,
                  (pid_t process, const iovec* to, unsigned long count, const iovec* from,
                   unsigned long from_count, unsigned long flags) noexcept,
                  (process, to, count, from, from_count, flags))

// The positions that these move on.
COW_READS(ssize_t, sendfile, (int to, int from, off_t* at, size_t bytes) noexcept,
          (to, from, at, bytes), {at, sizeof(*at)})
COW_READS(ssize_t, sendfile64, (int to, int from, off64_t* at, size_t bytes) noexcept,
          (to, from, at, bytes), {at, sizeof(*at)})
COW_READS(ssize_t, splice,
          (int from, off64_t* from_at, int to, off64_t* to_at, size_t bytes, unsigned flags),
          (from, from_at, to, to_at, bytes, flags), {from_at, sizeof(*from_at)},
          {to_at, sizeof(*to_at)})
COW_READS(ssize_t, copy_file_range,
          (int from, off64_t* from_at, int to, off64_t* to_at, size_t bytes, unsigned flags),
          (from, from_at, to, to_at, bytes, flags), {from_at, sizeof(*from_at)},
          {to_at, sizeof(*to_at)})

// ---- Folders and names --------------------------------------------------------------------------

COW_READS(ssize_t, getdents64, (int folder, void* to, size_t bytes) noexcept, (folder, to, bytes),
          {to, bytes})
COW_READS(ssize_t, getdirentries, (int folder, char* to, size_t bytes, off_t* base) noexcept,
          (folder, to, bytes, base), {to, bytes})
COW_READS(ssize_t, getdirentries64, (int folder, char* to, size_t bytes, off64_t* base) noexcept,
          (folder, to, bytes, base), {to, bytes})
COW_READS(ssize_t, readlink, (const char* path, char* to, size_t bytes) noexcept, (path, to, bytes),
          {to, bytes})
COW_READS(ssize_t, readlinkat, (int folder, const char* path, char* to, size_t bytes) noexcept,
          (folder, path, to, bytes), {to, bytes})
COW_READS(ssize_t, __readlink_chk, (const char* path, char* to, size_t bytes, size_t room),
          (path, to, bytes, room), {to, bytes})
COW_READS(ssize_t, __readlinkat_chk,
          (int folder, const char* path, char* to, size_t bytes, size_t room),
          (folder, path, to, bytes, room), {to, bytes})
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
COW_READS(char*, getwd, (char* to) noexcept, (to), {to, PATH_MAX})
#pragma GCC diagnostic pop
COW_READS(char*, __getwd_chk, (char* to, size_t room), (to, room), {to, room})
COW_READS(char*, __getcwd_chk, (char* to, size_t bytes, size_t room), (to, bytes, room),
          {to, bytes})
COW_READS(ssize_t, getxattr, (const char* path, const char* name, void* to, size_t bytes) noexcept,
          (path, name, to, bytes), {to, bytes})
COW_READS(ssize_t, lgetxattr, (const char* path, const char* name, void* to, size_t bytes) noexcept,
          (path, name, to, bytes), {to, bytes})
COW_READS(ssize_t, fgetxattr, (int file, const char* name, void* to, size_t bytes) noexcept,
          (file, name, to, bytes), {to, bytes})
COW_READS(ssize_t, listxattr, (const char* path, char* to, size_t bytes) noexcept,
          (path, to, bytes), {to, bytes})
COW_READS(ssize_t, llistxattr, (const char* path, char* to, size_t bytes) noexcept,
          (path, to, bytes), {to, bytes})
COW_READS(ssize_t, flistxattr, (int file, char* to, size_t bytes) noexcept, (file, to, bytes),
          {to, bytes})

namespace {

// A folder is read into memory behind the DIR, which libc takes from malloc: this much and a little
// for its head, unless the file system asks for more.
constexpr size_t kFolderBytes = (size_t{32} << 10) + 256;

}  // namespace

COW_READS(dirent*, readdir, (DIR * folder), (folder), {folder, kFolderBytes})
COW_READS(dirent64*, readdir64, (DIR * folder), (folder), {folder, kFolderBytes})

COW_READS_NEXT(getcwd)
/// Without a buffer libc takes one from malloc, which may be a region's memory: leased here.
COW_READS_OURS char* getcwd(char* to, size_t bytes) noexcept {
  const auto real = COW_READS_REAL(getcwd);
  if (to != nullptr) {
    return cow::reads::with_leases<char*>({{to, bytes}}, [&] { return real(to, bytes); });
  }
  char path[PATH_MAX];
  const auto call = [&] { return real(path, sizeof(path)); };
  if (cow::reads::with_leases<char*>({{path, sizeof(path)}}, call) == nullptr) return nullptr;
  const size_t length = std::strlen(path) + 1;
  if (bytes != 0 && bytes < length) {
    errno = ERANGE;
    return nullptr;
  }
  // NOLINTNEXTLINE(cppcoreguidelines-no-malloc): the caller gives it to free()
  void* const made = std::malloc(bytes != 0 ? bytes : length);
  return made == nullptr ? nullptr : static_cast<char*>(std::memcpy(made, path, length));
}

// ---- Facts --------------------------------------------------------------------------------------

COW_READS(int, stat, (const char* path, struct stat* to) noexcept, (path, to), {to, sizeof(*to)})
COW_READS(int, lstat, (const char* path, struct stat* to) noexcept, (path, to), {to, sizeof(*to)})
COW_READS(int, fstat, (int file, struct stat* to) noexcept, (file, to), {to, sizeof(*to)})
COW_READS(int, fstatat, (int folder, const char* path, struct stat* to, int flags) noexcept,
          (folder, path, to, flags), {to, sizeof(*to)})
COW_READS(int, stat64, (const char* path, struct stat64* to) noexcept, (path, to),
          {to, sizeof(*to)})
COW_READS(int, lstat64, (const char* path, struct stat64* to) noexcept, (path, to),
          {to, sizeof(*to)})
COW_READS(int, fstat64, (int file, struct stat64* to) noexcept, (file, to), {to, sizeof(*to)})
COW_READS(int, fstatat64, (int folder, const char* path, struct stat64* to, int flags) noexcept,
          (folder, path, to, flags), {to, sizeof(*to)})
COW_READS(int, statx,
          (int folder, const char* path, int flags, unsigned mask, struct statx* to) noexcept,
          (folder, path, flags, mask, to), {to, sizeof(*to)})
COW_READS(int, statfs, (const char* path, struct statfs* to) noexcept, (path, to),
          {to, sizeof(*to)})
COW_READS(int, fstatfs, (int file, struct statfs* to) noexcept, (file, to), {to, sizeof(*to)})
COW_READS(int, statfs64, (const char* path, struct statfs64* to) noexcept, (path, to),
          {to, sizeof(*to)})
COW_READS(int, fstatfs64, (int file, struct statfs64* to) noexcept, (file, to), {to, sizeof(*to)})
COW_READS(int, name_to_handle_at,
          (int folder, const char* path, file_handle* to, int* mount, int flags) noexcept,
          (folder, path, to, mount, flags),
          {to, sizeof(*to) + (to == nullptr ? 0 : to->handle_bytes)}, {mount, sizeof(*mount)})

// What programs call that were built with a glibc before 2.33.
COW_READS(int, __xstat, (int version, const char* path, struct stat* to), (version, path, to),
          {to, sizeof(*to)})
COW_READS(int, __lxstat, (int version, const char* path, struct stat* to), (version, path, to),
          {to, sizeof(*to)})
COW_READS(int, __fxstat, (int version, int file, struct stat* to), (version, file, to),
          {to, sizeof(*to)})
COW_READS(int, __fxstatat, (int version, int folder, const char* path, struct stat* to, int flags),
          (version, folder, path, to, flags), {to, sizeof(*to)})
COW_READS(int, __xstat64, (int version, const char* path, struct stat64* to), (version, path, to),
          {to, sizeof(*to)})
COW_READS(int, __lxstat64, (int version, const char* path, struct stat64* to), (version, path, to),
          {to, sizeof(*to)})
COW_READS(int, __fxstat64, (int version, int file, struct stat64* to), (version, file, to),
          {to, sizeof(*to)})
COW_READS(int, __fxstatat64,
          (int version, int folder, const char* path, struct stat64* to, int flags),
          (version, folder, path, to, flags), {to, sizeof(*to)})
