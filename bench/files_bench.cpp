// What files cost: an image beside a copy of the same bytes by cp, a delta beside an image, opening
// a file beside reading it. In a file system in memory, so that no disk is measured; a save and a
// copy also on a disk, where both count until the bytes are on it.

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

#include "bench_folder.hpp"
#include "comparison.hpp"
#include "comparison_program.hpp"
#include "stores.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace cow_bench {

namespace {

namespace fs = std::filesystem;

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
  take_numbered_turns(
      rounds(9), turn,
      [&](bool wanted) {
        before = region.snapshot();
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

/// A folder's kind and how far a copy has to go there to have done what save does.
struct Place {
  const char* name;
  fs::path folder;
  bool lasting;  ///< save() returns when the image would survive a power failure, cp before that
};

void copy_by_cp(const Place& place, const fs::path& from, const fs::path& to) {
  run_cp(from, to);
  if (place.lasting) sync_file(to);
}

// The source lies in memory, in whatever file system. A file is gone before the next one is made,
// and with it what the kernel has not yet brought to the disk.
Group save_against_cp_in(const Place& place, std::size_t turns) {
  const std::string where = std::string(" ") + place.name;
  Row save{.what = "1 GiB into a file" + where,
           .ours = "save",
           .theirs = place.lasting ? "cp of a file of that size, and fsync of the copy"
                                   : "cp of a file of that size",
           .most = 1.3};
  Row first{.what = "the first save of 1 GiB, just made and written," + where,
            .ours = save.ours,
            .theirs = save.theirs + std::string(", just written itself")};
  Row load{.what = "1 GiB out of a file" + where,
           .ours = "load, every page held against its checksum",
           .theirs = "cp of a file of that size, into another file"};
  Row unsynced{
      .what = save.what, .ours = "save, all of it on the disk", .theirs = "cp, nothing synced"};
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  const Folder folder(place.folder);
  const cow::Region region = filled_region(bytes);
  const cow::Snapshot snapshot = region.snapshot();
  const fs::path source = folder / "source";
  write_file(source, region, 1);
  sync_file(source);
  const fs::path image = folder / "image";
  const fs::path copy = folder / "copy";
  const fs::path loaded = folder / "loaded";
  snapshot.save(loaded);
  take_turns(
      rounds(turns),
      [&](bool wanted) {
        keep(wanted, save.our_samples, time_making(image, [&] { snapshot.save(image); }));
      },
      [&](bool wanted) {
        keep(wanted, save.their_samples,
             time_making(copy, [&] { copy_by_cp(place, source, copy); }));
      },
      [&](bool wanted) {
        const cow::Region fresh = filled_region(bytes);
        const cow::Snapshot its = fresh.snapshot();
        keep(wanted, first.our_samples, time_making(image, [&] { its.save(image); }));
      },
      [&](bool wanted) {
        const fs::path fresh = folder / "fresh";
        write_file(fresh, region, 1);
        sync_file(fresh);
        keep(wanted, first.their_samples,
             time_making(copy, [&] { copy_by_cp(place, fresh, copy); }));
        fs::remove(fresh);
      },
      [&](bool wanted) {
        const double time = time_making(copy, [&] { run_cp(source, copy); });
        keep(wanted, load.their_samples, time);
      },
      [&](bool wanted) {
        const std::uint64_t start = now_ns();
        const cow::Region region_again = cow::Region::load(loaded);
        keep(wanted, load.our_samples, elapsed_ns(start));
      });
  Group group{.rows = {save, first, load}};
  if (place.lasting) {
    unsynced.our_samples = save.our_samples;
    unsynced.their_samples = load.their_samples;
    group.rows.push_back(unsynced);
  }
  return group;
}

Group save_against_cp_in_memory() {
  return save_against_cp_in({"in memory", Folder::in_memory(), false}, 7);
}

Group save_against_cp_on_disk() {
  if (is_in_memory(Folder::on_disk())) {
    return {.rows = {{.what = "1 GiB into a file on a disk",
                      .ours = "save",
                      .theirs = "cp and fsync",
                      .left_out = Folder::on_disk().string() +
                                  " is in memory; COW_BENCH_DISK_FOLDER names another folder"}}};
  }
  return save_against_cp_in({"on a disk", Folder::on_disk(), true}, 5);
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
  return run_comparisons(argc, argv, "files_bench",
                         {{"delta", delta_against_full},
                          {"save", save_against_cp_in_memory},
                          {"save_disk", save_against_cp_on_disk},
                          {"open", open_against_reading}},
                         6 * gib);
}
