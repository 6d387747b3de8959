#pragma once

// What computes here, and what is between it and us.

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace cow::measure {

/// "AMD EPYC 7763"; on arm64, where the kernel has numbers alone, "ARM Neoverse-N1" or the numbers.
[[nodiscard]] std::optional<std::string> processor_name();

/// Processors that are online, and those this process may run on, as the kernel lists them: "0-3".
[[nodiscard]] int online_cpus();
[[nodiscard]] std::optional<std::string> allowed_cpus();

/// {"governor", "driver", "min_mhz", "max_mhz", "now_mhz", "boost"}.
[[nodiscard]] nlohmann::ordered_json frequency();

/// {"spectre_v2": "Mitigation: …", …} for each that the kernel knows of.
[[nodiscard]] nlohmann::ordered_json mitigations();

/// {"machine": whether the processor is a virtual one, "hypervisor", "product", "container"}.
[[nodiscard]] nlohmann::ordered_json virtualisation();

/// The kernel is an emulator's (qemu-user), or one in user space (gVisor): "qemu-user", "gVisor".
[[nodiscard]] std::optional<std::string> emulated_kernel();

}  // namespace cow::measure
