// The kernel writes to regions: through leases, to shared regions and to the worker's own.

#include <array>
#include <utility>

#include "soak/worker.hpp"

namespace soak {

// A snapshot that is taken meanwhile, by this worker or another, keeps what was there before.
void Worker::lease_shared() {
  SharedRegion& shared = light_region();
  const Visit visit(shared, index_);
  const std::size_t all = shared.layout().pages();
  const std::size_t pages = random_.between(1, std::min(all, SharedLease::most_pages));
  const PageIndex first = random_.below(all - pages + 1);
  auto lease =
      persist(world_, [&] { return std::make_unique<SharedLease>(shared, index_, first, pages); });
  write_through(*lease);
  if (random_.one_in(8)) {
    keep_new_snapshot(shared);
    write_through(*lease);
  }
  if (random_.one_in(3)) kept_lease_ = std::move(lease);
}

// The region may have been snapshotted, cloned, restored, forked and even destroyed since.
void Worker::use_kept_lease() {
  if (kept_lease_ == nullptr) return;
  const Visit visit(kept_lease_->shared(), index_);
  write_through(*kept_lease_);
  if (random_.one_in(2)) kept_lease_.reset();
}

void Worker::write_through(SharedLease& lease) {
  const auto store_to_some = [&] {
    if (!lease.is_current()) return;
    for (PageIndex page = lease.first(); page < lease.first() + lease.pages(); ++page) {
      if (random_.one_in(3)) increment(lease.shared(), page);
    }
  };
  store_to_some();
  world_.verdict.complain(of(lease.shared(), "a lease"), lease.write_fills(kernel_, random_));
  store_to_some();
  add(world_.figures.leases);
}

void Worker::lease_private() {
  PrivateRegion* const leased = any_private();
  if (leased == nullptr) return;
  cow::Region& region = leased->region();
  std::array<std::byte, KernelWriter::most_bytes> bytes;
  const std::size_t length = random_.between(1, std::min(bytes.size(), region.size()));
  const std::size_t begin = random_.below(region.size() - length + 1);
  const cow::WriteLease lease = persist(world_, [&] { return region.write_lease(begin, length); });
  const auto write_once = [&] {
    std::string complaint;
    if (random_.one_in(3)) {
      complaint = kernel_.write_random(lease.bytes());
    } else {
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_.word());
      std::byte* const target = lease.data();
      complaint = kernel_.write(std::span(bytes).first(length), {&target, 1}, random_);
    }
    leased->note_store(begin, begin + length);
    world_.verdict.complain(name_ + ", a lease of a clone", complaint);
    add(world_.figures.leases);
  };
  write_once();
  if (!random_.one_in(4)) return;
  const PageHashes then = leased->hashes();
  const cow::Snapshot snapshot = persist(world_, [&] { return region.snapshot(); });
  write_once();
  const auto shown = persist(world_, [&] { return snapshot.bytes(); });
  world_.verdict.complain(name_ + ", a snapshot of a leased clone", then.difference(shown));
}

}  // namespace soak
