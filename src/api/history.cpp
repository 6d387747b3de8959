// The living snapshots of a family as a tree, and what became of a region since one of them.

#include <cow/region.hpp>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "api/snapshot_state.hpp"
#include "base/error.hpp"
#include "mm/control/difference.hpp"

namespace cow {

namespace {

struct Living {
  std::shared_ptr<detail::SnapshotState> snapshot;
  const LineageNode* parent;
};

// In one hold of the lock: some microseconds.
constexpr std::size_t kFoundInAHold = 256;

// The nearest that is not going. Parents come before children, so whoever has the child in `living`
// has this one, too.
const LineageNode* living_parent(const LineageNode& node) noexcept {
  const LineageNode* parent = node.parent();
  while (parent->is_snapshot() && detail::SnapshotState::is_going(*parent)) {
    parent = parent->parent();
  }
  return parent;
}

// The next ones, until `living` is as long as that; it has the room. False if there are no more. No
// memory is asked for or given back with the lock held: that might store to a region. `living`
// keeps the last one alive, so that is in the tree still, wherever it hangs now.
bool find_more(Family& family, std::vector<Living>& living, std::size_t until) noexcept {
  const Section section(family, Section::Intent::look);
  const Lineage& lineage = family.lineage();
  const LineageNode* at = living.empty() ? nullptr : &living.back().snapshot->lineage();
  while (living.size() < until) {
    LineageNode* const node = lineage.next_snapshot(at);
    if (node == nullptr) return false;
    at = node;
    std::shared_ptr<detail::SnapshotState> snapshot = detail::SnapshotState::of(*node);
    if (snapshot != nullptr) living.push_back({std::move(snapshot), living_parent(*node)});
  }
  return true;
}

std::vector<Living> find_living(Family& family) {
  std::vector<Living> living;
  for (std::size_t until = kFoundInAHold;; until += kFoundInAHold) {
    if (living.capacity() < until) living.reserve(std::max(until, 2 * living.capacity()));
    if (!find_more(family, living, until)) return living;
  }
}

}  // namespace

std::vector<SnapshotNode> Region::snapshots() const {
  Family& family = state().space().family();
  check_callable(family);
  std::vector<Living> living = find_living(family);
  std::vector<SnapshotNode> nodes;
  nodes.reserve(living.size());
  std::vector<std::pair<const LineageNode*, std::ptrdiff_t>>
      above;  // from the root to the last one
  for (Living& each : living) {
    while (!above.empty() && above.back().first != each.parent) above.pop_back();
    const std::ptrdiff_t parent = above.empty() ? -1 : above.back().second;
    above.emplace_back(&each.snapshot->lineage(), static_cast<std::ptrdiff_t>(nodes.size()));
    nodes.push_back({Snapshot(std::move(each.snapshot)), parent});
  }
  return nodes;
}

std::vector<PageRange> Region::changed_since(const Snapshot& snapshot) const {
  AddressSpace& space = state().space();
  detail::SnapshotState& from = snapshot.state();
  if (from.family().get() != &space.family()) {
    throw_invalid_argument(
        "Region::changed_since: the snapshot belongs to another family; compare a region with its "
        "own snapshots and those of its clones and ancestors");
  }
  check_callable(space.family());
  check_files(space.family());
  std::vector<PageRange> ranges;
  const std::size_t size_before = size();
  for (const PageSpan span :
       with_sizes(retry_in_shortage([&] { return difference(from.table(), space); }),
                  space.family().geometry(), from.size_bytes(), size_before)) {
    ranges.push_back({span.first.value, span.count().value});
  }
  return ranges;
}

}  // namespace cow
