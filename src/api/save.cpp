#include <cow/image.hpp>
#include <cow/snapshot.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "api/control_call.hpp"
#include "api/image_format.hpp"
#include "api/snapshot_state.hpp"
#include "base/error.hpp"
#include "mm/difference.hpp"
#include "mm/table_reader.hpp"

namespace cow {

namespace {

bool is_all_zeros(const std::byte* bytes, std::size_t count) noexcept {
  return std::all_of(bytes, bytes + count, [](std::byte byte) { return byte == std::byte{0}; });
}

/// Writes the pages of one snapshot to a file that takes the place of `path` at the end.
class Saving {
 public:
  Saving(detail::SnapshotState& from, ImageKind kind, const std::filesystem::path& path,
         const SaveOptions& options)
      : geometry_(from.family()->geometry()),
        options_(options),
        header_(new_header(kind, from.size_bytes(), geometry_.page_bytes())),
        file_(path),
        reader_(*from.family(), from.table()) {
    header_.id = from.image_id();
    // Before anything is written: a process may not write beyond its limit, and a full image is
    // as long as the region.
    file_.resize(index_offset_of(header_, 0));
  }

  void set_base(const ImageId& id) noexcept { header_.base = id; }
  void expect(PageCount pages) noexcept { progress_.pages_total += pages.value; }

  void write(PageSpan span) {
    for (PageIndex page = span.first; page < span.last;) {
      const PageSpan next = reader_.next({page, span.last});
      if (header_.kind == ImageKind::delta) note_zeros({page, next.first});
      if (!next.empty()) write_stretch(next);
      report(next.last - page);
      page = next.last;
    }
  }

  void commit() {
    finish_image(file_, header_, index_);
    call_back();
    file_.commit();
  }

 private:
  void note_zeros(PageSpan span) {
    for (PageIndex page = span.first; page < span.last; ++page) index_.add_zeros(page);
  }

  // At most as long as the reader's buffer. Pages of zeros in it are left out.
  void write_stretch(PageSpan span) {
    reader_.read(span);
    const std::size_t page_bytes = geometry_.page_bytes();
    PageSpan data{span.first, span.first};
    const auto write_data = [&] {
      if (data.empty()) return;
      const std::uint64_t rank = index_.checksums.size() - data.count().value;
      const std::size_t bytes = geometry_.bytes(data.count());
      file_.write(reader_.bytes() + geometry_.bytes(data.first - span.first), bytes,
                  header_.place_of(data.first, rank));
      progress_.bytes_written += bytes;
    };
    for (PageIndex page = span.first; page < span.last; ++page) {
      const std::byte* const bytes = reader_.bytes() + geometry_.bytes(page - span.first);
      if (is_all_zeros(bytes, page_bytes)) {
        write_data();
        if (header_.kind == ImageKind::delta) index_.add_zeros(page);
        data = {page + kOnePage, page + kOnePage};
      } else {
        index_.add_data(page, page_checksum(page, bytes, page_bytes));
        data.last = page + kOnePage;
      }
    }
    write_data();
  }

  void report(PageCount done) {
    constexpr std::uint64_t kOften = std::uint64_t{16} << 20;
    progress_.pages_done += done.value;
    if (geometry_.bytes({progress_.pages_done - reported_pages_}) < kOften) return;
    reported_pages_ = progress_.pages_done;
    call_back();
  }

  void call_back() const {
    if (!options_.progress || options_.progress(progress_)) return;
    throw_system_error(ECANCELED, "save",
                       "the progress function returned false, so nothing was saved");
  }

  PageGeometry geometry_;
  const SaveOptions& options_;
  ImageHeader header_;
  os::ReplacementFile file_;
  TableReader reader_;
  ImageIndex index_;
  SaveProgress progress_;
  std::uint64_t reported_pages_ = 0;
};

}  // namespace

void Snapshot::save(const std::filesystem::path& path, const SaveOptions& options) const {
  detail::SnapshotState& from = state();
  begin_control_call(*from.family());
  Saving saving(from, ImageKind::full, path, options);
  const PageCount pages = from.family()->pages();
  saving.expect(pages);
  saving.write({PageIndex{0}, PageIndex{0} + pages});
  saving.commit();
}

void Snapshot::save_delta(const Snapshot& base, const std::filesystem::path& path,
                          const SaveOptions& options) const {
  detail::SnapshotState& from = state();
  detail::SnapshotState& before = base.state();
  if (from.family() != before.family()) {
    throw_invalid_argument(
        "Snapshot::save_delta: the base belongs to another family; give a snapshot of the same "
        "region, its clones or ancestors, or save a complete image");
  }
  begin_control_call(*from.family());
  Saving saving(from, ImageKind::delta, path, options);
  saving.set_base(before.image_id());
  const std::vector<PageSpan> changed = difference(*from.family(), before.table(), from.table());
  for (const PageSpan span : changed) saving.expect(span.count());
  for (const PageSpan span : changed) saving.write(span);
  saving.commit();
}

}  // namespace cow
