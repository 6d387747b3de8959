#include "measure/host/machine_state.hpp"

#include <stdlib.h>

#include <string>

#include "measure/host/facts.hpp"

namespace cow::measure {
std::optional<double> load_of_a_minute() {
  double load = 0;
  if (::getloadavg(&load, 1) != 1) return std::nullopt;
  return load;
}

std::optional<double> frequency_mhz(int processor) {
  const std::optional<std::uint64_t> khz = number_in(
      "/sys/devices/system/cpu/cpu" + std::to_string(processor) + "/cpufreq/scaling_cur_freq");
  if (!khz.has_value()) return std::nullopt;
  return static_cast<double>(*khz) / 1000;
}

}  // namespace cow::measure
