#include "api/new_family.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "base/error.hpp"
#include "mm/resources/metadata_heap.hpp"
#include "os/host.hpp"

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

}  // namespace

std::shared_ptr<Family> new_family(std::uint64_t size_bytes, const RegionOptions& options,
                                   const char* call) {
  if (size_bytes == 0) {
    throw_invalid_argument(std::string(call) + ": the size is 0; a region has at least one byte");
  }
  if (size_bytes > kAddressSpaceBytes) {
    throw_invalid_argument(std::string(call) + ": " + std::to_string(size_bytes) +
                           " bytes are more than a process can address; ask for less");
  }
  if (options.max_window_pages == 0) {
    throw_invalid_argument(
        "RegionOptions::max_window_pages is 0; a fault takes at least the page it is on, so use 1 "
        "or more");
  }
  const PageGeometry geometry(granule_of(options));
  return std::allocate_shared<Family>(
      MetadataAllocator<Family>{}, geometry, geometry.pages_for(size_bytes),
      options.max_window_pages, options.reserve_frames ? Backing::reserved : Backing::on_store,
      options.huge_pages ? os::allowed_huge_pages() : os::HugePages{}, options.keep_out_of_cores);
}

}  // namespace cow
