# Several source files compiled as one, which takes a third of the time from nothing. COW_UNITY says
# of what: `program`, or `all`, which is the library, too. The library that is installed, and what
# is measured, are not: see CMakePresets.json, and the mechanisms below. Every file still has to
# include what it uses; the preset clang compiles each by itself.

# Names in these files are somebody else's in a neighbour.
set(cow_alone
  os/shared_memory.cpp mm/fault/restoring.cpp mm/space/rollback.cpp
  api/c/region.cpp api/c/snapshot.cpp
  demo/view/player.cpp tool/trace/replay.cpp
  tool/report/mechanism_names.cpp tool/report/svg_lines.cpp
  measure/experiments/clones_by_size.cpp measure/experiments/rollback_rounds.cpp
  measure/experiments/snapshot_rounds.cpp measure/figures/turns.cpp measure/host/crowd.cpp
  measure/host/nursery.cpp measure/host/perf_counters.cpp measure/host/processor.cpp)
file(GLOB cow_measured CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}
  measure/mechanisms/*.cpp)
list(APPEND cow_alone ${cow_measured})
set_source_files_properties(${cow_alone} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

set(cow_unity_targets cow_tool_parts cow_measure)
if(COW_UNITY STREQUAL "all")
  list(APPEND cow_unity_targets cow)
endif()
foreach(target IN LISTS cow_unity_targets)
  if(TARGET ${target})
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
  endif()
endforeach()
