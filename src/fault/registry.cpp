#include "fault/registry.hpp"

#include <algorithm>

#include "base/immortal.hpp"
#include "os/signal_mask.hpp"

namespace cow {

Registry& Registry::instance() noexcept { return immortal<Registry>(); }

Registry::Reader::Reader(Registry& registry) noexcept : registry_(registry) {
  for (;;) {
    phase_ = registry_.phase_.load();
    registry_.readers_[phase_ % 2].enter();
    if (registry_.phase_.load() == phase_) return;
    registry_.readers_[phase_ % 2].leave();  // a writer began to wait meanwhile: start again
  }
}

Registry::Reader::~Reader() { registry_.readers_[phase_ % 2].leave(); }

AddressSpace* Registry::Reader::find(std::uintptr_t address) const noexcept {
  const Table* const now = registry_.table_.load();
  if (now == nullptr) return nullptr;
  const Table& table = *now;
  const Range* const begin = table.ranges.begin();
  const Range* const end = begin + table.count;
  const Range* const behind = std::upper_bound(
      begin, end, address, [](std::uintptr_t at, const Range& range) { return at < range.begin; });
  if (behind == begin) return nullptr;
  const Range& range = *(behind - 1);
  return address < range.end ? range.space.load() : nullptr;
}

void Registry::wait_for_readers() noexcept {
  const os::LockGuard guard(grace_lock_);  // two waiters at once would miss each other's readers
  const unsigned phase = phase_.fetch_add(1);
  readers_[phase % 2].wait_until_empty();
}

// Signals are masked, as with every lock that fork() takes: a handler may fork, and would wait for
// the thread that it interrupts.
void Registry::add(AddressSpace& space) {
  const os::SignalsMasked signals;
  const os::LockGuard guard(lock_);
  const Table none;
  const Table* const now = table_.load();
  const Table& old = now == nullptr ? none : *now;
  auto table = make_metadata<Table>();
  table->ranges = FixedArray<Range>(old.count + 1);
  Range* to = table->ranges.begin();
  const auto put = [&](std::uintptr_t begin, std::uintptr_t end, AddressSpace* of) {
    to->begin = begin;
    to->end = end;
    to->space.store(of, std::memory_order_relaxed);
    ++to;
  };
  const auto begin = reinterpret_cast<std::uintptr_t>(space.begin());
  const auto end = reinterpret_cast<std::uintptr_t>(space.end());
  bool added = false;
  for (std::size_t i = 0; i < old.count; ++i) {
    const Range& range = old.ranges[i];
    AddressSpace* const other = range.space.load(std::memory_order_relaxed);
    if (other == nullptr) continue;  // removed since
    if (!added && begin < range.begin) {
      put(begin, end, &space);
      added = true;
    }
    put(range.begin, range.end, other);
  }
  if (!added) put(begin, end, &space);
  table->count = static_cast<std::size_t>(to - table->ranges.begin());
  size_.store(table->count, std::memory_order_relaxed);
  const MetadataPointer<Table> replaced(table_.exchange(table.release()));
  wait_for_readers();
}

void Registry::remove(AddressSpace& space) noexcept {
  const os::SignalsMasked signals;
  const os::LockGuard guard(lock_);
  const Table& table = *table_.load();
  for (std::size_t i = 0; i < table.count; ++i) {
    if (table.ranges[i].space.load(std::memory_order_relaxed) != &space) continue;
    table.ranges[i].space.store(nullptr);
    size_.fetch_sub(1, std::memory_order_relaxed);
  }
  wait_for_readers();
}

void Registry::forget_readers() noexcept {
  for (os::Occupancy& readers : readers_) readers.reset();
  grace_lock_.reset();
}

}  // namespace cow
