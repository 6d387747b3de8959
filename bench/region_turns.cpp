#include "region_turns.hpp"

#include <cow/cow.hpp>

#include <cstring>
#include <vector>

#include "fork_turns.hpp"
#include "plain_memory.hpp"

namespace cow_bench {

namespace {

/// A side over a region whose pages are all protected.
template <typename Time>
Prepare over_region(std::size_t bytes, Time time) {
  return turns_over([bytes] { return protected_region(bytes); }, time);
}

double time_share(const Pages& pages, std::size_t per_mille, Order order, std::uint64_t turn) {
  return time_per_store(pages, share_of(pages.count, per_mille), order, turn);
}

}  // namespace

Prepare clones(std::size_t bytes) {
  return over_region(bytes,
                     [](const cow::Region& region, std::uint64_t) { return time_clone(region); });
}

Prepare eager_clones(std::size_t bytes, Frames frames, std::size_t parts) {
  return over_region(bytes, [=](const cow::Region& region, std::uint64_t) {
    if (frames == Frames::fresh) cow::trim();
    const std::uint64_t start = now_ns();
    const cow::Region clone = region.clone(cow::CloneMode::eager);
    return elapsed_ns(start) / static_cast<double>(parts);
  });
}

Prepare memory_copies(std::size_t bytes, std::size_t parts) {
  return turns_over([bytes] { return PlainMemory::anonymous(bytes); },
                    [=](const PlainMemory& memory, std::uint64_t) {
                      const std::uint64_t start = now_ns();
                      const PlainMemory fresh = PlainMemory::untouched(bytes);
                      std::memcpy(fresh.data(), memory.data(), bytes);
                      return elapsed_ns(start) / static_cast<double>(parts);
                    });
}

Prepare stores_to_clones(std::size_t bytes, std::size_t per_mille, Order order) {
  return over_region(bytes, [=](const cow::Region& region, std::uint64_t turn) {
    cow::Region clone = region.clone();
    return time_share(pages_of(clone), per_mille, order, turn);
  });
}

Prepare stores_to_private_files(std::size_t bytes, std::size_t per_mille, Order order) {
  return turns_over([bytes] { return FilledMemfd(bytes); },
                    [=](const FilledMemfd& file, std::uint64_t turn) {
                      const PlainMemory memory = file.map_private();
                      return time_share(memory.pages(), per_mille, order, turn);
                    });
}

Prepare clones_with_stores(std::size_t bytes, std::size_t per_mille, Order order,
                           cow::CloneMode mode, Frames frames) {
  return over_region(bytes, [=](const cow::Region& region, std::uint64_t turn) {
    const std::size_t pages = region.size() / region.page_bytes();
    const auto chosen = choose_pages(pages, share_of(pages, per_mille), order, turn);
    if (frames == Frames::fresh) cow::trim();
    const std::uint64_t start = now_ns();
    cow::Region clone = region.clone(mode);
    time_stores(pages_of(clone), chosen, 2);
    return elapsed_ns(start);
  });
}

}  // namespace cow_bench
