// Stores to shared regions, each counted in the shadow right after it was made.

#include <atomic>
#include <cstring>

#include "soak/worker.hpp"

namespace soak {

namespace {

using Word = std::atomic_ref<std::uint64_t>;

Word word_at(SharedRegion& shared, std::size_t offset) {
  return Word(*reinterpret_cast<std::uint64_t*>(shared.region().data() + offset));
}

/// The plain stores of a fill must not overtake the shadow of the one before it.
void order_stores() {
#if !defined(COW_TEST_THREAD_SANITIZER)  // which knows no fences, and runs on x86 only
  std::atomic_thread_fence(std::memory_order_release);
#endif
}

}  // namespace

void Worker::increment(SharedRegion& shared, PageIndex page) {
  const Word word = word_at(shared, shared.layout().counter(index_, page));
  Count& shadow = shared.shadow().of(index_, page, Kind::counter);
  const std::uint64_t expected = shadow.load(std::memory_order_relaxed);
  std::uint64_t seen = expected;
  // Release order: nobody may see this store before the shadow of the one before it.
  switch (random_.below(4)) {
    case 0: seen = word.fetch_add(1, support::release_order); break;
    case 1:
      static_cast<void>(word.compare_exchange_strong(seen, expected + 1, support::release_order,
                                                     std::memory_order_relaxed));
      break;
    default:
      seen = word.load(std::memory_order_relaxed);
      word.store(seen + 1, support::release_order);
  }
  shadow.store(expected + 1, std::memory_order_release);
  if (seen != expected) {
    world_.verdict.complain(shared.name(),
                            Mismatch{page, index_, Kind::counter, expected, expected, seen});
    throw Stopped();
  }
}

void Worker::write_fill(SharedRegion& shared, PageIndex page) {
  const Layout& layout = shared.layout();
  Count& shadow = shared.shadow().of(index_, page, Kind::fill);
  const std::uint64_t version = shadow.load(std::memory_order_relaxed);
  std::byte* const fill = shared.region().data() + layout.fill(index_, page);
  const FillVersions seen = fill_versions(fill, index_, page, layout.fill_words());
  if (seen.oldest != version || seen.newest != version) {
    const std::uint64_t wrong = seen.oldest != version ? seen.oldest : seen.newest;
    world_.verdict.complain(shared.name(),
                            Mismatch{page, index_, Kind::fill, version, version, wrong});
    throw Stopped();
  }
  std::uint64_t words[Layout::most_fill_words];
  make_fill(index_, page, version + 1, {words, layout.fill_words()});
  order_stores();
  std::memcpy(fill, words, layout.fill_bytes());
  shadow.store(version + 1, std::memory_order_release);
}

void Worker::read(SharedRegion& shared, PageIndex page) {
  const WorkerIndex other = random_.below(shared.layout().workers());
  Count& shadow = shared.shadow().of(other, page, Kind::counter);
  const std::uint64_t least = shadow.load(std::memory_order_acquire);
  const std::uint64_t seen =
      word_at(shared, shared.layout().counter(other, page)).load(std::memory_order_acquire);
  const std::uint64_t most = shadow.load(std::memory_order_acquire) + (other == index_ ? 0 : 1);
  if (seen >= least && seen <= most) return;
  world_.verdict.complain(shared.name() + " as another thread reads it",
                          Mismatch{page, other, Kind::counter, least, most, seen});
  throw Stopped();
}

// A few pages that many hit at once, or any.
PageIndex Worker::any_page(const SharedRegion& shared) {
  const std::size_t pages = shared.layout().pages();
  return random_.below(random_.one_in(8) ? std::min<std::size_t>(pages, 8) : pages);
}

/// Precondition: the region's gate is held.
void Worker::store_to_any(SharedRegion& shared, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) increment(shared, any_page(shared));
  add(world_.figures.stores, count);
}

void Worker::store_scattered() {
  SharedRegion& shared = any_region();
  const Visit visit(shared, index_);
  store_to_any(shared, random_.between(8, 64));
}

void Worker::store_in_order() {
  SharedRegion& shared = any_region();
  const Visit visit(shared, index_);
  const std::size_t pages = shared.layout().pages();
  const std::size_t count = random_.between(1, std::min<std::size_t>(pages, 128));
  const PageIndex first = random_.below(pages - count + 1);
  const bool upwards = !random_.one_in(3);
  for (std::size_t i = 0; i < count; ++i) {
    increment(shared, upwards ? first + i : first + count - 1 - i);
  }
  add(world_.figures.stores, count);
}

void Worker::store_fills() {
  SharedRegion& shared = any_region();
  const Visit visit(shared, index_);
  const std::size_t count = random_.between(1, 16);
  for (std::size_t i = 0; i < count; ++i) write_fill(shared, any_page(shared));
  add(world_.figures.stores, count);
}

void Worker::read_others() {
  SharedRegion& shared = any_region();
  const Visit visit(shared, index_);
  for (std::size_t i = random_.between(8, 64); i > 0; --i) read(shared, any_page(shared));
}

void Worker::store_privately() {
  PrivateRegion* const region = any_private();
  if (region == nullptr) return;
  const std::size_t count = random_.between(4, 32);
  for (std::size_t i = 0; i < count; ++i) region->store(random_);
  add(world_.figures.stores, count);
}

void Worker::fault_elsewhere() {
  const auto value = static_cast<unsigned>(random_.below(256));
  world_.verdict.complain(name_, world_.foreign.fault(index_, value));
  add(world_.figures.foreign_faults);
}

}  // namespace soak
