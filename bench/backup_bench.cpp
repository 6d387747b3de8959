// A backup with a limit beside fork(), while eight threads store to random pages as fast as they
// can: the memory that comes on top, how long stores pause, how long it takes, how much is stored
// meanwhile. Each image is compared with the bytes at its cut; the exit code is 1 if a page
// differs.
// `./run bench backup`; COW_BENCH_MIB sets the size.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cow/cow.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "counting_storm.hpp"
#include "mm/space/wait_times.hpp"
#include "session.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using cow_bench::CountingStorm;
constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr int kFiller = CountingStorm::kFiller;

/// Memory of the kernel's, in pages of the usual size as such servers are told to, or a file.
class MappedBytes {
 public:
  explicit MappedBytes(std::size_t bytes)
      : MappedBytes(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1) {
    ::madvise(data_, bytes_, MADV_NOHUGEPAGE);
  }
  MappedBytes(const std::filesystem::path& path, std::size_t bytes)
      : MappedBytes(bytes, PROT_READ, MAP_PRIVATE, ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  MappedBytes(const MappedBytes&) = delete;
  MappedBytes& operator=(const MappedBytes&) = delete;
  ~MappedBytes() { ::munmap(data_, bytes_); }

  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(data_); }

 private:
  MappedBytes(std::size_t bytes, int protection, int kind, int file)
      : bytes_(bytes), data_(::mmap(nullptr, bytes, protection, kind, file, 0)) {
    const int error = errno;
    if (file >= 0) ::close(file);
    if (data_ == MAP_FAILED) throw std::system_error(error, std::generic_category(), "mmap");
  }

  std::size_t bytes_;
  void* data_;
};

std::uint64_t ns_since(Clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
}

/// The sum of some lines of a file below /proc, in bytes.
std::size_t proc_bytes(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  std::size_t kib = 0;
  for (std::string word; in >> word;) {
    if (word == key) in >> kib;
  }
  return kib * 1024;
}

/// Memory of this process, and of `child` if it is one, by the kernel's count: what several have is
/// divided among them.
std::size_t memory_in_use(pid_t child) {
  std::size_t bytes = proc_bytes("/proc/self/smaps_rollup", "Pss:");
  if (child > 0) bytes += proc_bytes(fmt::format("/proc/{}/smaps_rollup", child), "Pss:");
  // Frames that are kept and shown nowhere are in no mapping: libcow counts those.
  return bytes;
}

/// The most that `measure()` says until it goes.
template <class Measure>
class Peak {
 public:
  explicit Peak(Measure measure)
      : measure_(std::move(measure)), before_(measure_()), thread_([this] {
          while (!stops_.load()) {
            most_ = std::max(most_, measure_());
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
          }
        }) {}
  Peak(const Peak&) = delete;
  Peak& operator=(const Peak&) = delete;
  ~Peak() { stop(); }
  std::size_t extra() {
    stop();
    return most_ > before_ ? most_ - before_ : 0;
  }

 private:
  void stop() {
    stops_.store(true);
    if (thread_.joinable()) thread_.join();
  }

  Measure measure_;
  std::size_t before_;
  std::size_t most_ = 0;
  std::atomic<bool> stops_{false};
  std::thread thread_;
};

/// One side of the comparison.
struct Row {
  std::string side;
  std::size_t extra_bytes = 0;
  std::uint64_t pause_ns = 0;  ///< all stores stood still: the call of fork(), the backup's cut
  std::uint64_t duration_ns = 0;
  std::size_t wrong_pages = 0;  ///< of the image
};

/// Prints it. False if the image is wrong.
bool print_row(const Row& row, const cow::WaitTimes& times) {
  const auto over = [](auto value, double unit) { return static_cast<double>(value) / unit; };
  const double seconds = over(row.duration_ns, 1e9);
  fmt::print("{:<12} {:8.1f} {:8.3f} {:8.1f} {:8.1f} {:9.2f} {:9.2f} {:8}\n", row.side,
             over(row.extra_bytes, kMiB), over(row.pause_ns, 1e6), over(times.most_ns(), 1e6),
             over(times.percentile_ns(99), 1e3), seconds, over(times.count(), 1e6) / seconds,
             row.wrong_pages);
  return row.wrong_pages == 0;
}

// Of this process: frame files, and what is not in them.
std::size_t memory_with_frames() {
  const cow::ProcessStats stats = cow::process_stats();
  return stats.bytes_in_use + stats.bytes_recycled + proc_bytes("/proc/self/status", "RssAnon:");
}

