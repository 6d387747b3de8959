#include "mm/space/address_space.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "mm/space/leaving.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

std::atomic<std::uint64_t> g_protections{0};

}  // namespace

std::uint64_t protections() noexcept { return g_protections.load(std::memory_order_relaxed); }
void note_protection() noexcept { g_protections.fetch_add(1, std::memory_order_relaxed); }

AddressSpace::AddressSpace(std::shared_ptr<Family> family, Use use)
    : family_(std::move(family)),
      use_(use),
      open_pages_(family_->pages().value),
      range_(*family_, use_ == Use::region ? family_->watch() : nullptr),
      shown_(family_->store()),
      homes_(family_->frames(), *this),
      writable_memory_(SparseBits::bytes_for(leaves_for(family_->pages()))),
      writable_(writable_memory_.begin(), leaves_for(family_->pages())) {
  note_protection();
  const Section section(*family_);
  if (use_ == Use::region) {
    family_->ensure_reserve({.tables = 1});
    homes_.open();
    family_->reserve().tables += 1;
    begin_telling(table());
  }
  shown_.space = this;
  family_->add(shown_);
}

AddressSpace::~AddressSpace() {
  const os::SignalsMasked signals;
  {
    const Hold hold(*family_);
    // From here on no fault of another space reads its bytes at these addresses (see source_of).
    homes_.begin_close();
    family_->lineage().remove_leaf(lineage_);
    family_->begin_leaving(shown_);
    if (use_ == Use::region) family_->reserve().tables -= 1;
    if (may_pack_) family_->reserve().packed_pages -= family_->pages().value;
  }
  cow::give_up_addresses(*this);
  give_up_table(*family_, shown_.leaving);
  close_homes(*family_, homes_.list());
  give_back_surplus(*family_);
}

void AddressSpace::give_up_addresses(std::size_t bytes) noexcept {
  range_.shrink(bytes);
  if (bytes == 0) shown_.leaving.space = nullptr;
}

void AddressSpace::prepare_to_be_seen() {
  family_->ensure_reserve({});
  homes_.make_room_to_move();
  kept_ = false;
}

void AddressSpace::prepare_to_be_kept() {
  const std::uint64_t more = may_pack_ ? 0 : family_->pages().value;
  family_->ensure_reserve({.packed_pages = more});
  family_->reserve().packed_pages += more;
  may_pack_ = true;
  kept_ = true;
}

Frame AddressSpace::free_home_slot(PageIndex page) const noexcept {
  const auto home_of_writable = [&](PageIndex neighbour) {
    const Entry entry = table().entry(neighbour);
    const Frame frame = entry.frame();
    return entry.writable() && frame.slot() == neighbour ? frame.extent() : ExtentId{};
  };
  if (page > PageIndex{0}) {
    const ExtentId home = home_of_writable(page - kOnePage);
    if (homes_.is_free(home, page)) return {home, page};
  }
  const PageIndex next = page + kOnePage;
  if (next < PageIndex{table().pages().value}) {
    const ExtentId home = home_of_writable(next);
    if (homes_.is_free(home, page)) return {home, page};
  }
  return homes_.free_slot(page);
}

const std::byte* AddressSpace::source_of(PageIndex page, Frame frame,
                                         LeafLock& lock) const noexcept {
  const AddressSpace* const owner = family_->frames().extent(frame.extent()).owner;
  const bool owner_shows_it = owner != nullptr && owner->table().entry(page).frame() == frame;
  return owner_shows_it && lock.may_read(*owner) ? owner->address(page) : address(page);
}

void AddressSpace::adopt_leaf(std::uint64_t leaf_index, const PageTable& other) noexcept {
  const Leaf* const leaf = table().leaf_at(leaf_index);
  writable_pages_ -= leaf == nullptr ? 0 : leaf->writable;
  writable_.clear(leaf_index);
  tell_leaf_of(table(), leaf_index, other);
  table().adopt_leaf(leaf_index, other);
}

void AddressSpace::hand_leaf_to(std::uint64_t leaf_index, PageTable& other) noexcept {
  COW_CHECK(!family_->frames().shows_file());
  const Leaf& leaf = *table().leaf_at(leaf_index);
  const Boundaries before = edges(leaf_index) + leaf.boundaries;
  for (const Entry entry : leaf.entries) {
    family_->frames().note_shown(*this, entry.frame(), Frame{});
  }
  writable_.clear(leaf_index);
  writable_pages_ -= leaf.writable;
  tell_zero_pages(table(), table().span_of(leaf_index));
  table().hand_leaf_to(leaf_index, other);
  range_.count(edges(leaf_index) - before);
}

void AddressSpace::forget_homes() noexcept {
  homes_.forget();
  may_pack_ = false;
  kept_ = false;
}

void AddressSpace::replace_table(PageTable& other) noexcept {
  rollback_.stop_following();
  table().release();
  table().share(other);
  std::fill_n(writable_memory_.begin(), writable_memory_.size(), std::byte{0});
  writable_pages_ = 0;
  tell_entries(table(), Zeros::told);
  range_.set_mappings(count_runs(table()));
}

void AddressSpace::note_writable(const Leaf& leaf) noexcept {
  leaf.writable > 0 ? writable_.set(leaf.index) : writable_.clear(leaf.index);
}

Boundaries AddressSpace::edges(std::uint64_t leaf_index) const noexcept {
  const PageSpan span = table().span_of(leaf_index);
  const auto before = [&](PageIndex page) {
    return Boundaries::between(table().entry(page - kOnePage), table().entry(page));
  };
  Boundaries boundaries;
  if (span.first > PageIndex{0}) boundaries += before(span.first);
  if (span.last < PageIndex{table().pages().value}) boundaries += before(span.last);
  return boundaries;
}

}  // namespace cow
