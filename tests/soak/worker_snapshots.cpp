// Snapshots of shared regions: taken, looked at again and again, compared, returned to, let go.

#include <algorithm>
#include <cow/cow.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "soak/worker.hpp"

namespace soak {

namespace {

/// Empty if diff() names every page whose hash is different.
std::string missing_from(const std::vector<cow::PageRange>& ranges, const PageHashes& from,
                         const PageHashes& to) {
  std::size_t page = 0;
  const auto same_before = [&](std::size_t end) {
    while (page < end && from[page] == to[page]) ++page;
    return page >= end;
  };
  for (const cow::PageRange range : ranges) {
    if (!same_before(range.first_page)) break;
    page = range.first_page + range.page_count;
  }
  if (same_before(from.pages())) return "";
  return "diff does not name page " + std::to_string(page) + ", which differs";
}

}  // namespace

void Worker::check(SnapshotRecord& record, const std::string& where) {
  const auto bytes = persist(world_, [&] { return record.snapshot().bytes(); });
  record.check(bytes, where, world_.verdict);
  add(world_.figures.hashes);
}

void Worker::take_snapshot() {
  SharedRegion& shared = light_region();
  std::shared_ptr<SnapshotRecord> record;
  {
    const Visit visit(shared, index_);
    record = keep_new_snapshot(shared);
    store_to_any(shared, random_.between(64, 512));  // all pages are protected now
  }
  if (random_.one_in(4)) check(*record, of(shared, "a new snapshot"));
}

// What takes the most mappings: pages that lie apart all over a region, while the snapshot that has
// their frames is mapped as well, as itself or as a clone.
void Worker::store_beside_reader() {
  SharedRegion& shared = any_region();
  const std::size_t apart = random_.between(2, 4);
  const Visit visit(shared, index_);
  const auto record = keep_new_snapshot(shared);
  std::optional<cow::Region> clone;
  if (random_.one_in(2)) {
    check(*record, of(shared, "a new snapshot"));
  } else {
    clone = persist(world_, [&] { return cow::Region::from_snapshot(record->snapshot()); });
  }
  for (PageIndex page = 0; page < shared.layout().pages(); page += apart) increment(shared, page);
  add(world_.figures.stores, shared.layout().pages() / apart);
  if (clone) {
    record->check(std::as_const(*clone).bytes(), of(shared, "a clone of a new snapshot"),
                  world_.verdict);
  }
}

/// Precondition: the region's gate is held.
std::shared_ptr<SnapshotRecord> Worker::keep_new_snapshot(SharedRegion& shared) {
  if (shared.record_count() >= shared.most_records()) drop_snapshot(shared);
  Shadow::Copy before = shared.shadow().copy();
  cow::Snapshot snapshot = persist(world_, [&] { return shared.region().snapshot(); });
  Shadow::Copy after = shared.shadow().copy();
  auto record =
      std::make_shared<SnapshotRecord>(std::move(snapshot), shared.family(), shared.layout(),
                                       std::move(before), std::move(after), index_);
  shared.keep(record);
  add(world_.figures.snapshots);
  return record;
}

void Worker::look_at_snapshot() {
  SharedRegion& shared = light_region();
  if (const auto record = shared.any_record(random_)) check(*record, of(shared, "a snapshot"));
}

void Worker::drop_snapshot() { drop_snapshot(light_region()); }

void Worker::drop_snapshot(SharedRegion& shared) {
  const auto record = shared.take_record(random_);
  if (record == nullptr) return;
  if (random_.one_in(2)) check(*record, of(shared, "a snapshot that is let go"));
  add(world_.figures.drops);
}

void Worker::compare_snapshots() {
  SharedRegion& shared = light_region();
  const auto from = shared.any_record(random_);
  const auto to = shared.any_record(random_);
  if (from == nullptr || to == nullptr || from->family() != to->family()) return;
  const auto from_hashes = from->hashes();
  const auto to_hashes = to->hashes();
  if (!from_hashes || !to_hashes) return;
  const auto ranges = persist(world_, [&] { return cow::diff(from->snapshot(), to->snapshot()); });
  world_.verdict.complain(of(shared, "two snapshots"),
                          missing_from(ranges, *from_hashes, *to_hashes));
  add(world_.figures.differences);
}

/// Null unless the region can become what the record shows.
std::shared_ptr<SnapshotRecord> Worker::record_to_return_to(SharedRegion& shared) {
  auto record = shared.any_record(random_);
  const bool fits =
      record != nullptr && record->is_of_shared_region() && record->family() == shared.family();
  return fits ? record : nullptr;
}

// The region must be nobody else's meanwhile. Alarms go to another one, if that is free.
void Worker::restore_shared() {
  SharedRegion& shared = light_region();
  SharedRegion& other = any_region();
  const std::lock_guard guard(shared.gate);
  std::shared_lock<Gate> other_guard;
  std::optional<Aiming> aiming;
  if (&other != &shared) {
    other_guard = std::shared_lock<Gate>(other.gate, std::try_to_lock);
    if (other_guard) aiming.emplace(other.aim(index_));
  }
  const auto record = record_to_return_to(shared);
  if (record == nullptr) return;
  const auto hashes = record->hashes();
  persist(world_, [&] { shared.region().restore(record->snapshot()); });
  const std::string difference = shared.follow(hashes);
  world_.verdict.complain(of(shared, "after a restore"), difference);
  add(world_.figures.restores);
}

/// Makes some pages zero, and says so to `note(begin, end)`, in bytes. What is wrong, or nothing.
template <class Note>
std::string Worker::discard_some(cow::Region& region, const Note& note) {
  const std::size_t page = region.page_bytes();
  const std::size_t pages = region.size() / page;
  const std::size_t count = random_.between(1, std::min<std::size_t>(pages, 600));
  const std::size_t first = random_.below(pages - count + 1);
  const std::size_t begin = first * page;
  const std::size_t end = begin + count * page;
  persist(world_, [&] { region.discard(begin, end - begin); });
  add(world_.figures.discards);
  const std::string wrong =
      support::all_zero(region.bytes().subspan(begin, end - begin)) ? "" : "pages are not zero";
  note(begin, end);
  return wrong;
}

// As with a restore, the shadow has to follow.
void Worker::discard_shared() {
  SharedRegion& shared = light_region();
  const std::lock_guard guard(shared.gate);
  const std::string wrong = discard_some(shared.region(), [](std::size_t, std::size_t) {});
  world_.verdict.complain(of(shared, "after a discard"), wrong);
  world_.verdict.complain(of(shared, "after a discard"), shared.follow(std::nullopt));
}

// Relatives are stored to by others at the same time.
void Worker::discard_private() {
  PrivateRegion* const discarded = any_private();
  if (discarded == nullptr) return;
  const std::string wrong =
      discard_some(discarded->region(),
                   [&](std::size_t begin, std::size_t end) { discarded->note_store(begin, end); });
  world_.verdict.complain(name_ + ", a clone after a discard", wrong);
}

// The region is destroyed, and one with the same bytes takes its place.
void Worker::replace_shared() {
  SharedRegion& shared = light_region();
  const std::lock_guard guard(shared.gate);
  const auto record = random_.one_in(2) ? record_to_return_to(shared) : nullptr;
  const auto hashes = record != nullptr ? record->hashes() : std::nullopt;
  const cow::CloneMode mode = random_.one_in(4) ? cow::CloneMode::eager : cow::CloneMode::lazy;
  cow::Region next = persist(world_, [&] {
    return record != nullptr ? cow::Region::from_snapshot(record->snapshot())
                             : shared.region().clone(mode);
  });
  add(world_.figures.copies_of_dropped, shared.region().stats().pages_copied);
  shared.replace(std::move(next));
  std::string difference;
  if (record != nullptr) difference = shared.follow(hashes);
  world_.verdict.complain(of(shared, "after it was replaced"), difference);
  add(world_.figures.replacements);
}

void Worker::start_shared_anew() {
  SharedRegion& shared = light_region();
  const std::lock_guard guard(shared.gate);
  cow::Region next = persist(
      world_, [&] { return cow::Region::create(shared.shape().bytes, shared.shape().options); });
  add(world_.figures.copies_of_dropped, shared.region().stats().pages_copied);
  shared.start_anew(std::move(next));
  add(world_.figures.replacements);
}

}  // namespace soak
