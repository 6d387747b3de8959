// What files cost: an image beside a copy of the same bytes by cp, a delta beside an image, opening
// a file beside reading it. All in a file system in memory, so that no disk is measured.

#include <cow/cow.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "comparison.hpp"
#include "comparison_program.hpp"
#include "stores.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace cow_bench {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

/// A folder in COW_BENCH_FOLDER, or in /dev/shm.
class Folder {
 public:
  Folder() {
    const char* const where = std::getenv("COW_BENCH_FOLDER");
    std::string name = std::string(where != nullptr ? where : "/dev/shm") + "/cow-bench-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) refuse(errno, name);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

/// Every word of every page another: nothing is left out as zeros.
cow::Region filled_region(std::size_t bytes) {
  cow::Region region = cow::Region::create(bytes);
  auto* const words = reinterpret_cast<std::uint64_t*>(region.data());
  for (std::size_t i = 0; i < bytes / sizeof(*words); ++i) words[i] = i * 0x9e3779b97f4a7c15U + 1;
  return region;
}

void write_file(const fs::path& path, const cow::Region& content, std::size_t copies) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) refuse(errno, path);
  for (std::size_t copy = 0; copy < copies; ++copy) {
    for (std::size_t at = 0; at < content.size(); at += mib) {
      if (::write(file, content.data() + at, mib) != static_cast<ssize_t>(mib)) refuse(errno, path);
    }
  }
  ::close(file);
}

/// The time of a call that makes `path` anew; the file is gone before and after.
template <typename Make>
double time_making(const fs::path& path, const Make& make) {
  const std::uint64_t start = now_ns();
  make();
  const double time = elapsed_ns(start);
  fs::remove(path);
  return time;
}

void run_cp(const fs::path& from, const fs::path& to) {
  std::string program = "cp";
  std::string source = from;
  std::string target = to;
  char* arguments[] = {program.data(), source.data(), target.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, "cp", nullptr, nullptr, arguments, environ);
  if (error != 0) refuse(error, "cp");
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0) refuse(EIO, "cp");
}

void read_whole(const fs::path& path) {
  static std::vector<char> buffer(mib);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) refuse(errno, path);
  while (::read(file, buffer.data(), buffer.size()) > 0) {
  }
  ::close(file);
}

Group delta_against_full() {
  Row row{.what = "save of what changed: 1 % of 1 GiB, random pages",
          .ours = "save_delta",
          .theirs = "save of all of it",
          .most = 1.0 / 30};
  const Folder folder;
  cow::Region region = filled_region(full_or_quick(gib, 4 * mib));
  const Pages pages = pages_of(region);
  std::uint64_t turn = 0;
  cow::Snapshot before = region.snapshot();
  cow::Snapshot after = before;
  take_turns(
      rounds(9),
      [&](bool wanted) {
        before = region.snapshot();
        ++turn;
        time_stores(
            pages, choose_pages(pages.count, share_of(pages.count, 10), Order::random, turn), turn);
        after = region.snapshot();
        const fs::path path = folder / "delta";
        keep(wanted, row.our_samples, time_making(path, [&] { after.save_delta(before, path); }));
      },
      [&](bool wanted) {
        const fs::path path = folder / "full";
        keep(wanted, row.their_samples, time_making(path, [&] { after.save(path); }));
      });
  return {.rows = {row}};
}

Group save_against_cp() {
  Row save{.what = "1 GiB into a file in memory",
           .ours = "save",
           .theirs = "cp of a file of that size",
           .most = 1.3};
  Row load{.what = "1 GiB out of a file in memory",
           .ours = "load, every page held against its checksum",
           .theirs = save.theirs};
  const Folder folder;
  const cow::Region region = filled_region(full_or_quick(gib, 4 * mib));
  const cow::Snapshot snapshot = region.snapshot();
  write_file(folder / "source", region, 1);
  const fs::path image = folder / "image";
  const fs::path loaded = folder / "loaded";
  snapshot.save(loaded);
  take_turns(
      rounds(9),
      [&](bool wanted) {
        keep(wanted, save.our_samples, time_making(image, [&] { snapshot.save(image); }));
      },
      [&](bool wanted) {
        const fs::path copy = folder / "copy";
        keep(wanted, save.their_samples,
             time_making(copy, [&] { run_cp(folder / "source", copy); }));
      },
      [&](bool wanted) {
        const std::uint64_t start = now_ns();
        const cow::Region region_again = cow::Region::load(loaded);
        keep(wanted, load.our_samples, elapsed_ns(start));
      });
  load.their_samples = save.their_samples;
  return {.rows = {save, load}};
}

Group open_against_reading() {
  Row row{.what = "a file of 4 GiB in memory, to store one byte to it",
          .ours = "open and one store",
          .theirs = "reading it",
          .most = 1.0 / 1000};
  const Folder folder;
  const fs::path path = folder / "file";
  {
    const cow::Region content = filled_region(full_or_quick(256 * mib, mib));
    write_file(path, content, 16);
  }
  take_turns(
      rounds(21),
      [&](bool wanted) {
        const std::uint64_t start = now_ns();
        cow::Region region = cow::Region::open(path);
        region.bytes()[region.size() / 3] = std::byte{1};
        keep(wanted, row.our_samples, elapsed_ns(start));
      },
      [&](bool wanted) {
        const std::uint64_t start = now_ns();
        read_whole(path);
        keep(wanted, row.their_samples, elapsed_ns(start));
      });
  return {.rows = {row}};
}

}  // namespace

}  // namespace cow_bench

int main(int argc, char** argv) {
  using namespace cow_bench;
  return run_comparisons(
      argc, argv, "files_bench",
      {{"delta", delta_against_full}, {"save", save_against_cp}, {"open", open_against_reading}},
      6 * gib);
}
