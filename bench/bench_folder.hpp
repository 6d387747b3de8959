#pragma once

// Files of a benchmark's own.

#include <cow/region.hpp>

#include <cstddef>
#include <filesystem>
#include <string>

namespace cow_bench {

/// Throws std::system_error.
[[noreturn]] void refuse(int error, const std::string& what);

/// A folder that is gone at the end, with all that is in it.
class Folder {
 public:
  /// In `where`. Throws std::system_error.
  explicit Folder(const std::filesystem::path& where = in_memory());
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  /// COW_BENCH_FOLDER, or /dev/shm: a file system in memory.
  static std::filesystem::path in_memory();
  /// COW_BENCH_DISK_FOLDER, or /var/tmp.
  static std::filesystem::path on_disk();

  [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Whether files there never reach a disk.
[[nodiscard]] bool is_in_memory(const std::filesystem::path& folder);

/// Every word of every page another: nothing is left out as zeros.
[[nodiscard]] cow::Region filled_region(std::size_t bytes);

/// A file of `copies` times the bytes of `content`. Throws std::system_error.
void write_file(const std::filesystem::path& path, const cow::Region& content, std::size_t copies);

/// Until its bytes are on the disk, if it is on one. Throws std::system_error.
void sync_file(const std::filesystem::path& path);

}  // namespace cow_bench
