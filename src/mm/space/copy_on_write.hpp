#pragma once

#include <functional>

#include "base/units.hpp"
#include "mm/resources/metadata_array.hpp"
#include "mm/space/fault_outcome.hpp"
#include "mm/tables/page_table.hpp"

namespace cow {

class AddressSpace;
class Family;
class HoleFinder;
struct Costs;
struct FaultSteps;
struct WaitingForSave;

/// What becomes of hot pages, which are stored to round after round (see Entry::heat).
enum class HotPolicy {
  share,            ///< as with any other page; of such a snapshot, libcow's own, no trace tells
  copy,             ///< copied, so that they need not fault; only so many that stores wait briefly
  copy_unprotected  ///< all of them: the caller promises that nobody stores; who can find a store
                    ///< reports it
};

/// What find_unseen_stores() calls: std::ref to a function object, as nothing is to be allocated.
using FoundPages = std::function<bool(PageSpan)>;
/// What it says beside the pages.
struct UnseenStores {
  bool may_be_clean = false;  ///< some of them may hold what their entries say, all the same
  int error = 0;              ///< an errno value: there may be more of them
};

/// A way to copy on write: who keeps stores off frames that others see, who copies what is stored
/// to, and who finds out what that was. A family takes one when it is made. Each is a small class
/// (fault/handler_copies.hpp, watch/kernel_copies.hpp), and control calls, which come through here,
/// do not ask which one it is.
///
/// The caller of all but resolve() holds the family's lock. What throws, throws
/// std::system_error, unless said otherwise, with everything as it was.
class CopyOnWrite {
 public:
  virtual ~CopyOnWrite() = default;
  CopyOnWrite(const CopyOnWrite&) = delete;
  CopyOnWrite& operator=(const CopyOnWrite&) = delete;

  /// Whether a store to a page whose frame others see faults, and waits in the handler for whoever
  /// holds the family's lock. For what the API promises of it, and for who installs the handler:
  /// what else depends on the mechanism is asked of it below.
  [[nodiscard]] virtual bool stores_fault() const noexcept = 0;
  /// What control calls of this mechanism took lately, in this process. Without the lock.
  [[nodiscard]] virtual Costs& costs() const noexcept = 0;
  /// After a store to `page` of a region has faulted: sees to it that it can run again. Signal
  /// context: yes. See resolve_write_fault().
  [[nodiscard]] virtual FaultOutcome resolve(AddressSpace& space, PageIndex page, FaultSteps* steps,
                                             WaitingForSave& waiting) const noexcept = 0;

  /// A region was just made, and shows zeros.
  virtual void begin(AddressSpace& region) const = 0;
  /// What the page table says is what `space` shows, and no store reaches frames that it says, but
  /// for leased ones: they can be shared. Throws NeedsFaultHandler and std::logic_error, too: see
  /// settle().
  virtual void keep_stores_off(AddressSpace& space) const = 0;
  /// Does that for a snapshot: `empty`, a table that is shown nowhere, will hold what `space`
  /// shows, of hot pages copies where that saves the stores to come a fault. Returns how many pages
  /// were copied for it.
  [[nodiscard]] virtual PageCount share_with_snapshot(AddressSpace& space, PageTable& empty,
                                                      HotPolicy policy) const = 0;
  /// Once stores are kept off: where the bytes of `page` and those behind it stay as they are until
  /// the lock is let go. Null: in their frames alone.
  [[nodiscard]] virtual const std::byte* held_bytes(const AddressSpace& space,
                                                    PageIndex page) const noexcept = 0;
  /// Stores were kept off and nothing was shared: they go on as before in `leaves`, those that had
  /// writable pages then.
  virtual void let_stores_in(AddressSpace& space,
                             const MetadataArray<std::uint64_t>& leaves) const noexcept = 0;
  /// Whether a page of a new region with a frame of its own is open to stores, as its entry says.
  [[nodiscard]] virtual bool opens_own_pages() const noexcept = 0;
  /// Maps what the table of a new region says, which shows zeros, in about `runs` mappings. False
  /// where that takes too many of them: copies that lie side by side are better.
  [[nodiscard]] virtual bool show_table(AddressSpace& region, std::uint64_t runs) const = 0;
  /// The kernel has refused a mapping: `space` is to take as few as it can, whatever that copies.
  virtual void bring_together(AddressSpace& space) const noexcept = 0;
  /// The bytes of `space` become those of `snapshot`; nobody stores meanwhile.
  virtual void restore(AddressSpace& space, const PageTable& snapshot) const = 0;
  /// The pages of `span` show zeros. True if they are mapped so, and what the table says is to be
  /// given up; false if zeros are stored where they are, or nothing was to be done.
  [[nodiscard]] virtual bool show_zeros(AddressSpace& space, PageSpan span) const = 0;
  /// Calls `found` with pages of `within` that were stored to since the page table said last what
  /// `space` shows, in ascending order, until it returns false. They stay as they are. None while
  /// all stores reach the frames that the entries say.
  [[nodiscard]] virtual UnseenStores find_unseen_stores(AddressSpace& space, PageSpan within,
                                                        const FoundPages& found) const noexcept = 0;
  /// Whether a page with this entry counts as one that has no frame yet, although one was taken for
  /// it beforehand: nobody has stored to it.
  [[nodiscard]] virtual bool is_untouched(Entry entry, HoleFinder& holes) const noexcept = 0;
  /// Whether a store copies nothing to a page whose frame nobody else has any more: a backup lets
  /// go of what it has saved, then.
  [[nodiscard]] virtual bool spares_sole_owners() const noexcept = 0;
  /// How much memory shows pages of `space` beside its family's frames.
  [[nodiscard]] virtual std::size_t bytes_beside_frames(const AddressSpace& space) const = 0;

  /// The pages of `span` stay where they are, and open to whoever stores without a fault, until
  /// let_go(), when `span` is none of the leases of `space` any more.
  virtual void hold_still(AddressSpace& space, PageSpan span) const = 0;
  virtual void let_go(AddressSpace& space, PageSpan span) const noexcept = 0;
  /// After fork(), in the child, where all frames are the parent's: `space` goes on by itself. May
  /// be tried again.
  virtual void become_child(AddressSpace& space) const = 0;

 protected:
  CopyOnWrite() = default;
};

}  // namespace cow
