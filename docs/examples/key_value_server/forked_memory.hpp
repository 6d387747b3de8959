#pragma once

// What databases do today: ordinary memory, and a child of fork() that writes it down. The kernel
// copies a page that the parent stores to while the child lives, as many as it likes. It stands
// here for the comparison, with the same segment, containers and commands.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include "memory.hpp"

class ForkedMemory : public Memory {
 public:
  ForkedMemory(const std::filesystem::path& image, std::size_t most_bytes)
      : bytes_(most_bytes),
        begin_(static_cast<char*>(::mmap(nullptr, most_bytes, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    if (begin_ == MAP_FAILED) throw_errno("mmap");
    // As those servers advise: with huge pages each first store would copy 2 MiB.
    if (::madvise(begin_, bytes_, MADV_NOHUGEPAGE) != 0) throw_errno("madvise");
    if (std::filesystem::exists(image)) {
      load(image);
    } else {
      ::new (begin_) cow::SegmentManager(std::size_t{1} << 20, bytes_);
    }
  }
  ~ForkedMemory() override {
    if (child_ != 0) ::waitpid(child_, nullptr, 0);
    ::munmap(begin_, bytes_);
  }

  cow::SegmentManager& segment() override {
    return *reinterpret_cast<cow::SegmentManager*>(begin_);
  }

  /// There is no limit to what fork() takes.
  [[nodiscard]] std::optional<std::size_t> least_limit() const override { return {}; }

  void start_save(const std::filesystem::path& image, std::size_t most_extra_bytes) override {
    if (most_extra_bytes != std::numeric_limits<std::size_t>::max()) {
      throw std::invalid_argument("fork() keeps no limit: CONFIG SET save-limit none");
    }
    const std::string name = image.string();
    const std::string unfinished = name + "." + std::to_string(::getpid());
    start_ = std::chrono::steady_clock::now();
    const pid_t child = ::fork();
    if (child < 0) throw_errno("fork");
    if (child == 0) ::_exit(write_image(unfinished.c_str(), name.c_str()) ? 0 : errno);
    child_ = child;
  }
  [[nodiscard]] bool is_saving() const override { return child_ != 0; }
  [[nodiscard]] pid_t saving_process() const override { return child_; }

  std::optional<SaveResult> finished(bool wait) override {
    int status = 0;
    if (::waitpid(child_, &status, wait ? 0 : WNOHANG) != child_) return {};
    child_ = 0;
    SaveResult result;
    if (!WIFEXITED(status)) result.error = "the process that saved was killed";
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
      result.error = std::strerror(WEXITSTATUS(status));
    }
    result.duration =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    return result;
  }

  void trim() override {
    segment().shrink_to_fit();
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t first = (segment().get_size() + page - 1) / page * page;
    if (first < bytes_) ::madvise(begin_ + first, bytes_ - first, MADV_DONTNEED);
  }

 private:
  static constexpr std::size_t kStep = std::size_t{256} << 10;

  [[noreturn]] static void throw_errno(const char* call) {
    throw std::system_error(errno, std::generic_category(), call);
  }

  // In the child. What is all zeros stays a hole of the file, as in libcow's images.
  bool write_image(const char* unfinished, const char* name) {
    const int file = ::open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::size_t size = segment().get_size();
    bool well = file >= 0 && ::ftruncate(file, static_cast<off_t>(size)) == 0;
    for (std::size_t at = 0; well && at < size; at += kStep) {
      const std::size_t step = std::min(kStep, size - at);
      const char* const bytes = begin_ + at;
      if (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, step - 1) == 0) continue;
      well = ::pwrite(file, bytes, step, static_cast<off_t>(at)) == static_cast<ssize_t>(step);
    }
    return well && ::fsync(file) == 0 && ::rename(unfinished, name) == 0;
  }

  void load(const std::filesystem::path& image) {
    const int file = ::open(image.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw_errno("open");
    const std::size_t size = std::filesystem::file_size(image);
    for (std::size_t at = 0; at < size;) {
      const ssize_t count = ::read(file, begin_ + at, size - at);
      if (count <= 0) throw_errno("read");
      at += static_cast<std::size_t>(count);
    }
    ::close(file);
  }

  std::size_t bytes_;
  char* begin_;
  pid_t child_ = 0;
  std::chrono::steady_clock::time_point start_;
};
