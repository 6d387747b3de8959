// How frames get their bytes: by system calls that say where there is no memory, or, where it was
// reserved, by the processor's stores through a mapping, which no limit and no filter can refuse.

#include <cerrno>

#include "mm/frames/frame_store.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "os/mapping.hpp"

namespace cow {

namespace {

constexpr std::int64_t kMappingsToFill = 3;  // and a guard page on each side

// What came of an attempt, or of those that followed once recycled frames were given back: no more
// of them at a time than a store may have to wait for.
template <class Attempt>
int or_with_more_memory(Recycling& recycling, PageGeometry geometry, int error,
                        const Attempt& again) noexcept {
  std::uint64_t left = recycling.most_pieces();  // that may find nothing, one after the other
  while ((error == ENOSPC || error == ENOMEM) && left > 0) {
    Piece piece(geometry);
    if (recycling.give_back(recycling.frames(), piece) > 0) {
      error = again();
      left = recycling.most_pieces();
    } else {
      left = piece.is_used_up() ? left - 1 : 0;
    }
  }
  return error;
}

}  // namespace

std::byte* FrameStore::map_to_fill(os::FileOffset start) const noexcept {
  std::byte* const mapped =
      os::map_frames_to_fill(geometry_.bytes(slots()), file_.name(), start, advice_);
  if (mapped != nullptr) mapping_budget::add(kMappingsToFill);
  return mapped;
}

void FrameStore::unmap_to_fill(Extent& extent) noexcept {
  if (extent.filled_at == nullptr) return;
  os::unmap_frames_to_fill(extent.filled_at, geometry_.bytes(slots()));
  mapping_budget::add(-kMappingsToFill);
  extent.filled_at = nullptr;
}

int FrameStore::write(FrameRun run, const std::byte* source) const noexcept {
  if (std::byte* const to = filled_at(run.first)) {
    os::copy_bytes(to, source, geometry_.bytes(run.count));
    return 0;
  }
  return os::write_frames(file(run.first), source, geometry_.bytes(run.count), offset(run.first));
}

int FrameStore::finish_fill(FrameRun run, const std::byte* source, int error) noexcept {
  error = or_with_more_memory(recycling_, geometry_, error, [&] { return write(run, source); });
  if (error == 0) note_filled(run);
  return error;
}

// By the kernel in every case: a load of our own would end the program where the bytes are missing.
int FrameStore::fill_checked(FrameRun run, std::span<const std::byte> source) noexcept {
  const auto copy = [&] {
    return os::write_frames(file(run.first), source.data(), source.size(), offset(run.first));
  };
  const int error = or_with_more_memory(recycling_, geometry_, copy(), copy);
  if (error == 0) note_filled(run);
  return error;
}

int FrameStore::fill_from(FrameRun run, std::span<const iovec> sources) noexcept {
  if (std::byte* to = filled_at(run.first)) {
    for (const iovec& source : sources) {
      os::copy_bytes(to, static_cast<const std::byte*>(source.iov_base), source.iov_len);
      to += source.iov_len;
    }
    return 0;
  }
  const auto gather = [&] {
    return os::gather_frames(file(run.first), sources, offset(run.first));
  };
  const int error = or_with_more_memory(recycling_, geometry_, gather(), gather);
  if (error == 0) note_filled(run);
  return error;
}

std::byte* FrameStore::in_sight(FrameRun run) noexcept {
  bool are_there = !is_foreign(run.first);
  for (PageCount at{0}; are_there && at < run.count; at = at + kOnePage) {
    are_there = !state(run.first.after(at)).may_be_hole();
  }
  return are_there ? writable(run.first) : nullptr;
}

int FrameStore::overwrite(FrameRun run, const std::byte* source) noexcept {
  std::byte* const to = in_sight(run);
  if (to == nullptr) return fill(run, source);
  os::copy_bytes(to, source, geometry_.bytes(run.count));
  return 0;
}

int FrameStore::zero(FrameRun run) noexcept {
  if (std::byte* const to = filled_at(run.first)) {
    os::clear_bytes(to, geometry_.bytes(run.count));
    return 0;
  }
  return os::zero_frames(file(run.first), offset(run.first), geometry_.bytes(run.count));
}

// Reserved frames are there already. Not note_filled(): until it is touched the kernel counts such
// a frame as a hole.
int FrameStore::allocate(FrameRun run) noexcept {
  if (filled_at(run.first) != nullptr) return 0;
  const auto reach = [&] {
    return os::allocate_frames(file(run.first), offset(run.first), geometry_.bytes(run.count));
  };
  const int error = or_with_more_memory(recycling_, geometry_, reach(), reach);
  if (error != 0) return error;
  for (SlotState& slot : slots_of(run)) slot.note_allocated();
  return 0;
}

// Reserved frames are never recycled, so it is never asked whether they are holes.
void FrameStore::note_filled(FrameRun run) noexcept {
  if (backing_ == Backing::reserved) return;
  for (SlotState& slot : slots_of(run)) slot.note_filled();
}

}  // namespace cow
