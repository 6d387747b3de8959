// A user's file behind the pages that no leaf names: an extent that is only ever read.

#include <cerrno>

#include "base/refusal.hpp"
#include "mm/frames/frame_store.hpp"

namespace cow {

void FrameStore::show_file(os::Descriptor file, os::FileOffset start, PageCount pages) {
  COW_CHECK(!shows_file() && used() == 0);
  if (!extents_.all.reserve(extents_.all.size() + 1) ||
      !foreign_files_.reserve(foreign_files_.size() + 1)) {
    throw_refused(errno, "mmap", "no table of the pages of a file could be had");
  }
  std::byte* const slots = map_metadata(bytes_of_slots(), backing_);
  if (slots == nullptr)
    throw_refused(errno, "mmap", "no table of the pages of a file could be had");
  Extent extent;
  extent.file = file.name();
  extent.start = start;
  map_slots(extent, slots);
  extent.foreign = true;
  shown_file_ = {static_cast<std::uint32_t>(extents_.all.size())};
  file_pages_ = pages;
  extents_.all.push(extent);
  foreign_files_.push({file.release()});
}

PageIndex FrameStore::end_of_untouched_zeros(PageIndex page) const noexcept {
  constexpr PageIndex kNone{~std::uint64_t{0}};
  if (page.value >= file_pages_.value) return kNone;
  const Frame frame(shown_file_, page);
  const std::uint64_t begin = offset(frame).bytes;
  const std::uint64_t data = os::next_data(file(frame), begin);
  const PageIndex end = page + PageCount{(data - begin) / geometry_.page_bytes()};
  return end.value >= file_pages_.value ? kNone : end;
}

}  // namespace cow
