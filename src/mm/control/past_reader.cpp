#include "mm/control/past_reader.hpp"

namespace cow {

namespace {

void let_go(Family& family, std::span<const PageIndex> pages) noexcept {
  family.past_limit().let_go(pages.data(), pages.size());
  const std::uint64_t surplus = family.past_limit().surplus_to_give_back();
  if (surplus == 0) return;
  Piece piece(family.geometry());
  family.frames().recycling().give_back(surplus, piece);
  family.past_limit().wake_those_with_room();
}

}  // namespace

// Pages go as soon as their bytes are in the buffer: who waits for them does not wait until they
// are written, too. But what is read without the lock, foreign frames, stays in the table until it
// was read.
std::span<const PageIndex> PastReader::next() {
  std::span<const PageIndex> pages;
  int error = 0;
  {
    const Section section(family_);
    PastLimit& past = family_.past_limit();
    const std::size_t count = past.choose(pages_.data(), reader_.most_pages().value);
    is_complete_ = past.is_complete();
    pages = {pages_.data(), count};
    error = reader_.begin(pages);
    if (error == 0) let_go(family_, pages);
    if (error == 0 && !reader_.has_foreign()) past.drop_saved_leaves();
  }
  reader_.finish(error);
  if (reader_.has_foreign()) {
    const Section section(family_);
    family_.past_limit().drop_saved_leaves();
  }
  return pages;
}

}  // namespace cow
