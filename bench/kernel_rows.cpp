#include "kernel_rows.hpp"

#include <cow/region.hpp>

#include <system_error>

namespace cow_bench {

std::string why_no_kernel_mechanism() {
  try {
    static_cast<void>(cow::Region::create(1, copied_by(cow::Mechanism::kernel)));
  } catch (const std::system_error& error) {
    return error.what();
  }
  return {};
}

const std::vector<NamedGroup>& kernel_groups() {
  static const std::vector<NamedGroup> groups = {
      {"clone", kernel_clone_against_fork},
      {"store", kernel_store_against_fork},
      {"rounds", kernel_rounds_against_fork},
      {"handler", kernel_rounds_against_handler},
      {"lazy", kernel_lazy_against_better},
      {"rollback", kernel_rollbacks},
      {"private", kernel_private_pages},
      {"touch", kernel_first_touch},
      {"crowd", kernel_crowd},
      {"requests", kernel_requests},
      {"game", kernel_game},
      {"table", kernel_table},
      {"pause", kernel_pauses},
  };
  return groups;
}

}  // namespace cow_bench
