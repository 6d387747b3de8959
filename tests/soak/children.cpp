#include "soak/children.hpp"

#include <cow/cow.hpp>
#include <cstring>
#include <utility>

namespace soak {

namespace {

std::string because(const char* what, const std::string& complaint) {
  return complaint.empty() ? "" : std::string(what) + ": " + complaint;
}

/// The bytes are those of the moment of the fork.
std::string compare_with_parent(const Inheritance& inherited) {
  SharedRegion& shared = inherited.shared;
  // The other threads were stopped by the fork in what they were at, the shadow with them.
  const Shadow::Copy after = shared.shadow().copy();
  const auto mismatch = find_mismatch(shared.region().bytes(), shared.layout(),
                                      {inherited.before, after, inherited.worker});
  if (mismatch) return mismatch->sentence();
  if (inherited.own != nullptr) {
    const std::string difference = inherited.own->difference();
    if (!difference.empty()) return "the worker's clone, " + difference;
  }
  if (inherited.record == nullptr || !inherited.record_hashes) return "";
  return because("a snapshot of the parent",
                 inherited.record_hashes->difference(inherited.record->snapshot().bytes()));
}

/// Stores anything anywhere.
void scribble(cow::Region& region, support::Random& random) {
  for (std::size_t i = random.between(20, 200); i > 0; --i) {
    const std::size_t at = random.below(region.size());
    *static_cast<volatile std::byte*>(region.data() + at) = static_cast<std::byte>(random.word());
  }
}

/// Stores, snapshots, and returns to the snapshot.
std::string there_and_back(cow::Region& region, const PageHashes& before, support::Random& random) {
  const cow::Snapshot snapshot = region.snapshot();
  scribble(region, random);
  cow::Region clone = region.clone();
  const PageHashes scribbled(std::as_const(region).bytes(), region.page_bytes());
  scribble(clone, random);
  std::string complaint =
      because("stores to a clone of the child's", scribbled.difference(region.bytes()));
  if (!complaint.empty()) return complaint;
  complaint = because("the child's own snapshot", before.difference(snapshot.bytes()));
  if (!complaint.empty()) return complaint;
  region.restore(snapshot);
  return because("the child's restore", before.difference(region.bytes()));
}

std::string watch_grandchild(cow::Region& region, const PageHashes& before,
                             support::Random& random) {
  support::ForkedChild grandchild([&](support::Peer& parent) -> std::string {
    if (!parent.hear()) return "its parent is gone";
    std::string complaint = before.difference(region.bytes());
    scribble(region, random);
    return complaint;
  });
  scribble(region, random);
  const PageHashes scribbled(std::as_const(region).bytes(), region.page_bytes());
  grandchild.peer().say();
  const support::ChildResult result = grandchild.wait();
  if (!result.complaint.empty()) return "a grandchild: " + result.complaint;
  if (!result.exited()) return "a grandchild died";
  return because("what a grandchild stored", scribbled.difference(region.bytes()));
}

}  // namespace

std::string live_as_child(const Inheritance& inherited, support::Peer& parent) {
  support::Random random(inherited.seed);
  cow::Region& region = inherited.shared.region();
  std::string complaint = compare_with_parent(inherited);
  if (!complaint.empty()) return complaint;

  const PageHashes before(std::as_const(region).bytes(), region.page_bytes());
  if (inherited.waits) {
    if (!parent.hear()) return "";  // the run ends
    complaint = because("after the parent went on", before.difference(region.bytes()));
    if (complaint.empty() && inherited.record_hashes) {
      complaint =
          because("a snapshot, after the parent went on",
                  inherited.record_hashes->difference(inherited.record->snapshot().bytes()));
    }
    if (!complaint.empty()) return complaint;
  }
  complaint = there_and_back(region, before, random);
  if (!complaint.empty()) return complaint;
  if (inherited.has_grandchild) complaint = watch_grandchild(region, before, random);
  if (!complaint.empty()) return complaint;
  return because("the child's region", support::broken_invariant(region));
}

}  // namespace soak
