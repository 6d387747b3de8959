#include "mm/control/table_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "base/check.hpp"
#include "base/refusal.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

PageCount TableReader::most_pages(PageGeometry geometry) noexcept {
  return {std::clamp<std::uint64_t>(kBufferBytes / geometry.page_bytes(), 1, kMostPages)};
}

TableReader::TableReader(Family& family, const PageTable& table)
    : family_(family),
      table_(table),
      most_pages_(most_pages(family.geometry())),
      buffer_(family.geometry().bytes(most_pages_)) {}

PageSpan TableReader::next(PageSpan span) const noexcept {
  const Section section(family_, Section::Intent::look);
  const PageIndex first = past_zeros(span);
  PageIndex last = first;
  while (last < span.last && last - first < most_pages_ && !table_.entry(last).shows_zeros()) {
    ++last;
  }
  return {first, last};
}

// Where leaves or whole directories are missing, so are frames.
PageIndex TableReader::past_zeros(PageSpan span) const noexcept {
  PageIndex page = span.first;
  while (page < span.last && table_.entry(page).shows_zeros()) {
    page = table_.leaf_of(page) == nullptr ? table_.end_of_missing(page) : page + kOnePage;
  }
  return std::min(page, span.last);
}

void TableReader::read(PageSpan span, PageCount at) {
  COW_CHECK(at + span.count() <= most_pages_);
  piece_count_ = 0;
  int error = 0;
  {
    const Section section(family_, Section::Intent::look);
    error = copy(span, buffer_.begin() + family_.geometry().bytes(at));
  }
  finish(error);
}

int TableReader::begin(std::span<const PageIndex> pages) noexcept {
  COW_CHECK(pages.size() <= most_pages_.value);
  piece_count_ = 0;
  int error = 0;
  std::byte* to = buffer_.begin();
  for (std::size_t i = 0; i < pages.size() && error == 0;) {
    std::size_t end = i + 1;
    while (end < pages.size() && pages[end] == pages[end - 1] + kOnePage) ++end;
    const PageSpan span{pages[i], pages[end - 1] + kOnePage};
    error = copy(span, to);
    to += family_.geometry().bytes(span.count());
    i = end;
  }
  return error;
}

void TableReader::finish(int error) {
  if (error != 0) {
    throw_refused(error, call_, "the frames of a snapshot could not be read");
  }
  for (std::size_t i = 0; i < piece_count_; ++i) {
    const Piece& piece = pieces_[i];
    const int refusal = os::read_frames(piece.file, piece.to, piece.bytes, piece.from);
    if (refusal != 0) {
      throw_refused(refusal, "pread", "the file that a region was opened from could not be read");
    }
  }
}

int TableReader::copy(PageSpan span, std::byte* to) noexcept {
  const PageGeometry geometry = family_.geometry();
  const auto shows_zeros = [](Entry entry) { return entry.shows_zeros(); };
  const auto target_of = [&](PageSpan run) { return to + geometry.bytes(run.first - span.first); };
  for_each_stretch(table_, span, shows_zeros, [&](PageSpan zeros) {
    std::memset(target_of(zeros), 0, geometry.bytes(zeros.count()));
  });
  int error = 0;
  for_each_frame_stretch(table_, span, std::not_fn(shows_zeros), [&](PageSpan run) {
    const FrameRun frames{table_.entry(run.first).frame(), run.count()};
    if (error == 0) error = copy_run(frames, target_of(run));
  });
  return error;
}

int TableReader::copy_run(FrameRun run, std::byte* to) noexcept {
  // A page that has to be mapped first costs more than one that the kernel copies.
  constexpr std::size_t kWorthMapping = std::size_t{64} << 10;
  const FrameStore& frames = family_.frames();
  const std::size_t bytes = family_.geometry().bytes(run.count);
  if (frames.is_foreign(run.first)) {
    pieces_[piece_count_++] = {frames.file(run.first), frames.offset(run.first), to, bytes};
    return 0;
  }
  // Granules may have holes, which would take memory when they are looked at in a mapping.
  const bool may_have_holes = family_.geometry().page_bytes() > os::page_bytes();
  if (bytes < kWorthMapping || may_have_holes) {
    call_ = "pread";
    return frames.read(run, to);
  }
  const std::byte* const source = mapped(run.first);
  if (source == nullptr) {
    call_ = "mmap";
    return errno;
  }
  std::memcpy(to, source, bytes);
  return 0;
}

const std::byte* TableReader::mapped(Frame frame) noexcept {
  const FrameStore& frames = family_.frames();
  const PageGeometry geometry = family_.geometry();
  const auto found = std::find_if(windows_.begin(), windows_.end(), [&](const Window& window) {
    return window.extent == frame.extent() && window.frames.begin() != nullptr;
  });
  Window& window = found != windows_.end() ? *found : windows_[oldest_window_];
  if (found == windows_.end()) {
    oldest_window_ = (oldest_window_ + 1) % kMostWindows;
    const Extent& extent = frames.extent(frame.extent());
    window.frames = os::FrameWindow::map(extent.file, extent.start, geometry.bytes(frames.slots()),
                                         frames.advice());
    window.extent = frame.extent();
  }
  return window.frames.begin() == nullptr ? nullptr
                                          : window.frames.begin() + geometry.offset(frame.slot());
}

}  // namespace cow
