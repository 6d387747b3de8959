// Frame files of ancestors. A child process shows its parent's frames until it has stored to every
// page, so it keeps the parent's file open, and the files that the parent had kept. A program that
// lives on by fork would keep one more for each process it has been: a file goes when no region,
// snapshot or view of this process shows a frame of it, and no child may either.

#include <algorithm>
#include <utility>

#include "mm/frames/frame_store.hpp"

namespace cow {

void FrameStore::become_foreign(os::FrameFile file) noexcept {
  std::swap(file_, file);
  limit_.remove();  // the thread that is called is the parent's
  foreign_files_.push({file.release()});
  next_offset_ = 0;
  extents_.packed.clear();
  unused_.clear();
  packed_free_ = 0;
  disown();
}

void FrameStore::disown() noexcept {
  recycling_.forget();
  limit_.remove();
  for (Extent& extent : extents_.all) {
    unmap_to_fill(extent);  // they are the parent's
    extent.foreign = true;
    extent.owner = nullptr;
    extent.own = 0;
    extent.packed = false;
    extent.closing = false;
    extent.unpunched = 0;
  }
  // Another thread of the parent was about to close these.
  for (std::size_t i = foreign_files_.size(); i-- > 0;) {
    if (!foreign_files_[i].closing) continue;
    foreign_files_[i].name.close_if_intact();
    foreign_files_.remove_at(i);
  }
  some_inherited_is_idle_ = true;
}

bool FrameStore::forget_idle_extent() noexcept {
  for (std::uint32_t i = 1; i < extents_.all.size(); ++i) {
    Extent& of = extents_.all[i];
    if (!of.foreign || of.used > 0 || of.slots == nullptr || ExtentId{i} == shown_file_) continue;
    unmap_slots(of);
    unmap_seen(of);
    of = Extent{};
    free_ids_.push({i});
    return true;
  }
  return false;
}

os::DescriptorName FrameStore::next_file_to_close() noexcept {
  const auto has_extent = [&](const ForeignFile& file) {
    return std::any_of(extents_.all.begin(), extents_.all.end(),
                       [&](const Extent& of) { return of.file == file.name; });
  };
  for (ForeignFile& file : foreign_files_) {
    if (file.closing || has_extent(file)) continue;
    file.closing = true;
    return file.name;
  }
  some_inherited_is_idle_ = false;
  return {};
}

void FrameStore::forget_closed(const os::DescriptorName& file) noexcept {
  for (std::size_t i = 0; i < foreign_files_.size(); ++i) {
    if (foreign_files_[i].name != file || !foreign_files_[i].closing) continue;
    foreign_files_.remove_at(i);
    return;
  }
}

std::size_t FrameStore::bytes_inherited() const noexcept {
  std::size_t bytes = 0;
  for (const ForeignFile& file : foreign_files_) {
    const bool is_users = shows_file() && file.name == extent(shown_file_).file;
    if (!is_users && !file.closing) bytes += file.name.resident_bytes();
  }
  return bytes;
}

}  // namespace cow
