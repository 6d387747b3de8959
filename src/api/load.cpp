#include "api/load.hpp"

#include <cow/region.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "api/control_call.hpp"
#include "api/new_family.hpp"
#include "api/state.hpp"
#include "base/error.hpp"
#include "base/zeros.hpp"
#include "mm/control/placement.hpp"
#include "os/frame_window.hpp"

namespace cow {

namespace {

std::vector<ImageFile> open_chain(const std::vector<std::filesystem::path>& paths) {
  if (paths.empty()) {
    throw_invalid_argument(
        "Region::load: no file is named; give a complete image and then its deltas, in order");
  }
  std::vector<ImageFile> chain;
  chain.reserve(paths.size());
  for (const std::filesystem::path& path : paths) {
    chain.push_back(ImageFile::open(path));
    const ImageFile& image = chain.back();
    const bool is_first = chain.size() == 1;
    if (is_first && !image.is_complete()) {
      image.refuse("it holds changes alone; the first file must be a complete image");
    }
    if (is_first) continue;
    const ImageFile& before = chain[chain.size() - 2];
    if (image.is_complete()) {
      image.refuse("it is a complete image; only the first file may be one");
    }
    if (image.header.base != before.header.id ||
        image.header.size_bytes != before.header.size_bytes ||
        image.header.page_bytes != before.header.page_bytes) {
      image.refuse("its changes are not to what '" + before.file.name() +
                   "' holds; give the files in the order in which they were saved");
    }
  }
  return chain;
}

/// Checks the bytes of one image and puts them into a region.
class Copying {
 public:
  Copying(const ImageFile& image, Placement& to)
      : image_(image),
        geometry_(image.header.geometry()),
        to_(to),
        buffer_(std::max(geometry_.page_bytes(), kBufferBytes)) {}

  void run() {
    if (image_.header.kind != ImageKind::stream) check_gaps();  // a stream has none
    for (run_ = 0; run_ < image_.index.data.size(); ++run_) copy(image_.index.data[run_].pages());
    for (const ImageRun& run : image_.index.zeros) to_.put_zeros(run.pages());
  }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{256} << 10;

  [[nodiscard]] os::FileOffset place_of(PageIndex page, std::uint64_t rank) const noexcept {
    return image_.place_of(run_, page, rank);
  }

  // No checksum covers what lies between header, pages and index: nothing does.
  void check_gaps() const {
    const ImageHeader& header = image_.header;
    os::FileOffset end{kImageHeaderBytes};
    std::uint64_t rank = 0;
    for (const ImageRun& run : image_.index.data) {
      const os::FileOffset begin = place_of(run.pages().first, rank);
      image_.check_zeros(end, begin);
      end = {begin.bytes + geometry_.bytes({run.count})};
      rank += run.count;
    }
    image_.check_zeros(end, {header.index_offset});
  }

  void copy(PageSpan span) {
    const PageCount most{buffer_.bytes() / geometry_.page_bytes()};
    for (PageIndex page = span.first; page < span.last;) {
      const PageSpan next{page, page + std::min(most, span.last - page)};
      image_.file.read(buffer_.begin(), geometry_.bytes(next.count()), place_of(page, rank_));
      check(next);
      to_.put(next, buffer_.begin());
      page = next.last;
    }
  }

  void check(PageSpan span) {
    for (PageIndex page = span.first; page < span.last; ++page) {
      const std::byte* const bytes = buffer_.begin() + geometry_.bytes(page - span.first);
      const std::size_t page_bytes = geometry_.page_bytes();
      if (page_checksum(page, bytes, page_bytes) != image_.index.checksums[rank_++]) {
        image_.refuse("page " + std::to_string(page.value) + " is damaged");
      }
      // Nobody saves these, and a file of holes could ask for any amount of memory with them.
      if (is_all_zeros({bytes, page_bytes})) {
        image_.refuse("page " + std::to_string(page.value) + " is listed and holds only zeros");
      }
    }
  }

  const ImageFile& image_;
  PageGeometry geometry_;
  Placement& to_;
  os::Buffer buffer_;
  std::size_t run_ = 0;  ///< of the image's data, that is being copied
  std::uint64_t rank_ = 0;
};

RegionOptions options_for(const ImageFile& image, const LoadOptions& options, const char* call) {
  RegionOptions region = options.region;
  if (region.granule_bytes != 0 && region.granule_bytes != image.header.page_bytes) {
    throw_invalid_argument(std::string(call) + ": RegionOptions::granule_bytes is " +
                           std::to_string(region.granule_bytes) + ", but the pages of '" +
                           image.file.name() + "' have " + std::to_string(image.header.page_bytes) +
                           " bytes; leave it 0 to take theirs");
  }
  region.granule_bytes = image.header.page_bytes;
  return region;
}

}  // namespace

std::shared_ptr<detail::RegionState> load_images(std::vector<ImageFile> chain,
                                                 const LoadOptions& options, MappedPages pages,
                                                 const char* call) {
  refuse_growth(options.region, call);
  ImageFile& first = chain.front();
  if (options.mode == LoadMode::mapped && first.header.kind == ImageKind::stream) {
    throw_invalid_argument("Region::load: '" + first.file.name() +
                           "' is a stream, whose pages lie in any order and cannot be mapped; load "
                           "it with LoadMode::copied");
  }
  const ImageHeader& header = first.header;
  auto family = new_family(header.size_bytes, options_for(first, options, call), call);
  const bool map_first = options.mode == LoadMode::mapped;
  const PageIndex end =
      pages == MappedPages::all ? PageIndex{0} + header.pages() : first.index.end_of_data();
  if (map_first && end.value > 0) {
    const Section section(*family);  // other threads look at all families there are
    family->frames().show_file(first.file.take_descriptor(), {header.data_offset},
                               end - PageIndex{0});
  }
  auto made = detail::make_state<detail::RegionState>(std::move(family), header.size_bytes);
  Placement placement(made->space());
  if (map_first && end.value > 0) placement.end_file_at(end);
  for (std::size_t i = map_first ? 1 : 0; i < chain.size(); ++i) {
    Copying(chain[i], placement).run();
  }
  placement.show();
  made->note_loaded(chain.back().header.id);
  return made;
}

Region Region::load(const std::vector<std::filesystem::path>& paths, const LoadOptions& options) {
  begin_control_call();
  return Region(retry_in_shortage(
      [&] { return load_images(open_chain(paths), options, MappedPages::all, "Region::load"); }));
}

Region Region::load(std::initializer_list<std::filesystem::path> paths,
                    const LoadOptions& options) {
  return load(std::vector<std::filesystem::path>(paths), options);
}

Region Region::load(const std::filesystem::path& path, const LoadOptions& options) {
  return load(std::vector<std::filesystem::path>{path}, options);
}

}  // namespace cow
