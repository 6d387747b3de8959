#include "mm/frame_store.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "os/host.hpp"
#include "os/mapping.hpp"

namespace cow {

namespace {

// Small regions share one packed extent for many snapshots instead of opening one for each.
constexpr PageCount kFewestSlots{512};

[[noreturn]] void no_metadata() {
  throw_system_error(ENOMEM, "mmap", "no memory is left for the page tables of a region");
}

}  // namespace

FrameStore::FrameStore(PageGeometry geometry, PageCount pages_of_a_space, Backing backing)
    : geometry_(geometry),
      backing_(backing),
      slots_(backing == Backing::reserved ? pages_of_a_space
                                          : std::max(pages_of_a_space, kFewestSlots)),
      file_(os::FrameFile::create()) {
  if (!extents_.reserve(1)) no_metadata();
  extents_.push(Extent{});  // ExtentId 0 is no extent
}

FrameStore::~FrameStore() {
  for (const Extent& extent : extents_) {
    if (extent.references == nullptr) continue;
    os::unmap_metadata(reinterpret_cast<std::byte*>(extent.references), bytes_of_counts());
  }
  for (const os::DescriptorName& file : inherited_) file.close_if_intact();
}

ExtentId FrameStore::open_extent() {
  const std::size_t room = geometry_.bytes(slots_ + kOnePage);  // one slot apart: see Frame
  const bool recycled = !unused_.empty();
  const std::uint64_t end =
      (recycled ? extent(unused_[unused_.size() - 1]).start.bytes : next_offset_) + room;
  if (end > std::min(file_.room_bytes(), os::writable_room_bytes())) {
    throw_system_error(EFBIG, "pwrite",
                       "the frame file of a region has no room for another clone or snapshot; "
                       "raise the file size limit (ulimit -f)");
  }
  if (recycled) {
    Extent& again = mutable_extent(unused_[unused_.size() - 1]);
    if (again.written) again.written = !clear({{unused_[unused_.size() - 1], {}}, slots_});
    if (again.written) {
      throw_system_error(
          EIO, "fallocate",
          "the frames of a region that is gone could not be cleared to be used again");
    }
    reserve_frames(again.start);
    return unused_.pop();
  }
  const std::size_t count = extents_.size();
  if (!extents_.reserve(count + 1) || !unused_.reserve(count + 1) || !packed_.reserve(count + 1)) {
    no_metadata();
  }
  reserve_frames({next_offset_});
  std::byte* const references = map_metadata(bytes_of_counts(), backing_);
  if (references == nullptr) {
    static_cast<void>(
        os::punch_frames(file_.descriptor(), {next_offset_}, geometry_.bytes(slots_)));
    no_metadata();
  }
  Extent extent;
  extent.file = file_.descriptor();
  extent.start = {next_offset_};
  extent.references = reinterpret_cast<std::uint32_t*>(references);
  extents_.push(extent);
  next_offset_ += room;
  return {static_cast<std::uint32_t>(count)};
}

void FrameStore::reserve_frames(os::FileOffset start) {
  if (backing_ == Backing::on_store) return;
  const std::size_t bytes = geometry_.bytes(slots_);
  const int error = os::allocate_frames(file_.descriptor(), start, bytes);
  if (error == 0) return;
  static_cast<void>(os::punch_frames(file_.descriptor(), start, bytes));  // they hold no bytes
  throw_system_error(error, "fallocate",
                     "there is not enough memory to reserve the frames that stores to a region may "
                     "need (RegionOptions::reserve_frames)");
}

ExtentId FrameStore::open_home(AddressSpace& owner) {
  const ExtentId id = open_extent();
  mutable_extent(id).owner = &owner;
  return id;
}

void FrameStore::begin_close_home(ExtentId home) noexcept {
  mutable_extent(home).owner = nullptr;
  mutable_extent(home).closing = true;
}

void FrameStore::end_close_home(ExtentId home) noexcept {
  Extent& closed = mutable_extent(home);
  closed.closing = false;
  if (closed.foreign) return;
  if (closed.used == 0) {
    const bool holds_frames = closed.written || backing_ == Backing::reserved;
    if (holds_frames) closed.written = !clear({{home, PageIndex{0}}, slots_});
    recycle_if_unused(home);
    return;
  }
  PageIndex begin{0};
  const PageIndex end = begin + slots_;
  while (begin < end) {  // one call for each gap between frames that others still show
    PageIndex gap_end = begin;
    while (gap_end < end && closed.references[gap_end.value] == 0) ++gap_end;
    if (begin < gap_end) clear_free({{home, begin}, gap_end - begin});
    begin = gap_end;
    while (begin < end && closed.references[begin.value] != 0) ++begin;
  }
}

void FrameStore::ensure_packed(PageCount wanted) {
  while (packed_free_ < wanted.value) {
    const ExtentId id = open_extent();
    mutable_extent(id).packed = true;
    mutable_extent(id).search_from = 0;
    packed_.push(id);
    packed_free_ += slots_.value;
  }
}

void FrameStore::take(Frame frame) noexcept {
  Extent& home = mutable_extent(frame.extent());
  home.references[frame.slot().value] = 1;
  home.written = true;
  ++home.used;
}

FrameRun FrameStore::take_packed(PageCount most) noexcept {
  for (const ExtentId id : packed_) {
    Extent& packed = mutable_extent(id);
    if (packed.used == slots_.value) continue;
    std::uint64_t slot = packed.search_from;
    while (slot == slots_.value || packed.references[slot] != 0) {
      slot = slot >= slots_.value - 1 ? 0 : slot + 1;
    }
    const Frame first(id, {slot});
    PageCount count{0};
    for (; slot < slots_.value && count < most && packed.references[slot] == 0; ++slot) {
      packed.references[slot] = 1;
      count = count + kOnePage;
    }
    packed.search_from = slot;
    packed.used += count.value;
    packed_free_ -= count.value;
    return {first, count};
  }
  return {Frame{}, PageCount{0}};
}

void FrameStore::add_references(FrameRun run, std::uint32_t n) noexcept {
  std::uint32_t* const first =
      mutable_extent(run.first.extent()).references + run.first.slot().value;
  for (std::uint32_t* at = first; at != first + run.count.value; ++at) *at += n;
}

void FrameStore::drop_references(FrameRun run, std::uint32_t n) noexcept {
  const ExtentId id = run.first.extent();
  Extent& from = mutable_extent(id);
  const PageIndex end = run.first.slot() + run.count;
  PageSpan freed{run.first.slot(), run.first.slot()};
  const auto punch_freed = [&] {
    if (freed.empty() || from.closing || from.foreign) return;
    clear_free({{id, freed.first}, freed.count()});
  };
  for (PageIndex slot = run.first.slot(); slot < end; ++slot) {
    from.references[slot.value] -= n;
    if (from.references[slot.value] != 0) continue;
    --from.used;
    if (from.packed) ++packed_free_;
    if (freed.last != slot) {
      punch_freed();
      freed.first = slot;
    }
    freed.last = slot + kOnePage;
  }
  punch_freed();
  if (from.closing) return;
  if (from.used == 0 && from.owner == nullptr) from.written = false;  // cleared one by one
  recycle_if_unused(id);
}

void FrameStore::recycle_if_unused(ExtentId id) noexcept {
  Extent& idle = mutable_extent(id);
  if (idle.used > 0 || idle.owner != nullptr || idle.packed || idle.foreign) return;
  unused_.push(id);
}

bool FrameStore::clear(FrameRun run) noexcept {
  const Extent& of = extent(run.first.extent());
  const std::size_t bytes = geometry_.bytes(run.count);
  const bool keep = backing_ == Backing::reserved && (of.owner != nullptr || of.packed);
  if (keep) return os::zero_frames(of.file, offset(run.first), bytes) == 0;
  return os::punch_frames(of.file, offset(run.first), bytes);
}

void FrameStore::clear_free(FrameRun run) noexcept {
  if (clear(run)) return;
  Extent& of = mutable_extent(run.first.extent());
  add_references(run, 1);
  of.used += run.count.value;
  if (of.packed) packed_free_ -= run.count.value;
  retired_ += run.count.value;
}

std::size_t FrameStore::bytes_of_counts() const noexcept {
  const std::size_t page = os::page_bytes();
  return (slots_.value * sizeof(std::uint32_t) + page - 1) / page * page;
}

void FrameStore::check_files() const {
  bool intact = file_.is_intact();
  for (const os::DescriptorName& file : inherited_) intact = intact && file.is_intact();
  if (intact) return;
  throw_system_error(EBADF, "fstat",
                     "the descriptor of a region's frame file was closed by the program "
                     "(closefrom?); keep the descriptors that libcow opens, see /proc/self/fd");
}

std::uint64_t FrameStore::used() const noexcept {
  std::uint64_t used = 0;
  for (const Extent& extent : extents_) used += extent.used;
  return used - retired_;
}

std::size_t FrameStore::metadata_bytes() const noexcept {
  std::size_t bytes = extents_.bytes();
  for (const Extent& extent : extents_) {
    // Counts are touched page by page, at most one page for each frame in use.
    bytes += std::min<std::size_t>(bytes_of_counts(), extent.used * os::page_bytes());
  }
  return bytes;
}

void FrameStore::become_foreign(os::FrameFile file) noexcept {
  std::swap(file_, file);
  inherited_.push(file.release());
  next_offset_ = 0;
  packed_.clear();
  unused_.clear();
  packed_free_ = 0;
  disown();
}

void FrameStore::disown() noexcept {
  for (Extent& extent : extents_) {
    extent.foreign = true;
    extent.owner = nullptr;
    extent.packed = false;
  }
}

}  // namespace cow
