#include "api/fork.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <utility>

#include "api/control_call.hpp"
#include "api/limit.hpp"
#include "api/recorder.hpp"
#include "api/trace.hpp"
#include "base/error.hpp"
#include "base/immortal.hpp"
#include "base/intrusive_list.hpp"
#include "base/refusal.hpp"
#include "fault/dispatch.hpp"
#include "fault/registry.hpp"
#include "mm/control/lease.hpp"
#include "mm/fault/gathering.hpp"
#include "mm/fault/handler_copies.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "mm/resources/metadata_heap.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/family.hpp"
#include "mm/space/leaving.hpp"
#include "mm/watch/kernel_copies.hpp"
#include "mm/watch/settling.hpp"
#include "os/fault_signal.hpp"
#include "os/fork_hooks.hpp"
#include "os/host.hpp"
#include "os/last_words.hpp"
#include "os/process.hpp"
#include "os/thread.hpp"
#include "trace/writer.hpp"

namespace cow {

namespace {

struct Child : ListLink<Child> {
  std::uint64_t id = 0;
  os::Lifeline lifeline;
};

/// Null where there is no memory.
Child* new_child() noexcept {
  try {
    return retry_in_shortage([] { return make_metadata<Child>().release(); });
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void drop(Child* child) noexcept { MetadataDeleter<Child>()(child); }

/// Between the hooks the forking thread holds the handler's and the registry's lock, those of the
/// lists of families and children, every family's, and the metadata heap's, with all signals masked
/// but SIGSEGV: a store to a region, by another one's hook, must end in words (see note_forking).
struct Forks {
  os::Lock lock{os::LockRank::children};
  // In the order in which they are to be asked whether they have ended.
  IntrusiveList<Child> children COW_GUARDED_BY(lock);
  std::uint64_t next_id = 1;
  Child* being_born = nullptr;
  // Lifelines of this process and its ancestors: held until exit or exec, for the parent to notice.
  IntrusiveList<Child> born_as;
  std::uint64_t signal_mask = 0;
  int refused_with = 0;  ///< an errno value: why there is nothing being born, if there are regions
  std::uint64_t traced_as = 0;  ///< the event of the fork that goes on
  std::uint32_t parent_id = 0;  ///< who forks; it may have ended before its child can ask
};

Forks& forks() noexcept { return immortal<Forks>(); }

std::atomic<bool> g_has_children{false};

// To ask a child takes two system calls. Where many live, most of them do for long.
constexpr std::uint64_t kMostLivingAsked = 4;

template <class Use>
void for_each_family_locked(const Use& use) {
  FamilyList& list = FamilyList::instance();
  list.lock().assert_held();
  for (Family& family : list.all()) use(family);
}

// Who stores meanwhile waits in the handler: see settle(). Another one may come in front of ours at
// any time, and hand on what it does not know: that is no reason for a child without regions.
void keep_stores_off(AddressSpace& space) {
  constexpr int kMostTries = 16;
  for (int tries = 1;; ++tries) {
    try {
      return space.copy_on_write().keep_stores_off(space);
    } catch (const NeedsFaultHandler&) {
      if (tries == kMostTries) throw;
      ensure_handler_installed_locked();
    }
  }
}

// 0 or an errno value, as those that follow.
int protect_regions() noexcept {
  int error = 0;
  const auto protect = [&](ShownTable& shown) {
    AddressSpace& space = *shown.space;
    if (!space.is_region()) return;
    try {
      space.prepare_to_be_seen();
      keep_stores_off(space);
      prepare_leases_for_child(space);
    } catch (const std::exception& failure) {
      error = error_of(failure);
    }
  };
  // Not the registry's: a region that is being destroyed is in it no more, but mapped still.
  for_each_family_locked([&](Family& family) { family.for_each_shown(protect); });
  return error;
}

int hold_for_child(std::uint64_t child) noexcept {
  bool done = true;
  for_each_family_locked([&](Family& family) {
    family.lock().assert_held();
    done = done && family.hold_for(child);
  });
  return done ? 0 : ENOMEM;
}

void let_go_for_child(std::uint64_t child) noexcept {
  for_each_family_locked([&](Family& family) {
    family.lock().assert_held();
    bool done = false;
    while (!done) {
      Piece piece(family.geometry());
      done = family.release_held(child, piece);
    }
    family.for_each_shown([](ShownTable& shown) { release_child_table(*shown.space); });
  });
}

// The locks are held already: see regions_gave_mappings().
bool bring_regions_together() noexcept {
  if (!mapping_budget::is_used_up()) return false;
  mapping_budget::note_exhausted();
  for_each_family_locked([](Family& family) {
    if (!family.is_abandoned()) bring_together(family);
  });
  mapping_budget::measure();
  return true;
}

int prepare_for(Child& child) noexcept {
  if (!child.lifeline.is_open()) child.lifeline = os::Lifeline::open();
  int error = child.lifeline.is_open() ? protect_regions() : errno;
  if (error == 0) error = hold_for_child(child.id);
  if (error != 0) let_go_for_child(child.id);
  return error;
}

void take(Family& family) noexcept COW_ACQUIRE(family.lock()) {
  family.lock().lock_alone();
  family.note_change();
}

void give_back(Family& family) noexcept {
  family.lock().assert_held();
  family.lock().unlock();
}

// Not analysed, as leave_fork(): what the one takes the other gives back, in another process, too,
// and of how many families nobody knows beforehand.
void before_fork() noexcept COW_NO_THREAD_SAFETY_ANALYSIS {
  Forks& all = forks();
  if (stack_is_in_a_region()) {
    os::die_of("fork: this thread's stack lies in a region, which fork() would protect", EFAULT);
  }
  Child* child = new_child();
  const std::uint64_t mask = os::set_signal_mask(os::kAllSignalsButFaults);
  os::fault_install_lock().lock();
  Registry::instance().lock().lock();
  FamilyList::instance().lock().lock();
  all.lock.lock();
  all.signal_mask = mask;
  // Not before: the child of another thread's fork would keep it alive, too.
  const bool has_regions = !FamilyList::instance().all().empty();
  if (child != nullptr && !has_regions) drop(std::exchange(child, nullptr));
  all.being_born = child;
  for_each_family_locked(&take);
  if (child != nullptr) child->id = all.next_id++;
  // fork() cannot be refused. The child goes without regions then; it may only want to call exec.
  all.refused_with = child != nullptr ? prepare_for(*child) : ENOMEM;
  if (child != nullptr && all.refused_with == ENOMEM && bring_regions_together()) {
    all.refused_with = prepare_for(*child);
  }
  if (child != nullptr && all.refused_with != 0) drop(std::exchange(all.being_born, nullptr));
  all.traced_as = 0;
  if (trace::current() != 0) {
    all.traced_as = trace::NewEvent(trace::EventKind::process_forked).number();
  }
  all.parent_id = all.traced_as == 0 ? 0 : os::process_id();
  metadata_heap_lock().lock();
  note_forking(true);
}

void leave_fork() noexcept COW_NO_THREAD_SAFETY_ANALYSIS {
  for_each_family_locked(&give_back);
  const std::uint64_t mask = forks().signal_mask;
  forks().lock.unlock();
  FamilyList::instance().lock().unlock();
  Registry::instance().lock().unlock();
  os::fault_install_lock().unlock();
  os::set_signal_mask(mask);
}

// The locks of before_fork() that the rest of the hooks relies on, but for the families'.
void end_forking(Forks& all) noexcept COW_ASSERT_CAPABILITY(all.lock)
    COW_ASSERT_CAPABILITY(Registry::instance().lock()) {
  metadata_heap_lock().assert_held();
  metadata_heap_lock().unlock();
  note_forking(false);
  all.lock.assert_held();
  Registry::instance().lock().assert_held();
}

void in_parent() noexcept {
  Forks& all = forks();
  end_forking(all);
  if (all.being_born != nullptr) {
    all.being_born->lifeline.keep_parent_end();
    all.children.push_back(*std::exchange(all.being_born, nullptr));
    g_has_children.store(true);
  }
  Registry::instance().for_each([](AddressSpace& space) { release_child_table(space); });
  leave_fork();
}

// Once more with the spare mappings, if there was none.
template <class Work>
auto retry_in_child(const Work& work) {
  try {
    return work();
  } catch (const std::exception&) {
    if (!mapping_budget::is_used_up()) throw;
    mapping_budget::note_exhausted();
  }
  return work();
}

void start_own_frames() COW_REQUIRES(Registry::instance().lock()) {
  for_each_family_locked([](Family& family) {
    family.lock().assert_held();
    family.become_child(retry_in_child([] { return os::FrameFile::create(); }));
    family.watch_anew();
    // Also of views, which have homes where they were made of copies.
    family.for_each_shown([](ShownTable& shown) { shown.space->forget_homes(); });
  });
  Registry::instance().for_each([](AddressSpace& space) {
    adopt_child_table(space);
    retry_in_child([&] { space.copy_on_write().become_child(space); });
  });
}

// What the child may not share with its parent it must not see either.
void abandon_regions(int refused_with) noexcept COW_REQUIRES(Registry::instance().lock()) {
  for_each_family_locked([](Family& family) {
    family.for_each_shown([](ShownTable& shown) {
      const int error = shown.space->range().forbid();
      if (error != 0) os::die_of("fork: the child has no memory for its regions", error);
    });
  });
  for_each_family_locked([&](Family& family) {
    family.lock().assert_held();
    family.abandon(refused_with);
  });
  Registry::instance().for_each([](AddressSpace& space) { release_child_table(space); });
}

// What it has become already is told, too, and belongs to this.
void tell_begun(const Forks& all, bool has_regions) noexcept {
  if (all.traced_as == 0) return;
  const trace::NewEvent made(trace::EventKind::process_begun);
  trace::Event* const event = made.get();
  if (event == nullptr) return;
  event->other = all.parent_id;
  event->first_page = has_regions ? all.traced_as : 0;
}

void in_child() noexcept {
  Forks& all = forks();
  end_forking(all);
  trace::forget_other_threads();
  forget_trace_beginning();
  while (!all.children.empty()) drop(&all.children.pop_front());
  g_has_children.store(false);
  os::forget_other_holders();
  Registry::instance().forget_readers();
  forget_recorder();
  forget_limits();
  mapping_budget::forget_other_threads();
  for_each_family_locked([](Family& family) {
    family.lock().assert_held();
    family.lock().forget_others();
    family.past_limit().forget_in_child();
  });
  bool complete = all.being_born != nullptr;
  if (complete) {
    all.being_born->lifeline.keep_child_end();
    all.born_as.push_front(*std::exchange(all.being_born, nullptr));
    try {
      start_own_frames();
    } catch (const std::exception& failure) {
      all.refused_with = error_of(failure);
      complete = false;
    }
  }
  if (!complete) abandon_regions(all.refused_with);
  tell_begun(all, complete);
  leave_fork();
}

void release_for(std::uint64_t child) noexcept {
  const os::SignalsMasked signals;
  FamilyList::instance().for_each([&](Family& family) {
    give_up_held(family, child);
    give_back_surplus(family);
  });
}

// Takes children that have ended off the list, from its beginning on, until so many were asked that
// live. Those go to the end of the list: the next call asks others.
void take_ended(std::uint64_t most_living, IntrusiveList<Child>& ended) noexcept {
  Forks& all = forks();
  const os::SignalsMasked signals;
  const os::LockGuard guard(all.lock);
  std::uint64_t living = 0;
  for (std::size_t left = all.children.size(); left > 0 && living < most_living; --left) {
    Child& child = all.children.pop_front();
    if (child.lifeline.has_ended()) {
      child.lifeline.keep_child_end();  // a child that is born now has no use for it
      ended.push_front(child);
    } else {
      all.children.push_back(child);
      ++living;
    }
  }
  g_has_children.store(!all.children.empty());
}

void reap_children(std::uint64_t most_living) noexcept {
  IntrusiveList<Child> ended;
  take_ended(most_living, ended);
  while (!ended.empty()) {
    const MetadataPointer<Child> gone(&ended.pop_front());
    release_for(gone->id);
  }
}

// What is made at its first use is made here: a child that is forked by another thread in the
// middle of that would wait for it for ever.
void watch_for_forks() {
  static const bool watching = [] {
    forks();
    Registry::instance();
    FamilyList::instance();
    static_cast<void>(metadata_heap_lock());
    static_cast<void>(os::page_bytes());
    static_cast<void>(handler_copies());
    static_cast<void>(kernel_copies());
    os::at_fork(&before_fork, &in_parent, &in_child);
    return true;
  }();
  static_cast<void>(watching);
}

// Hooks of others that were registered earlier run while ours hold the locks, and must not store to
// a region then. So ours are registered before the program runs, and before its own constructors.
__attribute__((constructor(101))) void watch_from_the_start() noexcept {
  try {
    watch_for_forks();
  } catch (const std::exception&) {
    // There is no memory yet: the first control call tries again.
  }
}

}  // namespace

void follow_forks() {
  watch_for_forks();
  if (g_has_children.load(std::memory_order_relaxed)) reap_children(kMostLivingAsked);
}

void reap_all_children() noexcept {
  if (g_has_children.load(std::memory_order_relaxed)) reap_children(~std::uint64_t{0});
}

}  // namespace cow
