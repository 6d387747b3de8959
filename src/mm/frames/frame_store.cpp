#include "mm/frames/frame_store.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "base/refusal.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "os/host.hpp"
#include "os/mapping.hpp"

namespace cow {

namespace {

// Small regions share one packed extent for many snapshots instead of opening one for each.
constexpr PageCount kFewestSlots{512};

[[noreturn]] void no_metadata() {
  throw_refused(errno, "mmap", "no table of the frames of a region could be had");
}

}  // namespace

FrameStore::FrameStore(PageGeometry geometry, PageCount pages_of_a_space, Backing backing,
                       std::size_t alignment, os::Advice advice)
    : geometry_(geometry),
      backing_(backing),
      advice_(advice),
      alignment_(std::max(alignment, geometry.page_bytes())),
      file_(os::FrameFile::create()),
      extents_(backing == Backing::reserved ? pages_of_a_space
                                            : std::max(pages_of_a_space, kFewestSlots)),
      recycling_(geometry, backing, extents_) {
  if (!extents_.all.reserve(1)) no_metadata();
  extents_.all.push(Extent{});  // ExtentId 0 is no extent
}

FrameStore::~FrameStore() {
  for (Extent& extent : extents_.all) {
    unmap_slots(extent);
    unmap_seen(extent);
    unmap_to_fill(extent);
  }
  for (const ForeignFile& file : foreign_files_) file.name.close_if_intact();
}

ExtentId FrameStore::open_extent() {
  // One slot apart: see Frame.
  const std::uint64_t room =
      (geometry_.bytes(slots() + kOnePage) + alignment_ - 1) / alignment_ * alignment_;
  const bool again = !unused_.empty();
  const std::uint64_t end =
      (again ? extent(unused_[unused_.size() - 1]).start.bytes : next_offset_) + room;
  if (end > std::min(file_.room_bytes(), os::writable_room_bytes())) {
    throw_refused(EFBIG, "pwrite",
                  "the frame file of a region has no room for another clone or snapshot");
  }
  if (again) {
    const ExtentId id = unused_[unused_.size() - 1];
    for (PageIndex at{0}; at.value < slots().value && extent(id).unpunched > 0;) {
      Piece piece(geometry_);
      at = recycling_.punch(id, at, &SlotState::unpunched, piece);
    }
    if (extent(id).unpunched > 0) {
      throw_system_error(
          EIO, "fallocate",
          "the frames of a region that is gone could not be cleared to be used again");
    }
    reserve_frames(extent(id).start);
    return unused_.pop();
  }
  const std::size_t count = extents_.all.size();
  if (count > ExtentId::kMost && free_ids_.empty()) {
    throw_system_error(ENOMEM, "mmap",
                       "a family of regions has as many members as it can; drop some clones first");
  }
  if (!extents_.all.reserve(count + 1) || !unused_.reserve(count + 1) ||
      !extents_.packed.reserve(count + 1) || !free_ids_.reserve(count + 1)) {
    no_metadata();
  }
  reserve_frames({next_offset_});
  Extent extent;
  std::byte* const memory = map_metadata(bytes_of_slots(), backing_);
  if (backing_ == Backing::reserved) extent.filled_at = map_to_fill({next_offset_});
  if (memory == nullptr || (backing_ == Backing::reserved && extent.filled_at == nullptr)) {
    unmap_to_fill(extent);
    if (memory != nullptr) os::unmap_metadata(memory, bytes_of_slots());
    static_cast<void>(os::punch_frames(file_.name(), {next_offset_}, geometry_.bytes(slots())));
    no_metadata();
  }
  extent.file = file_.name();
  extent.start = {next_offset_};
  map_slots(extent, memory);
  next_offset_ += room;
  if (!free_ids_.empty()) {
    const ExtentId id = free_ids_.pop();
    extents_[id] = extent;
    return id;
  }
  extents_.all.push(extent);
  return {static_cast<std::uint32_t>(count)};
}

void FrameStore::reserve_frames(os::FileOffset start) {
  if (backing_ == Backing::on_store) return;
  const std::size_t bytes = geometry_.bytes(slots());
  const int error = os::allocate_frames(file_.name(), start, bytes);
  if (error == 0) return;
  static_cast<void>(os::punch_frames(file_.name(), start, bytes));  // they hold no bytes
  throw_refused(error, "fallocate",
                "the frames that stores to a region may need could not be reserved "
                "(RegionOptions::reserve_frames)");
}

ExtentId FrameStore::open_home(AddressSpace& owner) {
  const ExtentId id = open_extent();
  extents_[id].owner = &owner;
  extents_[id].own = 0;
  return id;
}

void FrameStore::begin_close_home(ExtentId home) noexcept {
  extents_[home].owner = nullptr;
  extents_[home].own = 0;
  extents_[home].closing = true;
}

// A sweep from the first slot to the last, and another one while that helps: what others drop
// meanwhile may lie behind it.
bool FrameStore::end_close_home(ExtentId home, bool may_keep, Piece& piece) noexcept {
  Extent& closed = extents_[home];
  const bool is_reserved = backing_ == Backing::reserved;
  // While others show frames of it, nobody can take its free slots. Afterwards somebody may.
  const bool keep = may_keep && closed.used == 0 && !is_reserved;
  const auto left = [&] { return closed.unpunched + (keep ? 0 : closed.recycled); };
  if (!closed.foreign && (is_reserved || left() > 0)) {
    const Recycling::SlotTest test = is_reserved ? &SlotState::is_free
                                     : keep      ? &SlotState::unpunched
                                                 : &SlotState::keeps_frame;
    const std::uint64_t before = left();
    closed.sweep = recycling_.punch(home, closed.sweep, test, piece);
    closed.sweep_helped = closed.sweep_helped || left() < before;
    if (closed.sweep.value < slots().value) return false;
    closed.sweep = PageIndex{0};
    if (std::exchange(closed.sweep_helped, false) && left() > 0) return false;
  }
  closed.closing = false;
  closed.sweep = PageIndex{0};
  if (!closed.foreign) reuse_if_unused(home);
  return true;
}

void FrameStore::ensure_packed(PageCount wanted) {
  while (packed_free_ < wanted.value) {
    const ExtentId id = open_extent();
    Extent& packed = extents_[id];
    packed.packed = true;
    packed.search_from = 0;
    recycling_.list_all(packed);
    extents_.packed.push(id);
    packed_free_ += slots().value;
  }
}

void FrameStore::take(Frame frame) noexcept {
  Extent& from = extents_[frame.extent()];
  SlotState& slot = from.slots[frame.slot().value];
  if (slot.recycled()) recycling_.count(from, -1);
  slot.take();
  // What dropping it touches is touched now: a store for which no memory is left drops its frame.
  from.kept.touch(frame.slot().value / Extent::kGroupSlots);
  ++from.used;
  ++extents_.used;
  limit_.note_taken(extents_.used);
}

FrameRun FrameStore::take_packed(PageCount most) noexcept {
  if (const FrameRun run = recycling_.unlist(most); run.count > PageCount{0}) {
    for (PageCount i{0}; i < run.count; i = i + kOnePage) take(run.first.after(i));
    packed_free_ -= run.count.value;
    return run;
  }
  for (const ExtentId id : extents_.packed) {
    Extent& packed = extents_[id];
    if (packed.used + packed.recycled == slots().value) continue;
    std::uint64_t slot = packed.search_from;
    while (slot == slots().value || !packed.slots[slot].is_hole()) {
      slot = slot >= slots().value - 1 ? 0 : slot + 1;
    }
    const Frame first(id, {slot});
    PageCount count{0};
    for (; slot < slots().value && count < most && packed.slots[slot].is_hole(); ++slot) {
      take({id, {slot}});
      count = count + kOnePage;
    }
    packed.search_from = slot;
    packed_free_ -= count.value;
    return {first, count};
  }
  return {Frame{}, PageCount{0}};
}

bool FrameStore::show_zeros(FrameRun run) noexcept {
  const auto frame_of = [&](PageIndex slot) { return Frame(run.first.extent(), slot); };
  const PageIndex first = run.first.slot();
  bool shown = true;
  for_each_stretch(
      {first, first + run.count},
      [&](PageIndex slot) { return !state(frame_of(slot)).may_be_hole(); },
      [&](PageSpan filled) {
        shown = shown && clear({frame_of(filled.first), filled.count()});
      });
  return shown;
}

void FrameStore::add_references(FrameRun run, std::uint32_t n) noexcept {
  Extent& to = extents_[run.first.extent()];
  for (SlotState& slot : slots_of(run)) {
    if (slot.references() == 0) {  // a page of a user's file that no leaf named until now
      ++to.used;
      ++extents_.used;
    }
    slot.add(n);
  }
}

void FrameStore::drop_references(FrameRun run, std::uint32_t n) noexcept {
  const ExtentId id = run.first.extent();
  Extent& from = extents_[id];
  extents_.slots_looked_at += run.count.value;
  const PageIndex end = run.first.slot() + run.count;
  PageSpan freed{run.first.slot(), run.first.slot()};
  const auto punch = [&] {
    if (!freed.empty()) punch_freed({{id, freed.first}, freed.count()});
  };
  for (PageIndex at = run.first.slot(); at < end; ++at) {
    SlotState& slot = from.slots[at.value];
    slot.drop(n);
    if (slot.references() != 0) continue;
    --from.used;
    --extents_.used;
    if (from.packed) ++packed_free_;
    if (recycling_.keep(from, at)) continue;
    if (from.closing) {
      slot.leave_unpunched();
      from.note_kept(at);
      ++from.unpunched;
      continue;
    }
    slot.make_hole();
    if (from.foreign) {
      some_inherited_is_idle_ = some_inherited_is_idle_ || from.used == 0;
      continue;
    }
    if (freed.last != at) {
      punch();
      freed.first = at;
    }
    freed.last = at + kOnePage;
  }
  punch();
  limit_.note_dropped(extents_.used);
  if (from.packed) recycling_.list(from, {run.first.slot(), end});
  if (!from.closing) reuse_if_unused(id);
}

void FrameStore::reuse_if_unused(ExtentId id) noexcept {
  const Extent& idle = extent(id);
  if (idle.used > 0 || idle.owner != nullptr || idle.packed || idle.foreign) return;
  unused_.push(id);
}

bool FrameStore::clear(FrameRun run) noexcept {
  Extent& of = extents_[run.first.extent()];
  const std::size_t bytes = geometry_.bytes(run.count);
  const bool keep = backing_ == Backing::reserved && (of.owner != nullptr || of.packed);
  if (keep) return zero(run) == 0;
  if (!os::punch_frames(of.file, offset(run.first), bytes)) return false;
  for (SlotState& slot : slots_of(run)) {
    if (slot.references() > 0) slot.note_cleared();
  }
  limit_.note_given_back();
  return true;
}

// Frames that cannot be cleared are never used again.
void FrameStore::punch_freed(FrameRun run) noexcept {
  if (clear(run)) return;
  Extent& of = extents_[run.first.extent()];
  for (SlotState& slot : slots_of(run)) slot.take();
  of.used += run.count.value;
  extents_.used += run.count.value;
  retired_ += run.count.value;
  if (of.packed) packed_free_ -= run.count.value;
}

std::size_t FrameStore::bytes_of_slots() const noexcept {
  const std::size_t bytes = slots().value * sizeof(SlotState) + sizeof(std::uint64_t) +
                            SparseBits::bytes_for(slots().value / Extent::kGroupSlots + 1);
  return os::whole_pages(bytes);
}

void FrameStore::map_slots(Extent& extent, std::byte* memory) const noexcept {
  extent.slots = reinterpret_cast<SlotState*>(memory);
  const std::uint64_t groups = (slots().value + Extent::kGroupSlots - 1) / Extent::kGroupSlots;
  const std::uint64_t words_before = slots().value * sizeof(SlotState) / sizeof(std::uint64_t) + 1;
  extent.kept = SparseBits(memory + words_before * sizeof(std::uint64_t), groups);
}

void FrameStore::unmap_slots(Extent& extent) const noexcept {
  if (extent.slots == nullptr) return;
  os::unmap_metadata(reinterpret_cast<std::byte*>(extent.slots), bytes_of_slots());
  extent.slots = nullptr;
}

void FrameStore::unmap_seen(Extent& extent) const noexcept {
  if (extent.seen == nullptr) return;
  os::unmap_frames(extent.seen, geometry_.bytes(slots()));
  mapping_budget::add(-1);
  extent.seen = nullptr;
  extent.seen_is_writable = false;
}

void FrameStore::check_files() const {
  bool intact = file_.is_intact();
  for (const ForeignFile& file : foreign_files_) {
    intact = intact && (file.closing || file.name.is_intact());
  }
  if (intact) return;
  throw_system_error(EBADF, "fstat",
                     "the descriptor of a region's frame file was closed by the program "
                     "(closefrom?); keep the descriptors that libcow opens, see /proc/self/fd");
}

const std::byte* FrameStore::readable(Frame frame) noexcept {
  Extent& of = extents_[frame.extent()];
  if (of.seen == nullptr && mapping_budget::spendable() > 0) {
    of.seen = os::map_frames_somewhere(geometry_.bytes(slots()), of.file, of.start, advice_);
    if (of.seen != nullptr) mapping_budget::add(1);
  }
  return of.seen == nullptr ? nullptr : of.seen + geometry_.offset(frame.slot());
}

std::byte* FrameStore::writable(Frame frame) noexcept {
  if (readable(frame) == nullptr) return nullptr;
  Extent& of = extents_[frame.extent()];
  if (!of.seen_is_writable) {
    of.seen_is_writable =
        os::protect(of.seen, geometry_.bytes(slots()), os::Protection::read_write) == 0;
  }
  return of.seen_is_writable ? of.seen + geometry_.offset(frame.slot()) : nullptr;
}

std::size_t FrameStore::bytes_in_use() const { return file_.resident_bytes() - bytes_recycled(); }

std::size_t FrameStore::metadata_bytes() const noexcept {
  std::size_t bytes = extents_.all.bytes();
  for (const Extent& extent : extents_.all) {
    // Counts are touched page by page, at most one page for each frame in use.
    bytes += std::min<std::size_t>(bytes_of_slots(), extent.used * os::page_bytes());
  }
  return bytes;
}

}  // namespace cow
