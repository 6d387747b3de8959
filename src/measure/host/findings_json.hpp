#pragma once

// Findings as JSON: how they come from the child that found them, and what `cow doctor --json`
// writes.

#include <optional>

#include <nlohmann/json.hpp>

#include "measure/host/findings.hpp"

namespace nlohmann {

template <typename T>
struct adl_serializer<std::optional<T>> {
  template <typename Json>
  static void to_json(Json& json, const std::optional<T>& value) {
    json = value ? Json(*value) : Json(nullptr);
  }
  template <typename Json>
  static void from_json(const Json& json, std::optional<T>& value) {
    if (!json.is_null()) value = json.template get<T>();
  }
};

}  // namespace nlohmann

namespace cow::measure {

NLOHMANN_JSON_SERIALIZE_ENUM(NeededBy, {{NeededBy::regions, "regions"},
                                        {NeededBy::handler, "handler"},
                                        {NeededBy::kernel, "kernel"},
                                        {NeededBy::some_uses, "some uses"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CgroupLimit, name, value, file)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Trial, was_tried, worked, error, signal, said)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Call, name, purpose, needed_by, trial)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RegionTrial, trial, mechanism)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Regions, handler, kernel, automatic, large_bytes, large, asked)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MemoryFacts, max_map_count, mappings_used, memory_bytes,
                                   available_bytes, overcommit_memory, overcommit_ratio,
                                   commit_limit_bytes, committed_bytes, address_space_bytes,
                                   data_bytes, locked_bytes, file_bytes, descriptors,
                                   descriptors_used, cgroup, shmem_huge_pages, huge_pages,
                                   memfd_noexec, has_proc, has_dev_shm)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(UserfaultFacts, unprivileged, has_device, of_user_mode,
                                   of_all_faults, features, asynchronous_write)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SignalAction, signal, is_default, is_ignored,
                                   takes_alternate_stack, object, symbol)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SignalFacts, actions, is_segv_blocked, least_stack_bytes,
                                   usual_stack_bytes, alternate_stack_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RuleFacts, seccomp_mode, seccomp_filters, no_new_privileges,
                                   ptrace_scope, perf_event_paranoid, perf_events, core_pattern,
                                   core_bytes, core_filter, is_dumpable, user, emulated, container)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Findings, has_children, fork, regions, calls, memory, userfault,
                                   signals, rules, unknown)

}  // namespace cow::measure
