#include "base/refusal.hpp"

#include <cerrno>

#include "base/error.hpp"

namespace cow {

namespace {

bool is_about_mappings(std::string_view call) noexcept {
  return call == "mmap" || call == "mprotect" || call == "madvise";
}

}  // namespace

std::string_view why_refused(int error, std::string_view call) noexcept {
  switch (error) {
    case ENOMEM:
      return is_about_mappings(call)
                 ? "no memory is left for it, or this process has used up its addresses or "
                   "mappings (see ulimit -v and vm.max_map_count)"
                 : "no memory is left for it";
    case ENOSPC: return "no memory is left for it";  // frame files lie in memory
    case EAGAIN:
      return is_about_mappings(call)
                 ? "more memory would be locked than this process may lock (see mlockall and "
                   "ulimit -l)"
                 : "";
    case EFAULT:
      return call == "pwrite"
                 ? "the bytes to be copied cannot be read: a file that was opened may have become "
                   "shorter, or something else was mapped there"
                 : "";
    case EIO:
      return "what holds its bytes has failed: a disk, or a file that was opened and has become "
             "shorter";
    case EFBIG: return "this process may not make files so large (see ulimit -f)";
    case EMFILE: return "this process may not open more descriptors (see ulimit -n)";
    case ENFILE: return "the whole system may not open more files (see fs.file-max)";
    case EBADF: return "a descriptor that libcow opened was closed by the program";
    case EPERM:
    case EACCES: return "a rule of this system forbids it, a filter or a security module perhaps";
    case ENOSYS: return "this kernel, or a filter, does not let it be called";
    default: return "";
  }
}

void throw_refused(int error, const char* call, const std::string& what) {
  const std::string_view why = why_refused(error, call);
  throw_system_error(error, call, why.empty() ? what : std::string(what).append("; ").append(why));
}

}  // namespace cow
