#include <cow/cow.hpp>

#include <cstdint>
#include <filesystem>

#include "ahead_rows.hpp"
#include "bench_folder.hpp"
#include "region_turns.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace fs = std::filesystem;

namespace {

struct Work {
  const char* name;
  double (*time)(cow::Region& region, std::uint64_t seed);
};

constexpr Work every_work[] = {
    {"stores to 1 % of a clone of 256 MiB at random, per store",
     [](cow::Region& region, std::uint64_t seed) {
       cow::Region clone = region.clone();
       const Pages pages = pages_of(clone);
       return time_per_store(pages, share_of(pages.count, 10), Order::random, seed);
     }},
    {"sequential overwrite of a clone of 256 MiB, per page",
     [](cow::Region& region, std::uint64_t seed) {
       cow::Region clone = region.clone();
       const Pages pages = pages_of(clone);
       return time_per_store(pages, pages.count, Order::sequential, seed);
     }},
    {"snapshot of 256 MiB after 100 random stores",
     [](cow::Region& region, std::uint64_t seed) {
       const Pages pages = pages_of(region);
       time_stores(pages, draw_pages(pages.count, 100, seed), seed);
       return time_snapshot(region);
     }},
};

std::size_t loaded_bytes() { return full_or_quick(256 * mib, 4 * mib); }

cow::Region loaded_from(const fs::path& image) {
  written_region(loaded_bytes()).snapshot().save(image);
  return cow::Region::load(image);
}

cow::Region opened_from(const fs::path& file) {
  write_file(file, written_region(loaded_bytes()), 1);
  return cow::Region::open(file);
}

}  // namespace

Group loaded_against_written() {
  const Folder folder;
  Group group;
  for (const Work& work : every_work) {
    Row load{.what = work.name,
             .ours = "the region came from a file (load)",
             .theirs = "the region was made and written"};
    Row open{.what = work.name, .ours = "it is a file's (open)", .theirs = load.theirs};
    const auto written = [] { return protected_region(loaded_bytes()); };
    const auto loaded = [image = folder / "image"] { return loaded_from(image); };
    const auto opened = [file = folder / "file"] { return opened_from(file); };
    Turns turns(rounds(7));
    turns.add(load.ours, turns_over(loaded, work.time), {&load.our_samples});
    turns.add(open.ours, turns_over(opened, work.time), {&open.our_samples});
    turns.add(load.theirs, turns_over(written, work.time), {&load.their_samples});
    turns.take();
    open.their_samples = load.their_samples;
    group.rows.insert(group.rows.end(), {load, open});
  }
  return group;
}

}  // namespace cow_bench
