#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/intrusive_list.hpp"
#include "base/units.hpp"
#include "mm/resources/sparse_bits.hpp"
#include "mm/space/wait_times.hpp"
#include "os/lock.hpp"

namespace cow {

struct Leaf;
class PageTable;
struct TableStore;

/// A store, or a control call, that waits until a backup has saved `pages`. It lies on the stack of
/// who waits. Invariant: it is in the list of one PastLimit from wait_for() on until the latch is
/// open, and whoever opens the latch does not look at it again.
struct WaitingForSave : ListLink<WaitingForSave> {
  enum class Who : std::uint8_t { store, control_call };

  Who who = Who::store;
  PageSpan pages;              ///< not saved yet: those before are
  std::uint64_t begun_ns = 0;  ///< when the first wait began; 0: there was none
  os::Latch is_over;

  /// Without any lock. Signal context: yes.
  void sleep() noexcept { is_over.wait(); }
};

/// The pages of one moment that a backup has not saved yet, and how much memory they may take. One
/// for each family, whether it has a backup or not.
///
/// The backup owns a page table, kept like a snapshot's. Its thread saves page after page and lets
/// go of what is saved, so that a store finds itself the sole owner and copies nothing. A store to
/// a page that is not saved yet makes a copy, and one of the two frames is there for the backup
/// alone: the fault *charges* the page beforehand, and where that is more than the limit allows, it
/// waits.
///
/// Invariant: a frame that the backup's table alone references, and that was not so at the cut, is
/// that of a charged page. Each page is charged once, however many relatives store to it.
/// Invariant: charged pages + recycled frames beyond those at the cut <= the limit, but for pages
/// that the backup's own thread has stored to.
/// Invariant: a page is charged, or kept though it is saved, only while the table has it; what is
/// charged is not saved.
/// Invariant: pages come to be "kept though saved" only while no fault is at work, and a fault lets
/// those of its leaf go before it decides. So none goes while another fault in that leaf copies.
///
/// All of it under the family's lock, unless said otherwise. "Signal context: yes" allocates
/// nothing.
class PastLimit {
 public:
  PastLimit() noexcept = default;
  PastLimit(const PastLimit&) = delete;
  PastLimit& operator=(const PastLimit&) = delete;

  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  /// Zeros of the caller's, outside of all regions, for as long as the backup goes on.
  struct Books {
    SparseBits saved;
    SparseBits kept;
    SparseBits charged;
  };

  // For the backup.

  /// What saves, and outlives what begin() has begun.
  class Saving {
   public:
    /// After fork(), in the child, where it is no more. With the lock held; must not throw or wait.
    virtual void forget_in_child() noexcept = 0;

   protected:
    Saving() = default;
    ~Saving() = default;
  };

  /// Begins with `table`, which is empty. Until set_most() no page may be charged, if there is to
  /// be a limit at all. Lets go of saved pages only if `drops`.
  void begin(TableStore& store, PageTable& table, Saving& saving, const Books& books,
             bool is_limited, bool drops) noexcept;
  /// At the cut, in the same hold of the lock: the backup is of the first `pages` pages. What its
  /// table has behind them, where leases and restores leave frames, is given up.
  void clip(PageCount pages) noexcept;
  /// Charges pages that were copied at the cut, as they are leased. After clip().
  void charge_copied(PageSpan span) noexcept;
  /// At most so many pages may be charged.
  void set_most(std::uint64_t pages) noexcept;
  /// Which thread saves. Without the lock.
  void set_saver(std::uint32_t thread_id) noexcept { saver_.store(thread_id); }
  /// Everybody who waits goes on, and nobody waits any more. Nothing if that of `table` has ended.
  void end(const PageTable& table) noexcept;
  /// After end(), and when wait_times() were read: another may begin. The same.
  void make_free(const PageTable& table) noexcept;
  [[nodiscard]] bool is_free() const noexcept { return owner_ == nullptr; }
  /// Until all who waited have noted for how long. Without the lock; after end().
  void wait_for_sleepers() noexcept { sleepers_.wait_until_empty(); }
  /// After fork(), in the child: the thread that saves is the parent's.
  void forget_in_child() noexcept;

  /// Fills `batch` with pages to be saved next: those that stores wait for, those that were charged
  /// if stores wait or may do so soon, those that control calls wait for, and then the others in
  /// ascending order. Looks at no more than some leaves: returns 0 also if there is more to do, see
  /// is_complete().
  [[nodiscard]] std::size_t choose(PageIndex* batch, std::size_t most) noexcept;
  /// Whether choose() has found every page.
  [[nodiscard]] bool is_complete() const noexcept { return is_complete_; }
  /// The bytes of `pages` were copied to where nobody changes them, or will be as they are in
  /// foreign frames: lets go of the pages that are not, and of who waits for any of them.
  void let_go(const PageIndex* pages, std::size_t count) noexcept;
  /// The bytes of all pages that choose() gave were copied: leaves that the sweep has passed go as
  /// a whole.
  void drop_saved_leaves() noexcept { drop_leaves_before(sweep_); }
  /// Recycled frames that are to be given back now, so that stores find room.
  [[nodiscard]] std::uint64_t surplus_to_give_back() const noexcept;
  /// Recycled frames at the cut.
  [[nodiscard]] std::uint64_t recycled_before() const noexcept { return recycled_before_; }
  /// Stores go on that found no room, if there is some now.
  void wake_those_with_room() noexcept;

