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
#include "base/zeros.hpp"
#include "mm/control/difference.hpp"
#include "mm/control/table_reader.hpp"

namespace cow {

namespace {

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

  void commit() {
    write_gathered();
    finish_image(file_, header_, index_);
    call_back();
    file_.commit();
  }

 private:
  void note_zeros(PageSpan span) {
    if (span.empty()) return;
    write_gathered();  // the index is in order
    for (PageIndex page = span.first; page < span.last; ++page) index_.add_zeros(page);
  }

  // What the reader's buffer holds. Pages of zeros in it are left out; pages whose places in the
  // file are neighbours are written together.
  void write_gathered() {
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
  std::vector<PageIndex> gathered_;  ///< whose bytes the reader's buffer holds
  ImageIndex index_;
  SaveProgress progress_;
  std::uint64_t reported_pages_ = 0;
};

}  // namespace

void Snapshot::save(const std::filesystem::path& path, const SaveOptions& options) const {
  detail::SnapshotState& from = state();
  begin_control_call(*from.family());
  Saving saving = retry_in_shortage([&] { return Saving(from, ImageKind::full, path, options); });
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
  Saving saving = retry_in_shortage([&] { return Saving(from, ImageKind::delta, path, options); });
  saving.set_base(before.image_id());
  const std::vector<PageSpan> changed =
      retry_in_shortage([&] { return difference(*from.family(), before.table(), from.table()); });
  for (const PageSpan span : changed) saving.expect(span.count());
  for (const PageSpan span : changed) saving.write(span);
  saving.commit();
}

}  // namespace cow
