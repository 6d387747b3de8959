#include "api/image_writer.hpp"

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/zeros.hpp"

namespace cow {

ImageWriter::ImageWriter(detail::SnapshotState& from, ImageKind kind, os::OutputFile& file,
                         const SaveOptions& options)
    : geometry_(from.family()->geometry()),
      options_(options),
      header_(new_header(kind, from.size_bytes(), geometry_.page_bytes())),
      file_(file),
      reader_(*from.family(), from.table()),
      pages_(from.pages()) {
  header_.id = from.image_id();
  // Before anything is written: a process may not write beyond its limit, and a full image is
  // as long as the region.
  file_.resize(index_offset_of(header_, 0));
}

void ImageWriter::write(PageSpan span) {
  for (PageIndex page = span.first; page < span.last;) {
    const PageSpan next = reader_.next({page, span.last});
    if (header_.kind == ImageKind::delta) note_zeros({page, next.first});
    for (PageIndex at = next.first; at < next.last;) {
      const PageCount room = reader_.most_pages() - PageCount{gathered_.size()};
      const PageSpan fits{at, at + std::min(room, next.last - at)};
      reader_.read(fits, {gathered_.size()});
      for (PageIndex i = fits.first; i < fits.last; ++i) gathered_.push_back(i);
      if (gathered_.size() == reader_.most_pages().value) write_gathered();
      at = fits.last;
    }
    report(next.last - page);
    page = next.last;
  }
}

void ImageWriter::write_all() {
  expect(pages_);
  write({PageIndex{0}, PageIndex{0} + pages_});
}

void ImageWriter::finish() {
  write_gathered();
  finish_image(file_, header_, index_);
  call_back();
}

void ImageWriter::note_zeros(PageSpan span) {
  if (span.empty()) return;
  write_gathered();  // the index is in order
  for (PageIndex page = span.first; page < span.last; ++page) index_.add_zeros(page);
}

// What the reader's buffer holds. Pages of zeros in it are left out; pages whose places in the
// file are neighbours are written together.
void ImageWriter::write_gathered() {
  const std::size_t page_bytes = geometry_.page_bytes();
  const std::byte* bytes = reader_.bytes();
  const std::byte* begin = bytes;
  os::FileOffset place{0};
  const auto write_until = [&](const std::byte* end) {
    if (begin == end) return;
    file_.write(begin, static_cast<std::size_t>(end - begin), place);
    progress_.bytes_written += static_cast<std::size_t>(end - begin);
  };
  for (const PageIndex page : gathered_) {
    const bool zeros = is_all_zeros({bytes, page_bytes});
    const os::FileOffset here = header_.place_of(page, index_.checksums.size());
    const auto pending = static_cast<std::size_t>(bytes - begin);
    if (zeros || pending == 0 || here.bytes != place.bytes + pending) {
      write_until(bytes);
      begin = zeros ? bytes + page_bytes : bytes;
      place = here;
    }
    if (!zeros) index_.add_data(page, page_checksum(page, bytes, page_bytes));
    if (zeros && header_.kind == ImageKind::delta) index_.add_zeros(page);
    bytes += page_bytes;
  }
  write_until(bytes);
  gathered_.clear();
}

void ImageWriter::report(PageCount done) {
  constexpr std::uint64_t kOften = std::uint64_t{16} << 20;
  progress_.pages_done += done.value;
  if (geometry_.bytes({progress_.pages_done - reported_pages_}) < kOften) return;
  reported_pages_ = progress_.pages_done;
  call_back();
}

void ImageWriter::call_back() const {
  if (!options_.progress || options_.progress(progress_)) return;
  throw_system_error(ECANCELED, "save",
                     "the progress function returned false, so nothing was saved");
}

}  // namespace cow
