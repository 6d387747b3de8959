#include "mm/space/family.hpp"

#include <cerrno>
#include <utility>

#include "base/check.hpp"
#include "base/immortal.hpp"
#include "base/refusal.hpp"
#include "mm/space/address_space.hpp"
#include "mm/space/space_trace.hpp"

namespace cow {

Family::Family(PageGeometry geometry, PageCount pages, std::uint64_t max_window_pages,
               Backing backing, os::HugePages huge_pages, bool keep_out_of_cores,
               const CopyOnWrite& copy_on_write, std::optional<os::WriteWatch> watch)
    : geometry_(geometry),
      max_window_pages_(max_window_pages),
      huge_pages_(huge_pages),
      copy_on_write_(copy_on_write),
      watch_(std::move(watch)),
      store_(geometry, pages, backing, huge_pages.bytes, {.keep_out_of_cores = keep_out_of_cores}) {
  FamilyList::instance().add(*this);
}

// What is held for child processes is not dropped: they may still read it, through the same memfd,
// which lives until the last of them has closed it.
Family::~Family() {
  FamilyList::instance().remove(*this);
  store_.frames.limit().call();  // who was to be told forgets what it was to be told for
}

void Family::begin_leaving(ShownTable& shown) noexcept {
  tell_gone(*shown.space);
  shown_.remove(shown);
  store_.frames.limit().note_given_back();  // of what lies beside frames
  begin_leaving(shown.leaving, shown.table, shown.space);
}

void Family::begin_leaving(KeptTable& kept) noexcept {
  tell_gone(kept.table);
  kept_.remove(kept);
  begin_leaving(kept.leaving, kept.table, nullptr);
}

void Family::begin_leaving(LeavingTable& leaving, PageTable& table, AddressSpace* space) noexcept {
  leaving.table = &table;
  leaving.space = space;
  leaving_.push_front(leaving);
}

bool Family::leave(LeavingTable& leaving, Piece& piece) noexcept {
  if (!leaving.table->release(piece)) return false;
  COW_CHECK(leaving.table->is_empty());
  leaving_.remove(leaving);
  return true;
}

bool Family::hold_for(std::uint64_t child) noexcept {
  const std::uint64_t tables = shown_.size() + kept_.size();
  if (!held_.reserve(held_.size() + tables * directories_for(pages())) ||
      !store_.frames.reserve_for_fork()) {
    return false;
  }
  for (const ShownTable& shown : shown_) {
    hold(shown.for_child != nullptr ? *shown.for_child : shown.table, child);
  }
  for (const KeptTable& kept : kept_) hold(kept.table, child);
  return true;
}

void Family::hold(const PageTable& table, std::uint64_t child) noexcept {
  for (std::uint64_t index = 0; index < table.directory_count(); ++index) {
    Directory* const directory = table.share_directory(index);
    if (directory != nullptr) held_.push({child, index, directory});
  }
}

bool Family::release_held(std::uint64_t child, Piece& piece) noexcept {
  for (std::size_t i = held_.size(); i-- > 0;) {
    if (held_[i].child != child) continue;
    if (piece.is_used_up() || !store_.drop_directory(held_[i].directory, piece)) return false;
    held_.remove_at(i);
  }
  return true;
}

void Family::become_child(os::FrameFile file) noexcept {
  store_.frames.become_foreign(std::move(file));
  for (const HeldDirectory& held : held_) store_.drop_directory(held.directory);
  held_.clear();
  forget_leaving();
  reserve_.packed_pages = 0;
}

// Threads of the parent were giving these up. Nobody here goes on with it.
void Family::forget_leaving() noexcept {
  while (!leaving_.empty()) {
    const LeavingTable& leaving = leaving_.pop_front();
    if (leaving.space != nullptr) leaving.space->give_up_addresses(0);
    leaving.table->release();
  }
}

void Family::abandon(int error) noexcept {
  abandoned_for_ = error;
  store_.frames.disown();
  forget_leaving();
}

bool Family::shown_elsewhere(const Leaf& leaf, const ShownTable& mine) const noexcept {
  lock_.assert_held();
  if (held_.size() > kMostTablesSearched) return true;
  for (const HeldDirectory& held : held_) {
    if (held.index == leaf.index / kTableEntries &&
        held.directory->leaves[leaf.index % kTableEntries] == &leaf) {
      return true;
    }
  }
  std::size_t searched = 0;
  for (const ShownTable& shown : shown_) {
    if (++searched > kMostTablesSearched) return true;
    if (&shown != &mine && shown.table.leaf_at(leaf.index) == &leaf) return true;
  }
  return false;
}

void Family::ensure_reserve(Reserve more) {
  const std::uint64_t tables = reserve_.tables + more.tables;
  const Backing backing = store_.frames.backing();
  if (!store_.leaves.ensure_free(tables * leaves_for(pages()), backing) ||
      !store_.directories.ensure_free(tables * directories_for(pages()), backing)) {
    throw_refused(errno, "mmap", "no page tables could be had for a region");
  }
  store_.frames.ensure_packed({reserve_.packed_pages + more.packed_pages});
}

std::size_t Family::metadata_bytes() const noexcept {
  return store_.leaves.bytes_in_use() + store_.directories.bytes_in_use() +
         store_.frames.metadata_bytes();
}

FamilyList& FamilyList::instance() noexcept { return immortal<FamilyList>(); }

void FamilyList::add(Family& family) noexcept {
  const os::SignalsMasked signals;
  const os::LockGuard guard(lock_);
  all_.push_front(family);
}

void FamilyList::remove(Family& family) noexcept {
  const os::SignalsMasked signals;
  const os::LockGuard guard(lock_);
  all_.remove(family);
}

}  // namespace cow
