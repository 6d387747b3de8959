// Clones of shared regions and of snapshots, which the worker then has for itself.

#include <cow/cow.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "soak/worker.hpp"

namespace soak {

namespace {

constexpr std::size_t most_private_regions = 3;
constexpr std::uint64_t family_of_its_own = 0;  // no shared region's

}  // namespace

void Worker::clone_shared() { clone_shared(cow::CloneMode::lazy); }
void Worker::clone_shared_eagerly() { clone_shared(cow::CloneMode::eager); }

void Worker::clone_shared(cow::CloneMode mode) {
  make_room();
  SharedRegion& shared = light_region();
  std::optional<Visit> visit(std::in_place, shared, index_);
  const Shadow::Copy before = shared.shadow().copy();
  cow::Region clone = persist(world_, [&] { return shared.region().clone(mode); });
  const Shadow::Copy after = shared.shadow().copy();
  const std::uint64_t family = shared.family();
  visit.reset();
  world_.verdict.complain(
      of(shared, mode == cow::CloneMode::lazy ? "a new clone" : "a new eager clone"),
      find_mismatch(std::as_const(clone).bytes(), shared.layout(), {before, after, index_}));
  private_.emplace_back(std::move(clone), family);
  add(world_.figures.clones);
}

void Worker::clone_private() {
  make_room();
  PrivateRegion* const source = any_private();
  if (source == nullptr) return;
  const cow::CloneMode mode = random_.one_in(4) ? cow::CloneMode::eager : cow::CloneMode::lazy;
  cow::Region clone = persist(world_, [&] { return source->region().clone(mode); });
  PrivateRegion made(std::move(clone), source->family(), source->hashes());
  world_.verdict.complain(name_ + ", a clone of a clone", made.difference());
  private_.push_back(std::move(made));
  add(world_.figures.clones);
}

void Worker::clone_snapshot() {
  make_room();
  SharedRegion& shared = light_region();
  const auto record = shared.any_record(random_);
  if (record == nullptr) return;
  cow::Region clone =
      persist(world_, [&] { return cow::Region::from_snapshot(record->snapshot()); });
  record->check(std::as_const(clone).bytes(), of(shared, "a region made from a snapshot"),
                world_.verdict);
  PageHashes hashes = record->hashes().value();
  private_.emplace_back(std::move(clone), record->family(), std::move(hashes));
  add(world_.figures.clones);
}

// The image is another one each time, written over the last one of this worker.
void Worker::load_snapshot() {
  make_room();
  SharedRegion& shared = light_region();
  const auto record = shared.any_record(random_);
  if (record == nullptr) return;
  const std::filesystem::path image = world_.folder / ("image " + std::to_string(index_));
  persist(world_, [&] { record->snapshot().save(image); });
  cow::Region loaded = persist(world_, [&] { return cow::Region::load(image); });
  record->check(std::as_const(loaded).bytes(), of(shared, "a region loaded from an image"),
                world_.verdict);
  PageHashes hashes = record->hashes().value();
  private_.emplace_back(std::move(loaded), family_of_its_own, std::move(hashes));
  add(world_.figures.loads);
}

void Worker::snapshot_private() {
  PrivateRegion* const region = any_private();
  if (region == nullptr) return;
  for (const auto& shared : world_.regions) {
    const std::shared_lock guard(shared->gate);
    if (shared->family() != region->family()) continue;
    if (shared->record_count() >= shared->most_records()) return;
    cow::Snapshot snapshot = persist(world_, [&] { return region->region().snapshot(); });
    shared->keep(std::make_shared<SnapshotRecord>(std::move(snapshot), region->family(),
                                                  shared->layout(), region->hashes()));
    add(world_.figures.snapshots);
    return;
  }
}

// To any snapshot of the family, be it of the shared region or of some clone.
void Worker::restore_private() {
  PrivateRegion* const region = any_private();
  if (region == nullptr) return;
  for (const auto& shared : world_.regions) {
    const auto record = shared->any_record(random_);
    if (record == nullptr || record->family() != region->family()) continue;
    auto hashes = record->hashes();
    if (!hashes) return;
    const Visit visit(*shared, index_);
    persist(world_, [&] { region->region().restore(record->snapshot()); });
    region->follow(std::move(*hashes));
    add(world_.figures.restores);
    return;
  }
}

void Worker::check_private() {
  PrivateRegion* const region = any_private();
  if (region == nullptr) return;
  world_.verdict.complain(name_ + ", a clone", region->difference());
  add(world_.figures.hashes);
}

void Worker::make_room() {
  if (private_.size() >= most_private_regions) drop_private();
}

void Worker::drop_private() {
  if (private_.empty()) return;
  std::swap(private_[random_.below(private_.size())], private_.back());
  PrivateRegion& dropped = private_.back();
  world_.verdict.complain(name_ + ", a clone that is dropped", dropped.difference());
  add(world_.figures.copies_of_dropped, dropped.region().stats().pages_copied);
  private_.pop_back();
  add(world_.figures.drops);
}

}  // namespace soak
