// Children, beside threads that go on.

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "soak/worker.hpp"

namespace soak {

namespace {

constexpr std::size_t most_children = 2;  // of one worker, that have been told to wait

}  // namespace

void Worker::fork_child() {
  if (children_.size() >= most_children) reap_child();
  SharedRegion& shared = light_region();
  const Visit visit(shared, index_);
  Inheritance inherited{.shared = shared,
                        .worker = index_,
                        .before = {},
                        .own = any_private(),
                        .record = shared.any_record(random_),
                        .record_hashes = {},
                        .seed = random_.word(),
                        .waits = random_.one_in(2),
                        .has_grandchild = random_.one_in(4)};
  if (inherited.record != nullptr) inherited.record_hashes = inherited.record->hashes();
  std::string name = of(shared, "a child");

  std::unique_ptr<Child> child;
  {
    const std::shared_lock limits(world_.shortages.limits);
    const std::lock_guard guard(world_.fork_lock);
    const AlarmsHeldOff held_off;
    inherited.before = shared.shadow().copy();
    child.reset(new Child{support::ForkedChild([&](support::Peer& parent) {
                            return live_as_child(inherited, parent);
                          }),
                          std::move(name)});
  }
  children_.push_back(std::move(child));
  if (!inherited.waits) reap_child();
}

void Worker::reap_child() {
  if (children_.empty()) return;
  std::swap(children_[random_.below(children_.size())], children_.back());
  const std::unique_ptr<Child> child = std::move(children_.back());
  children_.pop_back();
  child->process.peer().say();
  const support::ChildResult result = child->process.wait();
  world_.verdict.complain(child->name, result.complaint);
  if (result.exited()) {
    add(world_.figures.forks);
  } else {
    world_.verdict.violation(child->name + " died, wait status " +
                             std::to_string(result.wait_status));
  }
}

}  // namespace soak
