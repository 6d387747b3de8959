// The model: what each worker has stored to a shared region, kept in ordinary memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "soak/figures.hpp"
#include "soak/layout.hpp"

namespace soak {

enum class Kind : std::size_t { counter, alarm, fill };
inline constexpr std::size_t kinds = 3;

/// One number for each worker, page and kind. Only the worker itself changes it, right after the
/// store that it counts; so the region is never behind, and at most one store ahead.
class Shadow {
 public:
  /// All numbers at one time, or at several: those of different workers are not read at once.
  using Copy = std::vector<std::uint64_t>;

  explicit Shadow(const Layout& layout);

  [[nodiscard]] Count& of(WorkerIndex worker, PageIndex page, Kind kind) {
    return numbers_[index(layout_, worker, page, kind)];
  }
  [[nodiscard]] Copy copy() const;
  /// Nothing was stored yet. Leases stay.
  void clear();

  /// Where a worker writes through a lease its stores raise no fault, so that a snapshot sees the
  /// words of one fill at several moments. Called for each page before and after.
  void begin_lease(PageIndex page) { lease_mark(page) += one_begun; }
  void end_lease(PageIndex page) { lease_mark(page) += one_ended; }

  // In a copy:

  [[nodiscard]] static std::size_t index(const Layout& layout, WorkerIndex worker, PageIndex page,
                                         Kind kind) {
    return (worker * layout.pages() + page) * kinds + static_cast<std::size_t>(kind);
  }
  /// Whether the page was leased at any time between the two copies.
  [[nodiscard]] static bool leased(const Layout& layout, const Copy& before, const Copy& after,
                                   PageIndex page) {
    const std::size_t at = layout.workers() * layout.pages() * kinds + page;
    return before[at] != after[at] || before[at] % (std::uint64_t{1} << 32) != 0;
  }

 private:
  // The lower half counts the leases there are, the upper one those there were.
  static constexpr std::uint64_t one_begun = (std::uint64_t{1} << 32) + 1;
  static constexpr std::uint64_t one_ended = (std::uint64_t{1} << 32) - 1;

  [[nodiscard]] std::atomic<std::uint64_t>& lease_mark(PageIndex page) {
    return numbers_[layout_.workers() * layout_.pages() * kinds + page];
  }

  Layout layout_;
  std::size_t size_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> numbers_;
};

/// What the bytes of a region or a snapshot should show, made between two copies of the shadow.
struct Expectation {
  const Shadow::Copy& before;
  const Shadow::Copy& after;
  WorkerIndex exact_worker;  ///< did nothing meanwhile; `nobody`, or `everybody`

  static constexpr WorkerIndex nobody = ~WorkerIndex{0};
  static constexpr WorkerIndex everybody = nobody - 1;
};

struct Mismatch {
  PageIndex page = 0;
  WorkerIndex worker = 0;
  Kind kind = Kind::counter;
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::uint64_t seen = 0;

  [[nodiscard]] bool is_lost_store() const { return seen < least; }
  [[nodiscard]] std::string sentence() const;
};

/// The first word in the pages first … last-1 that is not as expected.
std::optional<Mismatch> find_mismatch(std::span<const std::byte> bytes, const Layout& layout,
                                      const Expectation& expected, PageIndex first, PageIndex last);
std::optional<Mismatch> find_mismatch(std::span<const std::byte> bytes, const Layout& layout,
                                      const Expectation& expected);

[[nodiscard]] std::uint64_t word_of(std::span<const std::byte> bytes, std::size_t offset);

}  // namespace soak
