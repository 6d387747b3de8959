#include "bench_folder.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "session.hpp"

namespace cow_bench {

namespace fs = std::filesystem;

namespace {

fs::path chosen(const char* variable, const char* otherwise) {
  const char* const where = std::getenv(variable);
  return where != nullptr ? where : otherwise;
}

int open_or_refuse(const fs::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0) refuse(errno, path);
  return file;
}

}  // namespace

void refuse(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

Folder::Folder(const fs::path& where) {
  std::string name = where / "cow-bench-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) refuse(errno, name);
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path Folder::in_memory() { return chosen("COW_BENCH_FOLDER", "/dev/shm"); }
fs::path Folder::on_disk() { return chosen("COW_BENCH_DISK_FOLDER", "/var/tmp"); }

bool is_in_memory(const fs::path& folder) {
  struct statfs status {};
  return ::statfs(folder.c_str(), &status) == 0 &&
         (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

cow::Region filled_region(std::size_t bytes) {
  cow::Region region = cow::Region::create(bytes);
  auto* const words = reinterpret_cast<std::uint64_t*>(region.data());
  for (std::size_t i = 0; i < bytes / sizeof(*words); ++i) words[i] = i * 0x9e3779b97f4a7c15U + 1;
  return region;
}

void write_file(const fs::path& path, const cow::Region& content, std::size_t copies) {
  const int file = open_or_refuse(path, O_WRONLY | O_CREAT | O_TRUNC);
  for (std::size_t copy = 0; copy < copies; ++copy) {
    for (std::size_t at = 0; at < content.size(); at += mib) {
      if (::write(file, content.data() + at, mib) != static_cast<ssize_t>(mib)) refuse(errno, path);
    }
  }
  ::close(file);
}

void sync_file(const fs::path& path) {
  const int file = open_or_refuse(path, O_RDONLY);
  if (::fsync(file) != 0) refuse(errno, path);
  ::close(file);
}

}  // namespace cow_bench
