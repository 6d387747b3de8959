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

bool choose_setting(const std::string& value) {
  std::ofstream file(setting_file);
  file << value << std::flush;
  return static_cast<bool>(file) && chosen_setting() == value;
}

}  // namespace

HugePagesAllowed::HugePagesAllowed() : before_(chosen_setting()) {
  const bool enough = before_ == "advise" || before_ == "always" || before_ == "force";
  allowed_ = enough || (!before_.empty() && choose_setting("advise"));
}

HugePagesAllowed::~HugePagesAllowed() {
  if (allowed_ && chosen_setting() != before_) {
    choose_setting(before_);
  }
}

}  // namespace cow_bench
