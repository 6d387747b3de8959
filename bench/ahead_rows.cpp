#include "ahead_rows.hpp"

namespace cow_bench {

const std::vector<NamedGroup>& ahead_groups() {
  static const std::vector<NamedGroup> groups = {
      {"unchanged", unchanged_snapshot_against_fork},
      {"scattered", scattered_snapshot_against_fork},
      {"rounds", snapshot_rounds_against_fork},
      {"quiescent", quiescent_rounds_against_fork},
      {"rollback", rollbacks_against_others},
      {"others", long_rollbacks_of_other_pages},
      {"many_others", long_rollbacks_of_many_other_pages},
      {"beside", stores_beside_snapshots},
      {"first", very_first_snapshot_against_fork},
      {"pause", pauses_against_fork},
      {"drop", drops_beside_stores},
      {"loaded", loaded_against_written},
      {"overwrite", overwrite_against_kernel},
      {"random", random_stores_against_kernel},
      {"eager", eager_clone_against_memcpy},
      {"lazy", lazy_against_eager},
      {"huge", huge_snapshot_against_fork},
      {"lasting", late_rounds_against_early},
      {"threads", threads_beside_kernel},
  };
  return groups;
}

}  // namespace cow_bench
