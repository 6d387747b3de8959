#include <cow/cow.hpp>

#include <cstdint>
#include <string>

#include "ahead_rows.hpp"
#include "bench_folder.hpp"
#include "stores.hpp"

namespace cow_bench {

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
       const std::uint64_t start = now_ns();
       const cow::Snapshot snapshot = region.snapshot();
       return elapsed_ns(start);
     }},
};

}  // namespace

Group loaded_against_written() {
  const Folder folder;
  cow::Region written = protected_region(full_or_quick(256 * mib, 4 * mib));
  written.snapshot().save(folder / "image");
  write_file(folder / "file", written, 1);
  cow::Region loaded = cow::Region::load(folder / "image");
  cow::Region opened = cow::Region::open(folder / "file");
  Group group;
  for (const Work& work : every_work) {
    Row load{.what = work.name,
             .ours = "the region came from a file (load)",
             .theirs = "the region was made and written"};
    Row open{.what = work.name, .ours = "it is a file's (open)", .theirs = load.theirs};
    std::uint64_t turn = 0;
    take_numbered_turns(
        rounds(7), turn,
        [&](bool wanted) { keep(wanted, load.our_samples, work.time(loaded, turn)); },
        [&](bool wanted) { keep(wanted, open.our_samples, work.time(opened, turn)); },
        [&](bool wanted) { keep(wanted, load.their_samples, work.time(written, turn)); });
    open.their_samples = load.their_samples;
    group.rows.insert(group.rows.end(), {load, open});
  }
  return group;
}

}  // namespace cow_bench
