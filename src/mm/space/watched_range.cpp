#include "mm/space/watched_range.hpp"

#include <array>
#include <cerrno>

#include "base/refusal.hpp"
#include "os/mapping.hpp"

namespace cow {

void WatchedRange::watch_anew() noexcept {
  may_be_clean_ = true;        // none is armed for us
  static_cast<void>(watch());  // or see look()
}

Place WatchedRange::place_of(Frame frame) const noexcept {
  if (frame == Frame{}) return {};
  const os::DescriptorName& file = family_.frames().file(frame);
  return {file.device, file.file, family_.frames().offset(frame).bytes};
}

// What is mapped and could not be watched is so from the next look on: see look(). Stores until
// then are found as well, since what the kernel copies is not armed before.
template <class Map>
int WatchedRange::show_by(PageSpan span, Frame first, const Map& map) noexcept {
  if (!shown_.make_room()) return errno;
  const int error = map();
  if (error != 0) return error;
  static_cast<void>(family_.watch()->watch(addresses(span)));
  shown_.note_mapped(span, place_of(first));
  known_copies_.forget(span);
  return 0;
}

int WatchedRange::show(PageSpan span, Frame first) noexcept {
  const FrameStore& frames = family_.frames();
  return show_by(span, first, [&] {
    return os::map_frames_privately(address(span.first), bytes(span), frames.file(first),
                                    frames.offset(first), family_.advice());
  });
}

int WatchedRange::show_zeros(PageSpan span) noexcept {
  return show_by(span, Frame{}, [&] {
    return os::map_zeros(address(span.first), bytes(span), os::Protection::read_write,
                         family_.advice());
  });
}

int WatchedRange::begin_filling(Frame first) noexcept {
  const FrameStore& frames = family_.frames();
  if (!shown_.make_room()) return errno;
  const int error = os::map_frames(begin_, bytes(all()), frames.file(first), frames.offset(first),
                                   os::Protection::read_write, os::Populate::no, family_.advice());
  if (error != 0) return error;
  shown_.note_mapped(all(), place_of(first));
  is_filling_ = true;
  return 0;
}

os::WriteWatch::Found WatchedRange::look(os::AddressRun within, std::span<os::AddressRun> runs,
                                         std::size_t most_pages,
                                         os::WriteWatch::Then then) noexcept {
  if (must_disarm_all_) {
    if (const int refused = disarm_all(); refused != 0) return {0, within.begin, refused};
  }
  const os::WriteWatch::Found found = family_.watch()->look(within, runs, most_pages, then);
  if (found.error != EPERM) return found;
  // A part is not watched. What that look has armed already is not told, now or, should it be
  // refused, by a later look.
  must_disarm_all_ = true;
  const int refused = disarm_all();
  return refused == 0 ? family_.watch()->look(within, runs, most_pages, then)
                      : os::WriteWatch::Found{0, within.begin, refused};
}

int WatchedRange::disarm_all() noexcept {
  int error = watch();  // a part may not be watched, and then not be disarmed
  if (error == 0) error = family_.watch()->disarm(addresses(all()));
  if (error != 0) return error;
  must_disarm_all_ = false;
  may_be_clean_ = true;
  return 0;
}

void WatchedRange::arm(PageSpan span) noexcept {
  std::array<os::AddressRun, 64> runs;
  os::AddressRun rest = addresses(span);
  while (rest.begin < rest.end) {
    const os::WriteWatch::Found found = look(rest, runs, 0, os::WriteWatch::Then::arm_again);
    if (found.error != 0 || found.end == rest.begin) return;
    rest.begin = found.end;
  }
}

std::size_t WatchedRange::bytes_copied() const {
  if (is_filling_) return 0;
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

}  // namespace cow
