#include "mm/space/leaving.hpp"

#include <algorithm>
#include <system_error>

#include "mm/space/address_space.hpp"
#include "mm/space/copy_on_write.hpp"
#include "os/host.hpp"
#include "os/thread.hpp"

namespace cow {

namespace {

// The kernel takes some 50 ns for a page that is mapped, and less than one where nothing is: after
// a piece that was no work the next one is larger.
constexpr std::size_t kPieceBytes = std::size_t{32} << 20;
constexpr std::size_t kMostPieceBytes = std::size_t{1} << 30;
constexpr std::uint64_t kNoWorkNs = 20'000;
// So little goes with its addresses: another call would cost more than the kernel's look at it.
constexpr std::size_t kSmallPieceBytes = std::size_t{2} << 20;
constexpr std::size_t kPieceOfFileBytes = std::size_t{16} << 20;
constexpr std::size_t kPieceOfZerosBytes = std::size_t{256} << 20;

// The kernel's lock on all mappings of the process goes to whoever comes first, too: who has kept
// it busy for so long rests. What is quickly done has not held anybody up.
constexpr std::uint64_t kBusyNs = 300'000;

/// Where the last piece of the first `bytes` of a space begins: one of up to `most_of_frames` bytes
/// where there are frames, a large one where no leaf names any.
std::size_t begin_of_last_piece(const AddressSpace& space, std::size_t bytes,
                                std::size_t most_of_frames) noexcept {
  const PageTable& table = space.table();
  const PageGeometry geometry = space.family().geometry();
  const auto leaf_before = [&](std::size_t at) { return geometry.page_at(at - 1).leaf_index(); };
  if (table.leaf_at(leaf_before(bytes)) != nullptr) {
    return (bytes - 1) / most_of_frames * most_of_frames;
  }
  const bool shows_file = space.family().frames().shows_file();
  const std::size_t most = shows_file ? kPieceOfFileBytes : kPieceOfZerosBytes;
  const std::size_t lowest = bytes > most ? bytes - most : 0;
  std::size_t begin = bytes;
  while (begin > lowest && table.leaf_at(leaf_before(begin)) == nullptr) {
    begin = geometry.offset(table.span_of(leaf_before(begin)).first);
  }
  return std::max(begin, lowest);
}

}  // namespace

std::size_t bytes_in_use(Family& family) {
  std::size_t bytes = family.frames().bytes_in_use();
  family.for_each_shown([&](const ShownTable& shown) {
    const AddressSpace* const space = shown.space;
    if (space == nullptr || !space->is_region()) return;
    bytes += space->copy_on_write().bytes_beside_frames(*space);
  });
  return bytes;
}

void look_at_limit(Family& family) noexcept {
  FrameLimit& limit = family.frames().limit();
  limit.note_given_back();
  if (!limit.is_said_above()) return;
  try {
    limit.note_memory(bytes_in_use(family));
  } catch (const std::system_error&) {
    // A descriptor of the family was closed: every control call tells.
  }
}

// From the end to the beginning, so that what is still ours is always the first part. What the
// kernel has to look at page by page comes first and holds nobody up for long; the addresses are
// given back with the lock held, so that a child knows which of them it has got.
void give_up_addresses(AddressSpace& space) noexcept {
  auto bytes = static_cast<std::size_t>(space.end() - space.begin());
  std::size_t piece_bytes = kPieceBytes;
  std::uint64_t begun_ns = os::monotonic_ns();
  std::uint64_t rested_ns = begun_ns;
  while (bytes > 0) {
    const std::size_t begin = begin_of_last_piece(space, bytes, piece_bytes);
    if (bytes - begin > kSmallPieceBytes) {
      os::forget_pages(space.begin() + begin, bytes - begin);
    }
    {
      const Hold hold(space.family());
      space.give_up_addresses(begin);
    }
    bytes = begin;
    std::uint64_t now_ns = os::monotonic_ns();
    const bool was_no_work = now_ns - begun_ns < kNoWorkNs;
    piece_bytes = was_no_work ? std::min(4 * piece_bytes, kMostPieceBytes) : kPieceBytes;
    if (now_ns - rested_ns >= kBusyNs) {
      os::rest();
      rested_ns = now_ns = os::monotonic_ns();
    }
    begun_ns = now_ns;
  }
}

void give_up_table(Family& family, LeavingTable& leaving) noexcept {
  in_pieces(family, [&](Piece& piece) {
    family.lock().assert_held();
    return family.leave(leaving, piece);
  });
}

std::uint64_t give_up(Family& family, KeptTable& kept) noexcept {
  LeavingTable& leaving = kept.leaving;
  bool has_surplus = false;
  std::uint64_t frames = 0;
  in_pieces(family, [&](Piece& piece) {
    family.lock().assert_held();
    const std::uint64_t used_before = family.frames().used();
    const auto count = [&](bool has_left) {
      frames += used_before - std::min(used_before, family.frames().used());
      return has_left;
    };
    if (leaving.table == nullptr) family.begin_leaving(kept);
    if (!count(family.leave(leaving, piece))) return false;
    has_surplus = family.frames().has_surplus();
    return true;
  });
  if (has_surplus) give_back_surplus(family);
  return frames;
}

void close_homes(Family& family, std::span<const ExtentId> homes) noexcept {
  if (homes.empty()) return;
  const bool may_keep = !os::is_memory_short();
  for (const ExtentId home : homes) {
    in_pieces(family,
              [&](Piece& piece) { return family.frames().end_close_home(home, may_keep, piece); });
  }
}

void give_up_held(Family& family, std::uint64_t child) noexcept {
  in_pieces(family, [&](Piece& piece) {
    family.lock().assert_held();
    return family.release_held(child, piece);
  });
}

namespace {

void give_back_inherited(Family& family) noexcept {
  os::DescriptorName file;
  in_pieces(family, [&](Piece&) {
    if (family.frames().forget_idle_extent()) return false;
    file = family.frames().next_file_to_close();
    return true;
  });
  while (file.number >= 0) {
    file.close_if_intact();  // frees what nobody else shows, which may take long
    const Hold hold(family);
    family.frames().forget_closed(file);
    file = family.frames().next_file_to_close();
  }
}

/// Gives back as many recycled frames as `most(const Recycling&)` says, in pieces. Returns how
/// many.
template <class Most>
std::uint64_t give_back_in_pieces(Family& family, const Most& most) noexcept {
  std::uint64_t given = 0;
  std::uint64_t in_vain = 0;  // pieces in a row that were used up by looking
  in_pieces(family, [&](Piece& piece) {
    Recycling& recycling = family.frames().recycling();
    const std::uint64_t wanted = most(recycling);
    const std::uint64_t now = wanted == 0 ? 0 : recycling.give_back(wanted, piece);
    given += now;
    in_vain = now > 0 ? 0 : in_vain + 1;
    return now == 0 && (!piece.is_used_up() || in_vain > recycling.most_pieces());
  });
  return given;
}

}  // namespace

void give_back_surplus(Family& family) noexcept {
  bool may_have_inherited = false;
  give_back_in_pieces(family, [&](const Recycling& recycling) {
    may_have_inherited = family.frames().may_give_back_inherited();
    return recycling.surplus();
  });
  if (may_have_inherited) give_back_inherited(family);
}

void give_back_recycled_beyond(Family& family, std::uint64_t frames) noexcept {
  give_back_in_pieces(family, [&](const Recycling& recycling) {
    return recycling.frames() > frames ? recycling.frames() - frames : 0;
  });
}

std::uint64_t give_back_all_recycled(Family& family) noexcept {
  return give_back_in_pieces(family, [](const Recycling& recycling) { return recycling.frames(); });
}

}  // namespace cow
