#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <cow/c/region.h>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"
#include "api/c/structs.hpp"

// The snapshots of a family, and what a region's calls would take.

using cow::c::call;
using cow::c::check_struct;
using cow::c::give;
using cow::c::make_handle;
using cow::c::need;

int cow_region_history(const cow_region* region, cow_history** history) {
  constexpr const char* name = "cow_region_history";
  return call(name, [&] {
    need(history, name, "the pointer for the result");
    auto nodes = need(region, name, "the region").value.snapshots();
    *history = make_handle<cow_history>(std::move(nodes)).release();
  });
}

size_t cow_history_size(const cow_history* history) {
  return history == nullptr ? 0 : history->value.size();
}

int cow_history_at(const cow_history* history, size_t index, cow_snapshot** snapshot,
                   ptrdiff_t* parent) {
  constexpr const char* name = "cow_history_at";
  return call(name, [&] {
    const auto& nodes = need(history, name, "the history").value;
    if (index >= nodes.size()) {
      cow::throw_invalid_argument(std::string(name) + ": there is no snapshot " +
                                  std::to_string(index) + " among " + std::to_string(nodes.size()) +
                                  ", which are counted from 0");
    }
    if (snapshot != nullptr) *snapshot = make_handle<cow_snapshot>(nodes[index].snapshot).release();
    if (parent != nullptr) *parent = nodes[index].parent;
  });
}

void cow_history_destroy(cow_history* history) { delete history; }

int cow_region_estimate(const cow_region* region, cow_cost_estimate* estimate) {
  constexpr const char* name = "cow_region_estimate";
  return call(name, [&] {
    check_struct(need(estimate, name, "the estimate to fill"), name);
    const cow::CostEstimate found = need(region, name, "the region").value.estimate();
    give(*estimate, {0, found.snapshot.count(), found.clone.count()});
  });
}

int cow_region_estimate_restore(const cow_region* region, const cow_snapshot* snapshot,
                                int64_t* nanoseconds) {
  constexpr const char* name = "cow_region_estimate_restore";
  return call(name, [&] {
    need(nanoseconds, name, "the pointer for the result");
    const cow::Snapshot& to = need(snapshot, name, "the snapshot").value;
    *nanoseconds = need(region, name, "the region").value.estimate_restore(to).count();
  });
}
