#include "mm/space/mapped_range.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/refusal.hpp"
#include "mm/resources/mapping_budget.hpp"

namespace cow {

namespace {

constexpr std::int64_t kGuardMappings = 2;

os::AddressRange reserve_addresses(const Family& family) {
  const PageGeometry geometry = family.geometry();
  return os::AddressRange::reserve(geometry.bytes(family.pages()),
                                   std::max(geometry.page_bytes(), family.huge_pages().bytes),
                                   family.advice());
}

}  // namespace

MappedRange::MappedRange(Family& family, Stores stores)
    : family_(family), range_(reserve_addresses(family)) {
  mapping_budget::add(kGuardMappings);
  note_mappings(1);
  if (stores == Stores::protected_from) return;
  shown_.emplace(family.pages(), family.geometry());
  known_copies_.emplace(family.pages());
  int error = map_zeros(all());
  if (error == 0) error = family_.watch()->watch(addresses(all()));
  if (error == 0) return;
  shrink(0);
  throw_refused(error, "userfaultfd", "the addresses of a region could not be watched");
}

void MappedRange::watch_anew() const noexcept {
  if (!shown_) return;
  may_be_clean_ = true;                                         // none is armed for us
  static_cast<void>(family_.watch()->watch(addresses(all())));  // or see look()
}

Place MappedRange::place_of(Frame frame) const noexcept {
  if (frame == Frame{}) return {};
  const os::DescriptorName& file = family_.frames().file(frame);
  return {file.device, file.file, family_.frames().offset(frame).bytes};
}

// What is mapped and could not be watched is so from the next look on: see look(). Stores until
// then are found as well, since what the kernel copies is not armed before.
template <class Map>
int MappedRange::map_watched(PageSpan span, Frame first, const Map& map) const noexcept {
  if (!shown_->make_room()) return errno;
  const int error = map();
  if (error != 0) return error;
  static_cast<void>(family_.watch()->watch(addresses(span)));
  shown_->note_mapped(span, place_of(first));
  known_copies_->forget(span);
  note_mappings(shown_->count());
  return 0;
}

int MappedRange::map(PageSpan span, Frame first, os::Protection protection, os::Populate populate,
                     os::Look look) const noexcept {
  const FrameStore& frames = family_.frames();
  if (shown_) {
    return map_watched(span, first, [&] {
      return os::map_frames_privately(address(span.first), bytes(span), frames.file(first),
                                      frames.offset(first), family_.advice());
    });
  }
  return os::map_frames(address(span.first), bytes(span), frames.file(first), frames.offset(first),
                        protection, populate, family_.advice(), look);
}

int MappedRange::begin_filling(Frame first) const noexcept {
  const FrameStore& frames = family_.frames();
  if (!shown_->make_room()) return errno;
  const int error = os::map_frames(begin(), bytes(all()), frames.file(first), frames.offset(first),
                                   os::Protection::read_write, os::Populate::no, family_.advice());
  if (error != 0) return error;
  shown_->note_mapped(all(), place_of(first));
  note_mappings(shown_->count());
  is_filling_ = true;
  return 0;
}

int MappedRange::end_filling(Frame first) const noexcept {
  const int error = map(all(), first, os::Protection::read_write);
  if (error == 0) is_filling_ = false;
  return error;
}

os::WriteWatch::Found MappedRange::look(os::AddressRun within, std::span<os::AddressRun> runs,
                                        std::size_t most_pages,
                                        os::WriteWatch::Then then) const noexcept {
  if (must_disarm_all_) {
    const int refused = family_.watch()->disarm(addresses(all()));
    if (refused != 0) return {0, within.begin, refused};
    must_disarm_all_ = false;
    may_be_clean_ = true;
  }
  const os::WriteWatch::Found found = family_.watch()->look(within, runs, most_pages, then);
  if (found.error == 0) return found;
  if (found.error != EPERM) return found;
  // A part is not watched. What that look has armed already is not told.
  int error = family_.watch()->watch(addresses(all()));
  if (error == 0) error = family_.watch()->disarm(addresses(all()));
  may_be_clean_ = true;
  return error == 0 ? family_.watch()->look(within, runs, most_pages, then)
                    : os::WriteWatch::Found{0, within.begin, error};
}

std::size_t MappedRange::bytes_copied() const {
  if (!shown_ || is_filling_) return 0;
  std::size_t bytes_found = 0;
  std::array<os::AddressRun, 64> runs;
  os::AddressRun rest = addresses(all());
  while (rest.begin < rest.end) {
    const os::WriteWatch::Found found = find_copies(rest, runs, os::WriteWatch::Where::in_memory);
    for (std::size_t i = 0; i < found.runs; ++i) {
      bytes_found += static_cast<std::size_t>(runs[i].end - runs[i].begin);
    }
    if (found.error != 0) {
      throw_refused(found.error, "ioctl", "what the kernel has copied could not be counted");
    }
    rest.begin = found.end;
  }
  return bytes_found;
}

int MappedRange::map_zeros(PageSpan span) const noexcept {
  const auto map_them = [&](os::Protection protection) {
    return os::map_zeros(address(span.first), bytes(span), protection, family_.advice());
  };
  if (!shown_) return map_them(os::Protection::read_only);
  return map_watched(span, Frame{}, [&] { return map_them(os::Protection::read_write); });
}

int MappedRange::map_for_reading(PageSpan span, Frame first) const noexcept {
  const FrameStore& frames = family_.frames();
  return os::map_frames_for_reading(address(span.first), bytes(span), frames.file(first),
                                    frames.offset(first), family_.advice());
}

int MappedRange::protect(PageSpan span, os::Protection protection) const noexcept {
  return os::protect(address(span.first), bytes(span), protection);
}

bool MappedRange::is_mapped(PageSpan span) const noexcept {
  return os::is_mapped(address(span.first), bytes(span));
}

bool MappedRange::is_resident(PageSpan span) const noexcept {
  return os::is_resident(address(span.first), bytes(span));
}

void MappedRange::note_mappings(std::size_t mappings) const noexcept {
  mapping_budget::add(static_cast<std::int64_t>(mappings - mappings_));
  mappings_ = mappings;
}

void MappedRange::shrink(std::size_t bytes) noexcept {
  if (begin() == nullptr) return;
  range_.shrink(bytes);
  if (bytes > 0) return;
  const os::AddressRange all(std::move(range_));
  note_mappings(0);
  mapping_budget::add(-kGuardMappings);
}

}  // namespace cow
