#include "soak/worker.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>

namespace soak {

// How often each is done: about one in three is a control call.
const Worker::Operation Worker::operations[] = {
    {500, "storing here and there", &Worker::store_scattered},
    {60, "storing in order", &Worker::store_in_order},
    {80, "writing fills", &Worker::store_fills},
    {50, "reading", &Worker::read_others},
    {100, "storing to a clone", &Worker::store_privately},
    {30, "faulting elsewhere", &Worker::fault_elsewhere},
    {80, "taking a snapshot", &Worker::take_snapshot},
    {3, "storing beside a snapshot that is read", &Worker::store_beside_reader},
    {40, "looking at a snapshot", &Worker::look_at_snapshot},
    {20, "dropping a snapshot", &Worker::drop_snapshot},
    {10, "comparing snapshots", &Worker::compare_snapshots},
    {8, "restoring", &Worker::restore_shared},
    {6, "discarding", &Worker::discard_shared},
    {10, "discarding from a clone", &Worker::discard_private},
    {2, "replacing a region", &Worker::replace_shared},
    {1, "starting a region anew", &Worker::start_shared_anew},
    {10, "cloning", &Worker::clone_shared},
    {3, "cloning eagerly", &Worker::clone_shared_eagerly},
    {5, "cloning a clone", &Worker::clone_private},
    {10, "cloning a snapshot", &Worker::clone_snapshot},
    {2, "saving and loading a snapshot", &Worker::load_snapshot},
    {8, "taking a snapshot of a clone", &Worker::snapshot_private},
    {8, "restoring a clone", &Worker::restore_private},
    {8, "checking a clone", &Worker::check_private},
    {8, "dropping a clone", &Worker::drop_private},
    {3, "forking", &Worker::fork_child},
    {2, "waiting for a child", &Worker::reap_child},
    {30, "leasing", &Worker::lease_shared},
    {20, "leasing a clone", &Worker::lease_private},
    {20, "using a kept lease", &Worker::use_kept_lease},
};

Worker::Worker(World& world, WorkerIndex index)
    : world_(world),
      index_(index),
      name_("worker " + std::to_string(index)),
      random_(world.options.seed + index) {
  private_.reserve(8);
  children_.reserve(8);
}

void Worker::run() {
  AlarmClock alarms(random_.word());
  alarms_ = &alarms;
  while (!world_.verdict.stopping()) {
    perform_one();
    note_alarms();
    doing_ = "resting";
    world_.rendezvous.rest_if_wanted();
  }
  try {
    while (!children_.empty()) reap_child();
  } catch (const std::exception& error) {
    world_.verdict.violation(name_ + " at the end: " + error.what());
  }
  world_.rendezvous.leave();
}

bool Worker::is_left_out(const Operation& operation) const {
  const std::string_view name = operation.name;
  return std::any_of(
      world_.options.without.begin(), world_.options.without.end(),
      [&](const std::string& word) { return name.find(word) != std::string_view::npos; });
}

const Worker::Operation& Worker::any_operation() {
  static const std::size_t all = [] {
    std::size_t sum = 0;
    for (const Operation& operation : operations) sum += operation.weight;
    return sum;
  }();
  std::size_t lot = random_.below(all);
  const Operation* chosen = operations;
  while (lot >= chosen->weight) lot -= (chosen++)->weight;
  return *chosen;
}

void Worker::perform_one() {
  const Operation& chosen = any_operation();
  if (is_left_out(chosen)) return;
  doing_ = chosen.name;
  const Shortages::Moment before = world_.shortages.now();
  try {
    (this->*chosen.perform)();
  } catch (const Stopped&) {
  } catch (const std::bad_alloc& error) {  // this program's own memory
    add(world_.figures.refusals);
    if (!world_.shortages.any_since(before)) world_.verdict.violation(name_ + ": " + error.what());
  } catch (const std::exception& error) {
    world_.verdict.violation(name_ + ", " + chosen.name + ": " + error.what());
  }
}

void Worker::note_alarms() {
  add(world_.figures.signals, alarms_->take_count());
  world_.verdict.complain("a region, in a signal handler", alarms_->mismatch());
}

SharedRegion& Worker::any_region() { return *world_.regions[random_.below(world_.regions.size())]; }

SharedRegion& Worker::light_region() {
  for (;;) {
    SharedRegion& shared = any_region();
    // All sizes are at least this large.
    const std::size_t smallest = std::size_t{2} << 20;
    if (random_.below(shared.shape().bytes) < smallest) return shared;
  }
}

PrivateRegion* Worker::any_private() {
  return private_.empty() ? nullptr : &private_[random_.below(private_.size())];
}

std::string Worker::of(const SharedRegion& shared, const char* what) const {
  return shared.name() + ", " + what + " (" + name_ + ")";
}

}  // namespace soak
