#include "huge_pages_allowed.hpp"

#include <fstream>

namespace cow_bench {

namespace {

constexpr const char* setting_file = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

std::string chosen_setting() {
  std::ifstream file(setting_file);
  std::string line;
  std::getline(file, line);
  const std::size_t open = line.find('[');
  const std::size_t close = line.find(']');
  return open < close && close != std::string::npos ? line.substr(open + 1, close - open - 1) : "";
}

}  // namespace

HugePagesAllowed::HugePagesAllowed() {
  const std::string before = chosen_setting();
  allowed_ = before == "advise" || before == "always" || before == "force";
  if (allowed_ || before.empty()) return;
  change_.emplace(setting_file, "advise", before);
  allowed_ = change_->is_changed() && chosen_setting() == "advise";
}

}  // namespace cow_bench
