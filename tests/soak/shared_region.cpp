#include "soak/shared_region.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace soak {

namespace {

std::uint64_t new_family() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

std::string describe(std::size_t number, const Shape& shape, const cow::Region& region) {
  return "region " + std::to_string(number) + " (" + std::to_string(shape.bytes >> 20) +
         " MiB, pages of " + std::to_string(region.page_bytes() >> 10) + " KiB, windows of " +
         std::to_string(shape.options.max_window_pages) + ")";
}

}  // namespace

SharedRegion::SharedRegion(std::size_t number, const Shape& shape, std::size_t workers)
    : shape_(shape),
      most_records_(std::clamp<std::size_t>((std::size_t{32} << 20) / shape.bytes, 3, 10)),
      region_(cow::Region::create(shape.bytes, shape.options)),
      layout_(shape.bytes, region_.page_bytes(), workers),
      shadow_(layout_),
      family_(new_family()) {
  name_ = describe(number, shape, region_);
}

std::string SharedRegion::follow(const std::optional<PageHashes>& expected) {
  std::string difference;
  if (expected) difference = expected->difference(region_.bytes());
  for (PageIndex page = 0; page < layout_.pages(); ++page) follow_page(page);
  return difference;
}

void SharedRegion::follow_page(PageIndex page) {
  std::byte* const bytes = region_.data();
  std::uint64_t words[Layout::most_fill_words];
  for (WorkerIndex worker = 0; worker < layout_.workers(); ++worker) {
    const auto set = [&](Kind kind, std::uint64_t number) {
      shadow_.of(worker, page, kind).store(number, std::memory_order_relaxed);
    };
    set(Kind::counter, word_of(region_.bytes(), layout_.counter(worker, page)));
    set(Kind::alarm, word_of(region_.bytes(), layout_.alarm(worker, page)));
    std::byte* const fill = bytes + layout_.fill(worker, page);
    const FillVersions found = fill_versions(fill, worker, page, layout_.fill_words());
    set(Kind::fill, found.newest);
    if (found.oldest == found.newest) continue;
    make_fill(worker, page, found.newest, {words, layout_.fill_words()});
    std::memcpy(fill, words, layout_.fill_bytes());
  }
}

void SharedRegion::replace(cow::Region region) {
  region_ = std::move(region);
  ++incarnation_;
}

void SharedRegion::start_anew(cow::Region region) {
  replace(std::move(region));
  shadow_.clear();
  family_ = new_family();
  Records dropped;
  const std::lock_guard guard(records_lock_);
  dropped.swap(records_);
}

std::size_t SharedRegion::record_count() const {
  const std::lock_guard guard(records_lock_);
  return records_.size();
}

void SharedRegion::keep(std::shared_ptr<SnapshotRecord> record) {
  const std::lock_guard guard(records_lock_);
  records_.push_back(std::move(record));
}

std::shared_ptr<SnapshotRecord> SharedRegion::any_record(support::Random& random) const {
  const std::lock_guard guard(records_lock_);
  return records_.empty() ? nullptr : records_[random.below(records_.size())];
}

std::shared_ptr<SnapshotRecord> SharedRegion::take_record(support::Random& random) {
  const std::lock_guard guard(records_lock_);
  if (records_.empty()) return nullptr;
  auto& taken = records_[random.below(records_.size())];
  std::swap(taken, records_.back());
  std::shared_ptr<SnapshotRecord> record = std::move(records_.back());
  records_.pop_back();
  return record;
}

Records SharedRegion::records() const {
  const std::lock_guard guard(records_lock_);
  return records_;
}

}  // namespace soak
