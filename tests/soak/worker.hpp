// One thread of the run: it does one random operation after the other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "soak/alarms.hpp"
#include "soak/children.hpp"
#include "soak/leases.hpp"
#include "soak/private_region.hpp"
#include "soak/world.hpp"

namespace soak {

class Worker {
 public:
  Worker(World& world, WorkerIndex index);

  /// The thread: until the run ends.
  void run();

  // While the thread rests:

  [[nodiscard]] std::vector<PrivateRegion>& private_regions() { return private_; }
  /// For sentences.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// What it does, for somebody who wonders why the run does not go on. Any thread.
  [[nodiscard]] const char* doing() const { return doing_.load(); }

 private:
  /// A shared region that nobody else restores or destroys, and that alarms store to.
  struct Visit {
    Visit(SharedRegion& visited, WorkerIndex worker)
        : guard(visited.gate), aiming(visited.aim(worker)) {}
    std::shared_lock<Gate> guard;
    Aiming aiming;
  };

  struct Operation {
    std::size_t weight;
    const char* name;
    void (Worker::*perform)();
  };
  static const Operation operations[];

  void perform_one();
  const Operation& any_operation();
  [[nodiscard]] bool is_left_out(const Operation& operation) const;
  void note_alarms();

  /// For stores: any region.
  SharedRegion& any_region();
  /// For what costs in proportion to the size: the small ones more often.
  SharedRegion& light_region();
  PageIndex any_page(const SharedRegion& shared);
  PrivateRegion* any_private();
  std::string of(const SharedRegion& shared, const char* what) const;

  // worker_stores.cpp
  void increment(SharedRegion& shared, PageIndex page);
  void write_fill(SharedRegion& shared, PageIndex page);
  void read(SharedRegion& shared, PageIndex page);
  void store_to_any(SharedRegion& shared, std::size_t count);
  void store_scattered();
  void store_in_order();
  void store_fills();
  void read_others();
  void store_privately();
  void fault_elsewhere();

  // worker_snapshots.cpp
  void take_snapshot();
  std::shared_ptr<SnapshotRecord> keep_new_snapshot(SharedRegion& shared);
  void store_beside_reader();
  void look_at_snapshot();
  void drop_snapshot();
  void drop_snapshot(SharedRegion& shared);
  void compare_snapshots();
  void restore_shared();
  template <class Note>
  [[nodiscard]] std::string discard_some(cow::Region& region, const Note& note);
  void discard_shared();
  void discard_private();
  void replace_shared();
  void start_shared_anew();
  void check(SnapshotRecord& record, const std::string& where);
  std::shared_ptr<SnapshotRecord> record_to_return_to(SharedRegion& shared);

  // worker_clones.cpp
  void clone_shared();
  void clone_shared_eagerly();
  void clone_shared(cow::CloneMode mode);
  void clone_private();
  void clone_snapshot();
  void load_snapshot();
  void snapshot_private();
  void restore_private();
  void check_private();
  void drop_private();
  void make_room();

  // worker_forks.cpp
  void fork_child();
  void reap_child();

  // worker_leases.cpp
  void lease_shared();
  void lease_private();
  void use_kept_lease();
  void write_through(SharedLease& lease);

  World& world_;
  WorkerIndex index_;
  std::string name_;
  support::Random random_;
  std::vector<PrivateRegion> private_;
  std::vector<std::unique_ptr<Child>> children_;
  KernelWriter kernel_;
  std::unique_ptr<SharedLease> kept_lease_;
  AlarmClock* alarms_ = nullptr;
  std::atomic<const char*> doing_{"starting"};
};

}  // namespace soak
