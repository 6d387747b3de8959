#include "mm/address_space.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "base/refusal.hpp"
#include "mm/hole_finder.hpp"
#include "mm/leaving.hpp"

namespace cow {

namespace {

// An address range always costs one mapping for what it shows and one for each guard page.
constexpr std::int64_t kGuardMappings = 2;
constexpr auto kReadOnly = os::Protection::read_only;

os::AddressRange reserve_addresses(const Family& family) {
  const PageGeometry geometry = family.geometry();
  return os::AddressRange::reserve(geometry.bytes(family.pages()),
                                   std::max(geometry.page_bytes(), family.huge_pages().bytes),
                                   family.advice());
}

std::atomic<std::uint64_t> g_protections{0};

}  // namespace

std::uint64_t protections() noexcept { return g_protections.load(std::memory_order_relaxed); }
void note_protection() noexcept { g_protections.fetch_add(1, std::memory_order_relaxed); }

AddressSpace::AddressSpace(std::shared_ptr<Family> family, Use use)
    : family_(std::move(family)),
      use_(use),
      range_(reserve_addresses(*family_)),
      shown_(family_->store(), family_->pages()),
      homes_(family_->frames(), *this),
      writable_groups_(writable_groups_words()) {
  note_protection();
  const Section section(*family_);
  if (use_ == Use::region) {
    family_->ensure_reserve({.tables = 1});
    add_home();
    family_->reserve().tables += 1;
  }
  shown_.space = this;
  family_->add(shown_);
  mapping_budget::add(kGuardMappings);
  count_mappings(1);
}

AddressSpace::~AddressSpace() {
  const os::SignalsMasked signals;
  {
    const Hold hold(*family_);
    // From here on no fault of another space reads its bytes at these addresses (see source_of).
    homes_.begin_close();
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
  if (bytes > 0) return;
  const os::AddressRange all(std::move(range_));
  shown_.leaving.space = nullptr;
  count_mappings(-static_cast<std::int64_t>(mappings_));
  mapping_budget::add(-kGuardMappings);
}

void AddressSpace::write_protect() {
  rollback_.stop_following();
  write_protect_together(Spare::leased, [](Leaf&) { return Together::yes; });
}

template <class Prepare>
void AddressSpace::write_protect_together(Spare spare, const Prepare& prepare) {
  // Ranges that lie close together are protected in one call: passing over pages that are
  // read-only already costs the kernel less than another call.
  constexpr PageCount kCloseTogether{4 * kTableEntries};
  const auto is_writable = [](Entry entry) { return entry.writable(); };
  const auto close = [&](PageSpan hull) {
    protect(hull, Spare::leased);
    // Not one for all: what was a hole when it looked may be touched until it is protected.
    HoleFinder holes(family_->geometry());
    for (std::uint64_t group = hull.first.leaf_index(); group * kTableEntries < hull.last.value;
         ++group) {
      Leaf* const leaf = table().leaf_at(group);
      if (leaf != nullptr && leaf->writable > 0) close_leaf(*leaf, spare, holes);
    }
  };
  PageSpan hull{};
  for_each_writable_leaf([&](Leaf& leaf) {
    if (prepare(leaf) == Together::no) {
      close(hull);
      hull = {};
      return;
    }
    const PageSpan next = hull_of(leaf, is_writable);
    if (!hull.empty() && next.first <= hull.last + kCloseTogether) {
      hull.last = next.last;
      return;
    }
    close(hull);
    hull = next;
  });
  close(hull);
}

void AddressSpace::write_protect_cold(HotPages pages) {
  rollback_.stop_following();
  ++snapshots_;
  HoleFinder holes(family_->geometry());
  const auto is_cold = [](Entry entry) {
    return entry.writable() && !is_spared(entry, Spare::leased_and_hot);
  };
  write_protect_together(Spare::leased_and_hot, [&](Leaf& leaf) {
    const PageCount hot{update_heat(leaf, snapshots_, pages)};
    pages.most = pages.most - hot;
    if (pages.stores == HotPages::Stores::held_off || hot == PageCount{0}) return Together::yes;
    // Nobody stores meanwhile: hot pages need no protection.
    if (hot.value == leaf.writable) return Together::no;
    protect(hull_of(leaf, is_cold), Spare::leased_and_hot);
    close_leaf(leaf, Spare::leased_and_hot, holes);
    return Together::no;
  });
}

// What the kernel refuses to open becomes read-only: its next store faults, as others do.
void AddressSpace::reopen_hot() noexcept {
  const auto is_hot = [](Entry entry) { return entry.hot() && !entry.leased(); };
  for_each_writable_leaf([&](Leaf& leaf) {
    for_each_stretch(table(), hull_of(leaf, is_hot), is_hot, [&](PageSpan run) {
      if (make_writable(run) == 0) return;
      edit(leaf, run, [](PageIndex, Entry& entry) { entry.set_writable(false); });
      protect_again(leaf, run);
    });
  });
}

void AddressSpace::protect(PageSpan hull, Spare spare) {
  note_protection();
  int error = 0;
  const auto protect_span = [&](PageSpan span) {
    if (error != 0) return;
    error = os::protect(address(span.first), family_->geometry().bytes(span.count()), kReadOnly);
  };
  if (spare == Spare::leased && leases_.empty() && !hull.empty()) {
    protect_span(hull);
  } else {
    for_each_stretch(
        table(), hull, [&](Entry entry) { return !is_spared(entry, spare); }, protect_span);
  }
  if (error == 0) return;
  reopen(hull);
  throw_refused(error, "mprotect", "a region could not be write-protected to be shared");
}

// The kernel may have protected a part before it refused. Where even this fails, a store does it.
void AddressSpace::reopen(PageSpan span) noexcept {
  for_each_stretch(
      table(), span, [](Entry entry) { return entry.writable(); },
      [&](PageSpan writable) { static_cast<void>(make_writable(writable)); });
}

// A leaf that was written from end to end: without looking at its entries one by one, which for a
// large region would take longer than the kernel takes to protect huge pages.
bool AddressSpace::close_in_one(Leaf& leaf, Spare spare, HoleFinder& holes) noexcept {
  const PageSpan span = table().span_of(leaf.group);
  if (!leases_.empty() || leaf.writable != span.count().value || leaf.breaks > 0) return false;
  const FrameStore& frames = family_->frames();
  const Frame first = leaf.entries[0].frame();
  // Asking what is mapped is ten times as fast as searching the file, and nearly always enough.
  const std::size_t bytes = family_->geometry().bytes(span.count());
  if (leaf.any_never_stored && !os::is_resident(address(span.first), bytes) &&
      !holes.is_all_data(frames.file(first), frames.offset(first), bytes)) {
    return false;
  }
  const std::int64_t edges_before = edges(leaf.group);
  for (std::size_t i = 0; i < span.count().value; ++i) {
    Entry& entry = leaf.entries[i];
    if (spare == Spare::leased_and_hot && entry.store_was_seen()) entry.set_heat(Entry::kWarmest);
    entry.close();
  }
  leaf.writable = 0;
  leaf.any_never_stored = false;
  count_mappings(edges(leaf.group) - edges_before);
  note_writable(leaf);
  return true;
}

// The leaf's pages are read-only now, but for those to spare. Where a window of zero pages was
// opened, it is time to learn which of them were touched: the others have no memory behind them.
void AddressSpace::close_leaf(Leaf& leaf, Spare spare, HoleFinder& holes) noexcept {
  const auto is_kept = [&](Entry entry) { return entry.writable() && is_spared(entry, spare); };
  if (std::none_of(leaf.entries.begin(), leaf.entries.end(), is_kept) &&
      close_in_one(leaf, spare, holes)) {
    return;
  }
  // Where the snapshot gets copies, the leaf stays the region's own, and begins to count anew.
  leaf.block_faults = {};
  const FrameStore& frames = family_->frames();
  const bool look = leaf.any_never_stored;
  leaf.any_never_stored = false;
  const auto keep_zeros = [&](Entry& entry) {
    if (!look || !entry.never_stored()) return;
    if (holes.is_hole(frames.file(entry.frame()), frames.offset(entry.frame()))) {
      leaf.any_never_stored = true;
    } else {
      entry.set_never_stored(false);
      entry.set_taken_along(true);
    }
  };
  edit(leaf, table().span_of(leaf.group), [&](PageIndex, Entry& entry) {
    if (is_spared(entry, spare)) {
      leaf.any_never_stored = leaf.any_never_stored || entry.never_stored();
      return;
    }
    const bool found_stored = entry.writable() && entry.store_was_seen();
    entry.set_writable(false);
    keep_zeros(entry);
    if (spare == Spare::leased_and_hot && found_stored) entry.set_heat(Entry::kWarmest);
  });
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

const std::byte* AddressSpace::source_of(PageIndex page, Frame frame, Turn& turn) const noexcept {
  const AddressSpace* const owner = family_->frames().extent(frame.extent()).owner;
  const bool owner_shows_it = owner != nullptr && owner->table().entry(page).frame() == frame;
  return owner_shows_it && turn.may_read(*owner) ? owner->address(page) : address(page);
}

void AddressSpace::adopt_leaf(std::uint64_t group, const PageTable& other) noexcept {
  writable_groups_[group / 64] &= ~(std::uint64_t{1} << group % 64);
  table().adopt_leaf(group, other);
}

void AddressSpace::hand_leaf_to(std::uint64_t group, PageTable& other) noexcept {
  const Leaf& leaf = *table().leaf_at(group);
  const std::int64_t runs_before = edges(group) + std::int64_t{leaf.breaks};
  for (const Entry entry : leaf.entries) {
    family_->frames().note_shown(*this, entry.frame(), Frame{});
  }
  writable_groups_[group / 64] &= ~(std::uint64_t{1} << group % 64);
  table().hand_leaf_to(group, other);
  count_mappings(edges(group) - runs_before);
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
  std::fill_n(writable_groups_.begin(), writable_groups_.size(), 0);
  count_mappings(static_cast<std::int64_t>(count_runs(table()) - mappings_));
}

void AddressSpace::note_writable(const Leaf& leaf) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << leaf.group % 64;
  std::uint64_t& word = writable_groups_[leaf.group / 64];
  word = leaf.writable > 0 ? word | bit : word & ~bit;
}

std::int64_t AddressSpace::edges(std::uint64_t group) const noexcept {
  const PageSpan span = table().span_of(group);
  const auto breaks_at = [&](PageIndex page) {
    return table().entry(page - kOnePage).joins(table().entry(page)) ? 0 : 1;
  };
  std::int64_t count = 0;
  if (span.first > PageIndex{0}) count += breaks_at(span.first);
  if (span.last < PageIndex{table().pages().value}) count += breaks_at(span.last);
  return count;
}

void AddressSpace::count_mappings(std::int64_t change) noexcept {
  mappings_ = static_cast<std::size_t>(static_cast<std::int64_t>(mappings_) + change);
  mapping_budget::add(change);
}

}  // namespace cow
