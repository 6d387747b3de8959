#include "measure/mechanisms/mechanism.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "measure/mechanisms/table.hpp"

namespace cow::measure {

std::span<const Mechanism> mechanisms() {
  static const std::vector<Mechanism> all = {
      table::eager,       table::handler,      table::kernel,
      table::fork,        table::private_file, table::boost_private,
      table::uffd_signal, table::uffd_thread,  table::mprotect};
  return all;
}

const Mechanism& mechanism(std::string_view name) {
  const auto all = mechanisms();
  const auto found = std::ranges::find(all, name, &Mechanism::name);
  if (found != all.end()) return *found;
  std::string names;
  for (const Mechanism& one : all) {
    names += (names.empty() ? "" : ", ") + std::string(one.name);
  }
  throw std::invalid_argument("there is no mechanism '" + std::string(name) +
                              "'; those that there are: " + names);
}

}  // namespace cow::measure
