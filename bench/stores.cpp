#include "stores.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "session.hpp"

namespace cow_bench {

std::string_view name_of(Order order) {
  switch (order) {
    case Order::sequential: return "sequential";
    case Order::random: return "random";
    case Order::strided: return "strided";
  }
  return "?";
}

std::vector<std::size_t> choose_pages(std::size_t pages, std::size_t count, Order order,
                                      std::uint64_t seed) {
  std::vector<std::size_t> chosen(pages);
  if (order == Order::strided) {
    constexpr std::size_t stride = 16;
    auto next = chosen.begin();
    for (std::size_t column = 0; column < stride; ++column) {
      for (std::size_t page = column; page < pages; page += stride) {
        *next++ = page;
      }
    }
  } else {
    std::iota(chosen.begin(), chosen.end(), std::size_t{0});
  }
  if (order == Order::random) {
    std::mt19937_64 generator(seed);
    std::shuffle(chosen.begin(), chosen.end(), generator);
  }
  chosen.resize(std::min(count, pages));
  return chosen;
}

std::vector<std::size_t> draw_pages(std::size_t pages, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<std::size_t> any(0, pages - 1);
  std::vector<std::size_t> drawn(count);
  std::ranges::generate(drawn, [&] { return any(generator); });
  return drawn;
}

std::size_t share_of(std::size_t pages, std::size_t per_mille) {
  return std::max<std::size_t>(1, pages * per_mille / 1000);
}

Pages pages_of(cow::Region& region) {
  return {region.data(), region.size() / region.page_bytes(), region.page_bytes()};
}

cow::Region written_region(std::size_t bytes, const cow::RegionOptions& options) {
  cow::Region region = cow::Region::create(bytes, options);
  store_to_all(pages_of(region), 1);
  return region;
}

cow::Region protected_region(std::size_t bytes, const cow::RegionOptions& options) {
  cow::Region region = written_region(bytes, options);
  static_cast<void>(region.clone());
  return region;
}

void store_to_all(const Pages& pages, std::uint64_t value) {
  for (std::size_t page = 0; page < pages.count; ++page) {
    pages.store(page, value + page);
  }
}

void load_all(const Pages& pages) {
  for (std::size_t page = 0; page < pages.count; ++page) {
    static_cast<void>(pages.load(page));
  }
}

double time_stores(const Pages& pages, std::span<const std::size_t> which, std::uint64_t value) {
  const std::uint64_t start = now_ns();
  for (const std::size_t page : which) {
    pages.store(page, value);
  }
  return elapsed_ns(start);
}

double time_per_store(const Pages& pages, std::size_t count, Order order, std::uint64_t seed) {
  const auto chosen = choose_pages(pages.count, count, order, seed);
  return time_stores(pages, chosen, seed) / static_cast<double>(count);
}

Samples time_each_store(const Pages& pages, std::span<const std::size_t> which,
                        std::uint64_t value) {
  std::vector<double> times(which.size());
  for (std::size_t i = 0; i < which.size(); ++i) {
    const std::uint64_t start = now_ns();
    pages.store(which[i], value);
    times[i] = elapsed_ns(start);
  }
  return Samples(std::move(times));
}

}  // namespace cow_bench
