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
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "bench_folder.hpp"
#include "comparison.hpp"
#include "comparison_program.hpp"
#include "measure/mechanisms/forked_child.hpp"
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

/// One figure: a save of a region of which 1 % changes before each.
Prepare saves_of_changes(bool is_delta) {
  struct Side {
    cow::Region region = filled_region(full_or_quick(gib, 4 * mib));
    Folder folder;
  };
  return [is_delta]() -> Turn {
    return [is_delta, side = std::make_shared<Side>()](std::uint64_t turn) {
      const Pages pages = pages_of(side->region);
      const cow::Snapshot before = side->region.snapshot();
      time_stores(pages, choose_pages(pages.count, share_of(pages.count, 10), Order::random, turn),
                  turn);
      const cow::Snapshot after = side->region.snapshot();
      const fs::path path = side->folder / "image";
      return Figures{time_making(path, [&] {
        if (is_delta) {
          after.save_delta(before, path);
        } else {
          after.save(path);
        }
      })};
    };
  };
}

Group delta_against_full() {
  Row row{.what = "save of what changed: 1 % of 1 GiB, random pages",
          .ours = "save_delta",
          .theirs = "save of all of it",
          .most = 1.0 / 30};
  Turns turns(rounds(9));
  turns.add(row.ours, saves_of_changes(true), {&row.our_samples});
  turns.add(row.theirs, saves_of_changes(false), {&row.their_samples});
  turns.take();
  return {.rows = {row}};
}

/// A folder's kind and how far a copy has to go there to have done what save does.
struct Place {
  const char* name;
  fs::path folder;
  bool lasting;  ///< save() returns when the image would survive a power failure, cp before that
};

std::size_t file_bytes() { return full_or_quick(gib, 4 * mib); }

double time_save(const cow::Snapshot& snapshot, const Folder& folder) {
  const fs::path image = folder / "image";
  return time_making(image, [&] { snapshot.save(image); });
}

double time_copy(const fs::path& source, const Folder& folder, bool is_synced) {
  const fs::path copy = folder / "copy";
  return time_making(copy, [&] {
    run_cp(source, copy);
    if (is_synced) sync_file(copy);
  });
}

// Each side has files of its own, in whatever file system, whose bytes lie in memory. A file is
// gone before the next one is made, and with it what the kernel has not yet brought to the disk.

Prepare saves(const Place& place) {
  struct Side {
    explicit Side(const Place& place) : folder(place.folder) {}
    Folder folder;
    cow::Region region = filled_region(file_bytes());
    cow::Snapshot snapshot = region.snapshot();
  };
  return [=]() -> Turn {
    return [side = std::make_shared<Side>(place)](std::uint64_t) {
      return Figures{time_save(side->snapshot, side->folder)};
    };
  };
}

/// Of a region that was just made.
Prepare first_saves(const Place& place) {
  return [=]() -> Turn {
    return [folder = std::make_shared<Folder>(place.folder)](std::uint64_t) {
      const cow::Region fresh = filled_region(file_bytes());
      return Figures{time_save(fresh.snapshot(), *folder)};
    };
  };
}

Prepare copies(const Place& place, bool is_synced) {
  return [=]() -> Turn {
    const auto folder = std::make_shared<Folder>(place.folder);
    const fs::path source = *folder / "source";
    write_file(source, filled_region(file_bytes()), 1);
    sync_file(source);
    cow::trim();
    return [=](std::uint64_t) { return Figures{time_copy(source, *folder, is_synced)}; };
  };
}

/// Of a file that was just written.
Prepare first_copies(const Place& place) {
  struct Side {
    explicit Side(const Place& place) : folder(place.folder) {}
    Folder folder;
    cow::Region content = filled_region(file_bytes());
  };
  return [=]() -> Turn {
    return [place, side = std::make_shared<Side>(place)](std::uint64_t) {
      const fs::path fresh = side->folder / "fresh";
      write_file(fresh, side->content, 1);
      sync_file(fresh);
      const double time = time_copy(fresh, side->folder, place.lasting);
      fs::remove(fresh);
      return Figures{time};
    };
  };
}

Prepare loads(const Place& place) {
  return [=]() -> Turn {
    const auto folder = std::make_shared<Folder>(place.folder);
    filled_region(file_bytes()).snapshot().save(*folder / "image");
    return [folder](std::uint64_t) {
      const fs::path image = *folder / "image";
      const std::uint64_t start = now_ns();
      const cow::Region region = cow::Region::load(image);
      return Figures{elapsed_ns(start)};
    };
  };
}

Group save_against_cp_in(const Place& place, std::size_t count) {
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
  Turns turns(count);
  turns.add(save.ours, saves(place), {&save.our_samples});
  turns.add(save.theirs, copies(place, place.lasting), {&save.their_samples});
  turns.add(first.what, first_saves(place), {&first.our_samples});
  turns.add(first.theirs, first_copies(place), {&first.their_samples});
  turns.add(load.ours, loads(place), {&load.our_samples});
  turns.add(load.theirs, copies(place, false), {&load.their_samples});
  turns.take();
  Group group{.rows = {save, first, load}};
  if (place.lasting) {
    unsynced.our_samples = save.our_samples;
    unsynced.their_samples = load.their_samples;
    group.rows.push_back(unsynced);
  }
  return group;
}

Group save_against_cp_in_memory() {
  return save_against_cp_in({"in memory", Folder::in_memory(), false}, rounds(7));
}

Group save_against_cp_on_disk() {
  if (is_in_memory(Folder::on_disk())) {
    return {.rows = {{.what = "1 GiB into a file on a disk",
                      .ours = "save",
                      .theirs = "cp and fsync",
                      .left_out = Folder::on_disk().string() +
                                  " is in memory; COW_BENCH_DISK_FOLDER names another folder"}}};
  }
  return save_against_cp_in({"on a disk", Folder::on_disk(), true}, rounds(5));
}

Group open_against_reading() {
  Row row{.what = "a file of 4 GiB in memory, to store one byte to it",
          .ours = "open and one store",
          .theirs = "reading it",
          .most = 1.0 / 1000};
  // One file for both, which only read it: /dev/shm may have no room for two. A child makes it, so
  // that the sides are forked from a process that has never had a region.
  const Folder folder;
  const fs::path path = folder / "file";
  cow::measure::reap(cow::measure::fork_child(
      [&] { write_file(path, filled_region(full_or_quick(256 * mib, mib)), 16); }));
  const auto open_it = [path](std::uint64_t) {
    const std::uint64_t start = now_ns();
    cow::Region region = cow::Region::open(path);
    region.bytes()[region.size() / 3] = std::byte{1};
    return Figures{elapsed_ns(start)};
  };
  const auto read_it = [path](std::uint64_t) {
    const std::uint64_t start = now_ns();
    read_whole(path);
    return Figures{elapsed_ns(start)};
  };
  Turns turns(rounds(21));
  turns.add(row.ours, [=]() -> Turn { return open_it; }, {&row.our_samples});
  turns.add(row.theirs, [=]() -> Turn { return read_it; }, {&row.their_samples});
  turns.take();
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
                         9 * gib);
}
