#include <cow/cow.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ahead_rows.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace {

/// Who else has the frames of a region while it is stored to.
enum class Companion { clone, unread_snapshot, read_snapshot, clone_of_snapshot };

/// Keeps one alive.
struct Kept {
  std::optional<cow::Snapshot> snapshot;
  std::optional<cow::Region> clone;
};

Kept companion_of(const cow::Region& region, Companion companion) {
  Kept kept;
  switch (companion) {
    case Companion::clone: kept.clone.emplace(region.clone()); break;
    case Companion::unread_snapshot: kept.snapshot = region.snapshot(); break;
    case Companion::read_snapshot:
      kept.snapshot = region.snapshot();
      static_cast<void>(kept.snapshot->bytes());
      break;
    case Companion::clone_of_snapshot:
      kept.snapshot = region.snapshot();
      kept.clone.emplace(cow::Region::from_snapshot(*kept.snapshot));
      break;
  }
  return kept;
}

/// Pages in runs of 16 that begin anywhere, a run in order; `count` pages of `pages`.
std::vector<std::size_t> in_blocks(std::size_t pages, std::size_t count, std::uint64_t seed) {
  constexpr std::size_t block = 16;
  std::vector<std::size_t> chosen;
  for (const std::size_t first : choose_pages(pages / block, count / block, Order::random, seed)) {
    for (std::size_t i = 0; i < block; ++i) {
      chosen.push_back(first * block + i);
    }
  }
  return chosen;
}

struct Overwrite {
  const char* name;
  std::vector<std::size_t> (*pages)(std::size_t pages, std::uint64_t seed);
};

constexpr Overwrite every_overwrite[] = {
    {"all pages in order",
     [](std::size_t pages, std::uint64_t seed) {
       return choose_pages(pages, pages, Order::sequential, seed);
     }},
    {"10 % of the pages at random",
     [](std::size_t pages, std::uint64_t seed) {
       return choose_pages(pages, share_of(pages, 100), Order::random, seed);
     }},
    {"25 % of the pages in blocks of 16 anywhere",
     [](std::size_t pages, std::uint64_t seed) {
       return in_blocks(pages, share_of(pages, 250), seed);
     }},
};

/// Nanoseconds per store to a region that was just made and written.
double time_beside(Companion companion, const Overwrite& overwrite, std::uint64_t seed) {
  cow::Region region = written_region(full_or_quick(256 * mib, 4 * mib));
  const Pages pages = pages_of(region);
  const auto chosen = overwrite.pages(pages.count, seed);
  const Kept kept = companion_of(region, companion);
  return time_stores(pages, chosen, 2) / static_cast<double>(chosen.size());
}

}  // namespace

Group stores_beside_snapshots() {
  Group group;
  for (const Overwrite& overwrite : every_overwrite) {
    Row read{.what = std::string("stores to 256 MiB, ") + overwrite.name + ", per store",
             .ours = "beside a snapshot that is read (bytes())",
             .theirs = "beside a clone",
             .most = 1.2};
    Row cloned = read;
    cloned.ours = "beside a snapshot and its clone (from_snapshot)";
    Row unread = read;
    unread.ours = "beside a snapshot that nobody reads";
    const auto beside = [&overwrite](Companion companion) {
      return turns_of([&overwrite, companion](std::uint64_t turn) {
        return time_beside(companion, overwrite, turn);
      });
    };
    Turns turns(rounds(5));
    turns.add(read.theirs, beside(Companion::clone), {&read.their_samples});
    turns.add(read.ours, beside(Companion::read_snapshot), {&read.our_samples});
    turns.add(cloned.ours, beside(Companion::clone_of_snapshot), {&cloned.our_samples});
    turns.add(unread.ours, beside(Companion::unread_snapshot), {&unread.our_samples});
    turns.take();
    cloned.their_samples = read.their_samples;
    unread.their_samples = read.their_samples;
    group.rows.insert(group.rows.end(), {read, cloned, unread});
  }
  return group;
}

}  // namespace cow_bench
