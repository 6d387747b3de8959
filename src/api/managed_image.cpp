#include <cow/managed/image.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "base/error.hpp"

namespace cow::detail {

namespace {

// What managed/segment.hpp adds to Boost's own layout, and this header. One more for each change.
constexpr std::uint32_t kVersion = 1;

constexpr std::array<char, 8> kMagic = {'c', 'o', 'w', 's', 'e', 'g', 'm', '\n'};

struct Header {
  std::array<char, 8> magic{};
  std::uint32_t version = 0;
  std::uint32_t header_bytes = 0;
  ManagedLayout layout{};
  std::uint64_t region_bytes = 0;
};
static_assert(sizeof(Header) <= managed_header_bytes);

std::string boost_text(std::uint32_t version) {
  return "Boost " + std::to_string(version / 100000) + "." + std::to_string(version / 100 % 1000) +
         "." + std::to_string(version % 100);
}

std::string layout_text(const ManagedLayout& layout) {
  return boost_text(layout.boost_version) + ", pointers of " +
         std::to_string(layout.pointer_bytes) + " bytes, a segment manager of " +
         std::to_string(layout.manager_bytes) + " and blocks aligned to " +
         std::to_string(layout.block_alignment);
}

[[noreturn]] void refuse(const char* call, const std::string& sentence) {
  throw_invalid_argument(std::string(call) + ": " + sentence);
}

}  // namespace

void write_managed_header(std::span<std::byte> region, const ManagedLayout& layout) {
  const Header header{kMagic, kVersion, static_cast<std::uint32_t>(managed_header_bytes), layout,
                      region.size()};
  std::memcpy(region.data(), &header, sizeof header);
}

void check_managed_header(std::span<const std::byte> region, const ManagedLayout& layout,
                          const char* call) {
  Header header{};
  const bool long_enough = region.size() >= managed_header_bytes;
  if (long_enough) std::memcpy(&header, region.data(), sizeof header);
  if (!long_enough || header.magic != kMagic) {
    refuse(call,
           "the region holds no managed segment; open one that ManagedRegion::create made, or a "
           "clone, a snapshot or a saved image of it");
  }
  if (header.version != kVersion || header.header_bytes != managed_header_bytes) {
    refuse(call, "the region holds a managed segment of version " + std::to_string(header.version) +
                     " and this is libcow for version " + std::to_string(kVersion) +
                     "; open it with the libcow it was made with");
  }
  if (header.layout != layout) {
    refuse(call, "the region holds a managed segment made with " + layout_text(header.layout) +
                     "; this program has " + layout_text(layout) +
                     "; open it with a program compiled as the first one was");
  }
  if (header.region_bytes > region.size()) {
    refuse(call, "the region is truncated: it has " + std::to_string(region.size()) +
                     " bytes and its managed segment was made in one of " +
                     std::to_string(header.region_bytes) + "; take the whole of it");
  }
}

void check_managed_sizes(std::size_t region_bytes, std::size_t segment_bytes,
                         std::size_t limit_bytes, const char* call) {
  if (segment_bytes <= limit_bytes && limit_bytes <= region_bytes - managed_header_bytes) return;
  refuse(call, "the managed segment is damaged: it says that it has " +
                   std::to_string(segment_bytes) + " bytes of at most " +
                   std::to_string(limit_bytes) + ", in a region of " +
                   std::to_string(region_bytes) + "; take an undamaged copy");
}

}  // namespace cow::detail
