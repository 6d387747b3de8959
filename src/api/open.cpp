#include <cow/region.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <span>
#include <utility>

#include "api/control_call.hpp"
#include "api/new_family.hpp"
#include "api/region_state.hpp"
#include "api/state.hpp"
#include "base/error.hpp"
#include "mm/control/placement.hpp"
#include "os/frame_window.hpp"
#include "os/named_file.hpp"

namespace cow {

namespace {

void check_size(const os::ReadableFile& file) {
  if (file.bytes() == 0) {
    throw_system_error(ENODATA, "open",
                       "'" + file.name() +
                           "' is empty, and a region has at least one byte (files in /proc say "
                           "that they are empty: copy them first)");
  }
  if (file.bytes() > kAddressSpaceBytes) {
    throw_system_error(EFBIG, "open",
                       "'" + file.name() + "' has more bytes than a process can address");
  }
}

std::shared_ptr<detail::RegionState> open_file(os::ReadableFile file,
                                               const RegionOptions& options) {
  refuse_growth(options, "Region::open");
  check_size(file);
  const std::uint64_t size_bytes = file.bytes();
  auto family = new_family(size_bytes, options, "Region::open");
  const PageGeometry geometry = family->geometry();

  // The end of the file may lie within a page. What the kernel shows behind it is not always zeros,
  // so that page is copied now.
  const PageIndex last_whole = geometry.page_at(size_bytes);
  const std::size_t rest = size_bytes - geometry.offset(last_whole);
  const os::Buffer end_of_file(geometry.page_bytes());
  if (rest > 0) file.read(end_of_file.begin(), rest, {geometry.offset(last_whole)});

  {
    const Section section(*family);  // other threads look at all families there are
    family->frames().show_file(file.take_descriptor(), {0}, last_whole - PageIndex{0});
  }
  auto made = detail::make_state<detail::RegionState>(std::move(family), size_bytes);
  Placement placement(made->space());
  if (rest > 0) placement.put({last_whole, last_whole + kOnePage}, end_of_file.begin());
  placement.show();
  return made;
}

// So long a stretch is copied with signals masked.
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

std::shared_ptr<detail::RegionState> copy_bytes(std::span<const std::byte> bytes,
                                                const RegionOptions& options) {
  auto family = new_family(bytes.size(), options, "Region::from_bytes");
  const PageGeometry geometry = family->geometry();
  auto made = detail::make_state<detail::RegionState>(std::move(family), bytes.size());
  Placement placement(made->space());
  const std::size_t piece = geometry.bytes(geometry.pages_for(kPieceBytes));
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto part = bytes.subspan(at, std::min(piece, bytes.size() - at));
    const PageIndex first = geometry.page_at(at);
    placement.put_checked({first, first + geometry.pages_for(part.size())}, part);
  }
  placement.show();
  return made;
}

}  // namespace

Region Region::open(const std::filesystem::path& path, const RegionOptions& options) {
  begin_control_call();
  return Region(
      retry_in_shortage([&] { return open_file(os::ReadableFile::open(path), options); }));
}

Region Region::open(int descriptor, const RegionOptions& options) {
  begin_control_call();
  return Region(
      retry_in_shortage([&] { return open_file(os::ReadableFile::open(descriptor), options); }));
}

Region Region::from_bytes(std::span<const std::byte> bytes, const RegionOptions& options) {
  begin_control_call();
  return Region(retry_in_shortage([&] { return copy_bytes(bytes, options); }));
}

}  // namespace cow
