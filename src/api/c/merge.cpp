#include <cow/merge.hpp>

#include <cstddef>
#include <string>

#include <cow/c/snapshot.h>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"
#include "api/c/structs.hpp"

using cow::c::call;
using cow::c::check_struct;
using cow::c::copy_of;
using cow::c::give;
using cow::c::make_handle;
using cow::c::need;

namespace {

constexpr const char* kName = "cow_merge";

cow::MergeResolver resolver_of(const cow_merge_options& options) {
  if (options.resolver == nullptr) return {};
  return [=](const cow::MergeConflict& conflict) {
    const cow_merge_conflict in_c{sizeof(cow_merge_conflict), conflict.offset,
                                  conflict.result.size(),     conflict.base.data(),
                                  conflict.ours.data(),       conflict.theirs.data(),
                                  conflict.result.data()};
    const int refused = options.resolver(options.context, &in_c);
    if (refused == 0) return;
    cow::throw_system_error(refused, kName,
                            "the resolver ended it at the conflict of " +
                                std::to_string(in_c.length) + " bytes from byte " +
                                std::to_string(in_c.offset) + " on");
  };
}

}  // namespace

int cow_merge(const cow_snapshot* base, const cow_snapshot* ours, const cow_snapshot* theirs,
              const cow_merge_options* options, cow_region** merged, cow_merge_report* report) {
  return call(kName, [&] {
    need(merged, kName, "the pointer for the merged region");
    if (report != nullptr) check_struct(*report, kName);
    const cow_merge_options given = cow::c::options_of(options, kName);
    cow::MergeOptions choices;
    if (given.unit_bytes != 0) choices.unit_bytes = given.unit_bytes;
    cow::MergeResult result = cow::merge(
        need(base, kName, "the common ancestor").value, need(ours, kName, "our snapshot").value,
        need(theirs, kName, "their snapshot").value, resolver_of(given), choices);
    auto conflicts = copy_of(result.conflicts);
    auto region = make_handle<cow_region>(std::move(result.merged));
    if (report != nullptr) {
      give(*report, {0, conflicts.release(), result.conflicts.size(), result.pages_from_ours,
                     result.pages_from_theirs, result.stretches_resolved});
    }
    *merged = region.release();
  });
}
