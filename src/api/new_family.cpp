#include "api/new_family.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "api/trace.hpp"
#include "base/error.hpp"
#include "fault/dispatch.hpp"
#include "mm/fault/handler_copies.hpp"
#include "mm/resources/metadata_heap.hpp"
#include "mm/watch/kernel_copies.hpp"
#include "os/host.hpp"
#include "os/write_watch.hpp"

namespace cow {

namespace {

constexpr std::size_t kLargestGranule = std::size_t{2} << 20;

std::size_t granule_of(const RegionOptions& options) {
  const std::size_t host = os::page_bytes();
  if (options.granule_bytes == 0) return host;
  if (!std::has_single_bit(options.granule_bytes) || options.granule_bytes < host ||
      options.granule_bytes > std::max(host, kLargestGranule)) {
    throw_invalid_argument("RegionOptions::granule_bytes is " +
                           std::to_string(options.granule_bytes) +
                           "; it must be 0 or a power of two from " + std::to_string(host) +
                           " (this host's page) to 2097152");
  }
  return options.granule_bytes;
}

/// Why the kernel cannot copy for such a region; empty if it can.
std::string why_not_kernel(const RegionOptions& options) {
  if (options.reserve_frames) {
    return "RegionOptions::reserve_frames asks that no store fails for memory, and "
           "Mechanism::kernel has the kernel copy into memory that nobody can reserve";
  }
  if (options.most_bytes > 0) {
    return "RegionOptions::most_bytes asks that stores behind a region's end fault, and with "
           "Mechanism::kernel nobody keeps stores off";
  }
  if (options.granule_bytes > os::page_bytes()) {
    return "with Mechanism::kernel the kernel copies pages of its own size, " +
           std::to_string(os::page_bytes()) + " bytes, and RegionOptions::granule_bytes is " +
           std::to_string(options.granule_bytes);
  }
  return "";
}

/// What the environment says.
Mechanism default_mechanism() {
  const char* const asked = std::getenv("COW_MECHANISM");
  const std::string_view name = asked == nullptr ? "" : asked;
  if (name.empty() || name == "handler") return Mechanism::handler;
  if (name == "kernel") return Mechanism::kernel;
  if (name == "automatic") return Mechanism::automatic;
  throw_invalid_argument("COW_MECHANISM is '" + std::string(name) +
                         "' in the environment; it must be handler, kernel or automatic");
}

std::optional<os::WriteWatch> watch_for(const RegionOptions& options) {
  const Mechanism mechanism = options.mechanism ? *options.mechanism : default_mechanism();
  if (mechanism == Mechanism::handler) return std::nullopt;
  if (const std::string reason = why_not_kernel(options); !reason.empty()) {
    if (options.mechanism != Mechanism::kernel) return std::nullopt;
    throw_invalid_argument(reason +
                           "; take Mechanism::handler, or Mechanism::automatic, which takes it "
                           "then");
  }
  try {
    return os::WriteWatch::open();
  } catch (const std::system_error&) {
    if (mechanism == Mechanism::kernel) throw;
    return std::nullopt;
  }
}

}  // namespace

std::shared_ptr<Family> new_family(std::uint64_t size_bytes, const RegionOptions& options,
                                   const char* call) {
  if (size_bytes == 0) {
    throw_invalid_argument(std::string(call) + ": the size is 0; a region has at least one byte");
  }
  if (options.most_bytes > 0 && options.most_bytes < size_bytes) {
    throw_invalid_argument("RegionOptions::most_bytes is " + std::to_string(options.most_bytes) +
                           ", less than the " + std::to_string(size_bytes) +
                           " bytes that the region begins with; give 0, or as much at least");
  }
  const std::uint64_t most_bytes = std::max<std::uint64_t>(size_bytes, options.most_bytes);
  if (most_bytes > kAddressSpaceBytes) {
    throw_invalid_argument(std::string(call) + ": " + std::to_string(most_bytes) +
                           " bytes are more than a process can address; ask for less");
  }
  if (options.max_window_pages == 0) {
    throw_invalid_argument(
        "RegionOptions::max_window_pages is 0; a fault takes at least the page it is on, so use 1 "
        "or more");
  }
  const PageGeometry geometry(granule_of(options));
  follow_trace_environment();
  std::optional<os::WriteWatch> watch = watch_for(options);
  const CopyOnWrite& copy_on_write = watch ? kernel_copies() : handler_copies();
  if (copy_on_write.stores_fault()) ensure_handler_installed();
  auto family = std::allocate_shared<Family>(
      MetadataAllocator<Family>{}, geometry, geometry.pages_for(most_bytes),
      window_pages_for_trace(options.max_window_pages),
      options.reserve_frames ? Backing::reserved : Backing::on_store,
      options.huge_pages ? os::allowed_huge_pages() : os::HugePages{}, options.keep_out_of_cores,
      copy_on_write, std::move(watch));
  family->set_most_bytes(most_bytes);
  return family;
}

void refuse_growth(const RegionOptions& options, const char* call) {
  if (options.most_bytes == 0) return;
  throw_invalid_argument(std::string(call) +
                         ": RegionOptions::most_bytes is set, and a region that begins with a "
                         "file cannot grow; leave it 0, or create a region and copy the file");
}

}  // namespace cow