  // How it goes; without the lock, as of some moment lately.

  [[nodiscard]] std::uint64_t pages_done() const noexcept { return done_.load(); }
  [[nodiscard]] std::uint64_t pages_charged() const noexcept { return charged_now_.load(); }
  [[nodiscard]] std::uint64_t most_pages_charged() const noexcept { return charged_peak_.load(); }
  [[nodiscard]] const WaitTimes& wait_times() const noexcept { return wait_times_; }

  // For faults. Signal context: yes.

  [[nodiscard]] bool is_active() const noexcept { return table_ != nullptr; }
  /// Before a fault in a leaf decides: saved pages of that leaf go.
  void let_saved_go(std::uint64_t leaf_index) noexcept;
  /// Whether the pages of `window` in `leaf` may be copied.
  [[nodiscard]] bool has_room_for(const Leaf& leaf, PageSpan window) const noexcept;
  /// They are about to be.
  void charge(const Leaf& leaf, PageSpan window) noexcept;
  /// Whether the calling thread must not wait, as it saves. Cost: a system call.
  [[nodiscard]] bool is_savers() const noexcept;
  /// `waiting` has to sleep() when the lock is free again, and tell note_waited() after all.
  void wait_for(PageSpan pages, WaitingForSave& waiting) noexcept;
  /// The page of a store.
  void wait_for(PageIndex page, WaitingForSave& waiting) noexcept {
    wait_for({page, page + kOnePage}, waiting);
  }
  /// Without the lock.
  void note_waited(const WaitingForSave& waiting) noexcept;

  // For control calls that change pages without a fault.

  /// Whether there is a backup at all. Without the lock: may be about to change.
  [[nodiscard]] bool goes_on() const noexcept { return goes_on_.load(); }
  /// Whether there is a limit to keep. The same.
  [[nodiscard]] bool is_limited() const noexcept { return is_limited_.load(); }
  /// Whether `span` has a page that is not saved yet and whose change nobody would charge.
  [[nodiscard]] bool must_go_before(PageSpan span) const noexcept;
  /// The first saved pages of `span` go, at most `most`; returns where more may be, the end of
  /// `span` if nowhere. While no fault is at work.
  [[nodiscard]] PageIndex let_saved_go(PageSpan span, std::size_t most) noexcept;

 private:
  [[nodiscard]] bool is_kept(PageIndex page) const noexcept;
  [[nodiscard]] bool would_charge(const Leaf& leaf, PageIndex page) const noexcept;
  [[nodiscard]] std::uint64_t room() const noexcept;
  [[nodiscard]] std::uint64_t surplus() const noexcept;
  [[nodiscard]] PageIndex next_to_save(PageSpan span) const noexcept;
  void drop(PageIndex page) noexcept;
  void note_charged() noexcept;
  void forget_charge(PageIndex page) noexcept;
  void drop_leaves_before(PageIndex end) noexcept;
  [[nodiscard]] PageIndex after_zeros(PageIndex page) const noexcept;
  void take(PageIndex page, PageIndex* batch, std::size_t& count) noexcept;
  [[nodiscard]] bool has_waiting(WaitingForSave::Who who) const noexcept;
  void choose_waited_for(WaitingForSave::Who who, PageIndex* batch, std::size_t most,
                         std::size_t& count) noexcept;
  void choose_charged(PageIndex* batch, std::size_t most, std::size_t& count) noexcept;
  void choose_others(PageIndex* batch, std::size_t most, std::size_t& count) noexcept;
  void wake(WaitingForSave& waiting) noexcept;
  void wake_saved() noexcept;

  TableStore* store_ = nullptr;
  const PageTable* owner_ = nullptr;  ///< whose all of this is; set for longer than table_
  PageTable* table_ = nullptr;        ///< the backup's; null: there is none
  Saving* saving_ = nullptr;          ///< the owner's
  Books books_;
  bool drops_ = false;
  bool is_complete_ = false;
  std::uint64_t most_pages_ = kNoLimit;    ///< that may be charged
  std::uint64_t charged_pages_ = 0;        ///< bits in books_.charged
  std::uint64_t recycled_before_ = 0;      ///< frames, at the cut
  PageIndex end_;                          ///< of the region at the cut
  PageIndex sweep_;                        ///< pages before are saved or zeros
  PageIndex leaves_gone_;                  ///< leaves before were let go of as a whole
  std::uint64_t next_charged_ = 0;         ///< where to look for charged pages next
  IntrusiveList<WaitingForSave> waiting_;  ///< those that came first are first

  std::atomic<bool> goes_on_{false};
  std::atomic<bool> is_limited_{false};
  std::atomic<std::uint32_t> saver_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> charged_now_{0};
  std::atomic<std::uint64_t> charged_peak_{0};
  WaitTimes wait_times_;
  os::Occupancy sleepers_;
};

}  // namespace cow
