#include "tool/comparison.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <optional>
#include <random>
#include <utility>

#include <cow/stats.hpp>

namespace cow::tool {
namespace {

struct Edit {
  std::size_t offset;
  std::byte value;
};

// One byte, anywhere in each of `count` random pages, is turned round.
std::vector<Edit> random_edits(std::span<const std::byte> plain, std::size_t page_bytes,
                               std::size_t count, std::mt19937_64& random) {
  std::vector<std::size_t> pages((plain.size() + page_bytes - 1) / page_bytes);
  std::iota(pages.begin(), pages.end(), std::size_t{0});
  std::shuffle(pages.begin(), pages.end(), random);
  std::vector<Edit> edits;
  edits.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = pages[i] * page_bytes;
    const std::size_t length = std::min(page_bytes, plain.size() - begin);
    const std::size_t offset = begin + static_cast<std::size_t>(random()) % length;
    edits.push_back({offset, ~plain[offset]});
  }
  return edits;
}

void apply(const std::vector<Edit>& edits, std::byte* bytes) {
  for (const Edit& edit : edits) bytes[edit.offset] = edit.value;
}

void undo(const std::vector<Edit>& edits, std::span<const std::byte> plain, std::byte* bytes) {
  for (const Edit& edit : edits) bytes[edit.offset] = plain[edit.offset];
}

std::size_t memory_in_use() {
  const ProcessStats stats = process_stats();
  return stats.bytes_in_use + stats.bytes_metadata;
}

std::pair<Region, CloneCost> clone_and_edit(const Region& source, CloneMode mode,
                                            const std::vector<Edit>& edits) {
  using Clock = std::chrono::steady_clock;
  const auto nanoseconds = [](Clock::duration duration) {
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(duration).count());
  };
  CloneCost cost;
  const std::size_t memory_before = memory_in_use();
  const auto start = Clock::now();
  Region clone = source.clone(mode);
  const auto cloned = Clock::now();
  apply(edits, clone.data());
  const auto edited = Clock::now();
  const std::size_t memory_after = memory_in_use();
  cost.clone_ns = nanoseconds(cloned - start);
  cost.edit_ns = nanoseconds(edited - cloned);
  cost.memory_bytes = memory_after > memory_before ? memory_after - memory_before : 0;
  return {std::move(clone), cost};
}

CloneCost median_by_total(std::vector<CloneCost> costs) {
  const auto middle = costs.begin() + static_cast<std::ptrdiff_t>(costs.size() / 2);
  std::nth_element(costs.begin(), middle, costs.end(), [](const CloneCost& a, const CloneCost& b) {
    return a.total_ns() < b.total_ns();
  });
  return *middle;
}

}  // namespace

ComparisonSubject make_comparison_subject(std::span<const std::byte> content,
                                          std::size_t least_bytes) {
  COW_CHECK(!content.empty());
  std::vector<std::byte> plain;
  const std::size_t bytes = std::max(content.size(), least_bytes);
  plain.reserve(bytes);
  while (plain.size() < bytes) {
    const std::size_t length = std::min(content.size(), bytes - plain.size());
    const auto end = content.begin() + static_cast<std::ptrdiff_t>(length);
    plain.insert(plain.end(), content.begin(), end);
  }
  Region region = Region::create(plain.size());
  std::memcpy(region.data(), plain.data(), plain.size());
  // The first clone protects every page that was written. Later ones find that done.
  static_cast<void>(region.clone());
  return {std::move(plain), std::move(region)};
}

ComparisonRow compare_clones(const Region& source, std::span<const std::byte> plain,
                             double fraction, std::size_t pages, ByteCheck& check) {
  COW_CHECK(plain.size() == source.size());
  COW_CHECK(0 < pages && pages <= (source.size() - 1) / source.page_bytes() + 1);
  std::vector<CloneCost> lazy_costs;
  std::vector<CloneCost> eager_costs;
  std::vector<std::byte> expected(plain.begin(), plain.end());
  std::mt19937_64 random(pages);  // every call of the program makes the same edits
  for (std::size_t run = 0; run < comparison_runs; ++run) {
    const auto edits = random_edits(plain, source.page_bytes(), pages, random);
    std::optional<Region> lazy;
    std::optional<Region> eager;
    for (const bool lazy_now : {run % 2 == 0, run % 2 != 0}) {
      auto [clone, cost] =
          clone_and_edit(source, lazy_now ? CloneMode::lazy : CloneMode::eager, edits);
      (lazy_now ? lazy : eager).emplace(std::move(clone));
      (lazy_now ? lazy_costs : eager_costs).push_back(cost);
    }
    apply(edits, expected.data());
    check.compare("the lazy clone", lazy->bytes(), expected);
    check.compare("the eager clone", eager->bytes(), expected);
    check.compare("the original", source.bytes(), plain);
    undo(edits, plain, expected.data());
  }
  return {fraction, pages, median_by_total(std::move(lazy_costs)),
          median_by_total(std::move(eager_costs))};
}

}  // namespace cow::tool
