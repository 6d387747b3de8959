#include "soak/shadow.hpp"

#include <cstring>

namespace soak {

namespace {

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::counter: return "counter";
    case Kind::alarm: return "signal handler's counter";
    case Kind::fill: return "fill";
  }
  return "";
}

class PageChecker {
 public:
  PageChecker(std::span<const std::byte> bytes, const Layout& layout, const Expectation& expected)
      : bytes_(bytes), layout_(layout), expected_(expected) {}

  std::optional<Mismatch> check(PageIndex page, WorkerIndex worker) const {
    const bool exact =
        expected_.exact_worker == worker || expected_.exact_worker == Expectation::everybody;
    const std::uint64_t ahead = exact ? 0 : 1;
    const auto is_wrong = [&](Mismatch& word) {
      const std::size_t at = Shadow::index(layout_, worker, page, word.kind);
      word.least = expected_.before[at];
      word.most = expected_.after[at] + ahead;
      return word.seen < word.least || word.seen > word.most;
    };
    Mismatch found{page, worker, Kind::counter,
                   0,    0,      word_of(bytes_, layout_.counter(worker, page))};
    if (is_wrong(found)) return found;
    found.kind = Kind::alarm;
    found.seen = word_of(bytes_, layout_.alarm(worker, page));
    if (is_wrong(found)) return found;

    const FillVersions fill = fill_versions(bytes_.data() + layout_.fill(worker, page), worker,
                                            page, layout_.fill_words());
    found.kind = Kind::fill;
    found.seen = fill.oldest;
    if (is_wrong(found)) return found;
    found.seen = fill.newest;
    if (is_wrong(found)) return found;
    // One moment cannot show more than two versions.
    found.most = fill.oldest + ahead;
    const bool one_moment = !Shadow::leased(layout_, expected_.before, expected_.after, page);
    if (one_moment && fill.newest > found.most) return found;
    return std::nullopt;
  }

 private:
  std::span<const std::byte> bytes_;
  const Layout& layout_;
  const Expectation& expected_;
};

}  // namespace

Shadow::Shadow(const Layout& layout)
    : layout_(layout),
      size_(layout.pages() * (layout.workers() * kinds + 1)),
      numbers_(std::make_unique<std::atomic<std::uint64_t>[]>(size_)) {}

Shadow::Copy Shadow::copy() const {
  Copy numbers(size_);
  for (std::size_t i = 0; i < size_; ++i) numbers[i] = numbers_[i].load(std::memory_order_acquire);
  return numbers;
}

void Shadow::clear() {
  const std::size_t counted = layout_.workers() * layout_.pages() * kinds;
  for (std::size_t i = 0; i < counted; ++i) numbers_[i].store(0, std::memory_order_relaxed);
}

std::string Mismatch::sentence() const {
  std::string text = "page " + std::to_string(page) + ", worker " + std::to_string(worker) + "'s " +
                     name_of(kind) + ": expected " + std::to_string(least);
  if (most != least) text += " to " + std::to_string(most);
  return text + ", saw " + std::to_string(seen);
}

std::optional<Mismatch> find_mismatch(std::span<const std::byte> bytes, const Layout& layout,
                                      const Expectation& expected, PageIndex first,
                                      PageIndex last) {
  const PageChecker checker(bytes, layout, expected);
  for (PageIndex page = first; page < last; ++page) {
    for (WorkerIndex worker = 0; worker < layout.workers(); ++worker) {
      if (const auto found = checker.check(page, worker)) return found;
    }
  }
  return std::nullopt;
}

std::optional<Mismatch> find_mismatch(std::span<const std::byte> bytes, const Layout& layout,
                                      const Expectation& expected) {
  return find_mismatch(bytes, layout, expected, 0, layout.pages());
}

std::uint64_t word_of(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof(word));
  return word;
}

}  // namespace soak