bool back_up(const char* side, std::size_t bytes, double share, const std::filesystem::path& path) {
  Row row{side};
  std::optional<cow::Region> region = cow::Region::create(bytes);
  std::memset(region->data(), kFiller, bytes);
  cow::BackupOptions options;
  if (share > 0) {
    const auto limit = static_cast<std::size_t>(static_cast<double>(bytes) * share);
    options.most_extra_bytes = std::max(limit, region->estimate_backup().least_extra_bytes);
  }
  CountingStorm storm(region->data(), bytes);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Peak memory(memory_with_frames);
  storm.reset_times();
  const CountingStorm::Counts before = storm.counts();
  const Clock::time_point start = Clock::now();
  cow::Backup backup = region->backup(path, options);
  const CountingStorm::Counts after = storm.counts();
  row.pause_ns = static_cast<std::uint64_t>(backup.wait().cut.count());
  row.duration_ns = ns_since(start);
  row.extra_bytes = memory.extra();
  storm.stop();
  region.reset();  // there may not be room for both
  const cow::Region image = cow::Region::load(path);
  row.wrong_pages = storm.wrong_pages({image.data(), image.size()}, before, after);
  return print_row(row, storm.times());
}

// What a server does that saves by fork(): the child writes its memory to a file.
[[noreturn]] void save_in_child(const std::byte* data, std::size_t bytes,
                                const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  for (std::size_t done = 0; done < bytes && file >= 0;) {
    const ssize_t written = ::write(file, data + done, std::min(bytes - done, 256 * kMiB / 1024));
    if (written <= 0) ::_exit(1);
    done += static_cast<std::size_t>(written);
  }
  ::_exit(file >= 0 && ::fsync(file) == 0 ? 0 : 1);
}

bool save_by_fork(std::size_t bytes, const std::filesystem::path& path) {
  Row row{"fork()"};
  MappedBytes memory(bytes);
  std::memset(memory.data(), kFiller, bytes);
  std::atomic<pid_t> child{0};
  CountingStorm storm(memory.data(), bytes);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Peak used([&] { return memory_in_use(child.load()); });
  storm.reset_times();
  const CountingStorm::Counts before = storm.counts();
  const Clock::time_point start = Clock::now();
  const pid_t forked = ::fork();
  if (forked == 0) save_in_child(memory.data(), bytes, path);
  row.pause_ns = ns_since(start);
  const CountingStorm::Counts after = storm.counts();
  if (forked < 0) throw std::system_error(errno, std::generic_category(), "fork");
  child.store(forked);
  int status = 0;
  ::waitpid(forked, &status, 0);
  row.duration_ns = ns_since(start);
  row.extra_bytes = used.extra();
  storm.stop();
  if (status != 0) throw std::runtime_error("the child of fork() could not write " + path.string());
  const MappedBytes image(path, bytes);
  row.wrong_pages = storm.wrong_pages({image.data(), bytes}, before, after);
  return print_row(row, storm.times());
}

/// As COW_BENCH_MIB has it.
std::size_t size_in_mib() {
  const char* const asked = std::getenv("COW_BENCH_MIB");
  if (asked == nullptr) return cow_bench::full_or_quick<std::size_t>(512, 64);
  const std::string text = asked;
  std::size_t mib = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mib);
  if (error == std::errc() && end == text.data() + text.size() && mib >= 64 && mib <= 1 << 20) {
    return mib;
  }
  throw std::invalid_argument("COW_BENCH_MIB is a number from 64 to 1048576, and not " + text);
}

bool compare(const std::filesystem::path& path) {
  const std::size_t bytes = size_in_mib() * kMiB;
  fmt::print("{} MiB, {} threads that store to random pages without a pause\n", bytes / kMiB,
             CountingStorm::kThreads);
  fmt::print("pause: the call of fork(), the cut of a backup; wait: of a store\n"
             "                extra    pause  longest      p99  duration    stores    wrong\n"
             "                  MiB       ms  wait ms  wait us         s       M/s    pages\n");
  bool is_right = save_by_fork(bytes, path);
  is_right = back_up("no limit", bytes, 0, path) && is_right;
  is_right = back_up("limit 100 %", bytes, 1, path) && is_right;
  is_right = back_up("limit 10 %", bytes, 0.1, path) && is_right;
  is_right = back_up("limit 1 %", bytes, 0.01, path) && is_right;
  if (!is_right) fmt::print(stderr, "backup_bench: an image is not what there was at its cut\n");
  return is_right;
}

}  // namespace

int main() {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("cow-backup-bench-{}", ::getpid());
  bool is_right = false;
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    is_right = compare(path);
  } catch (const std::exception& error) {
    fmt::print(stderr, "backup_bench: {}\n", error.what());
  }
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  return is_right ? 0 : 1;
}
