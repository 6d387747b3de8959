#pragma once

// libcow beside what one would use instead, by subject. A `Group` function measures rows together.

#include <vector>

#include "comparison.hpp"

namespace cow_bench {

// bench/ahead_snapshot_rows.cpp
[[nodiscard]] Group unchanged_snapshot_against_fork();
[[nodiscard]] Group scattered_snapshot_against_fork();
[[nodiscard]] Group snapshot_rounds_against_fork();
[[nodiscard]] Group quiescent_rounds_against_fork();

// bench/ahead_huge_rows.cpp
[[nodiscard]] Group huge_snapshot_against_fork();

// bench/ahead_rollback_rows.cpp
[[nodiscard]] Group rollbacks_against_others();
[[nodiscard]] Group long_rollbacks_of_other_pages();
[[nodiscard]] Group long_rollbacks_of_many_other_pages();

// bench/ahead_clone_rows.cpp
[[nodiscard]] Group overwrite_against_kernel();
[[nodiscard]] Group random_stores_against_kernel();
[[nodiscard]] Group eager_clone_against_memcpy();
[[nodiscard]] Group lazy_against_eager();

// bench/ahead_lasting_rows.cpp
[[nodiscard]] Group late_rounds_against_early();

// bench/ahead_thread_rows.cpp
[[nodiscard]] Group threads_beside_kernel();

// bench/ahead_beside_rows.cpp
[[nodiscard]] Group stores_beside_snapshots();

// bench/ahead_pause_rows.cpp
[[nodiscard]] Group very_first_snapshot_against_fork();
[[nodiscard]] Group pauses_against_fork();

// bench/ahead_drop_rows.cpp
[[nodiscard]] Group drops_beside_stores();

// bench/ahead_loaded_rows.cpp
[[nodiscard]] Group loaded_against_written();

[[nodiscard]] const std::vector<NamedGroup>& ahead_groups();

}  // namespace cow_bench
