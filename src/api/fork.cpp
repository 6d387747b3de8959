#include "api/fork.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <new>
#include <utility>

#include "api/recorder.hpp"
#include "base/error.hpp"
#include "base/immortal.hpp"
#include "fault/registry.hpp"
#include "mm/family.hpp"
#include "mm/lease.hpp"
#include "mm/mapping_budget.hpp"
#include "os/fault_signal.hpp"
#include "os/fork_hooks.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

struct Child {
  std::uint64_t id = 0;
  os::Lifeline lifeline;
  Child* next = nullptr;
};

/// Between the hooks the forking thread holds: the handler's and the registry's lock, the list of
/// families, every family's lock, in this order, with all signals masked.
struct Forks {
  os::Lock lock;  // for the list of children
  Child* children = nullptr;
  std::uint64_t next_id = 1;
  Child* being_born = nullptr;
  // Lifelines of this process and its ancestors: held until exit or exec, for the parent to notice.
  Child* born_as = nullptr;
  unsigned long signal_mask = 0;
};

Forks& forks() noexcept { return immortal<Forks>(); }

std::atomic<bool> g_has_children{false};

template <class Use>
void for_each_family_locked(const Use& use) {
  for (Family* family = FamilyList::instance().first(); family != nullptr;
       family = family->next_family()) {
    use(*family);
  }
}

bool protect_regions() noexcept {
  bool done = true;
  const auto protect = [&](ShownTable& shown) {
    AddressSpace& space = *shown.space;
    if (!space.is_region()) return;
    try {
      space.prepare_to_be_seen();
      space.write_protect();
      prepare_leases_for_child(space);
    } catch (const std::exception&) {
      done = false;
    }
  };
  // Not the registry's: a region that is being destroyed is in it no more, but mapped still.
  for_each_family_locked([&](Family& family) { family.for_each_shown(protect); });
  return done;
}

bool hold_for_child(std::uint64_t child) noexcept {
  bool done = true;
  for_each_family_locked([&](Family& family) { done = done && family.hold_for(child); });
  return done;
}

void before_fork() noexcept {
  Forks& all = forks();
  auto* child = new (std::nothrow) Child;
  const unsigned long mask = os::mask_all_signals();
  os::fault_install_lock().lock();
  Registry::instance().lock().lock();
  FamilyList::instance().lock().lock();
  all.lock.lock();
  all.signal_mask = mask;
  // Not before: the child of another thread's fork would keep it alive, too.
  if (child != nullptr) child->lifeline = os::Lifeline::open();
  if (child != nullptr && !child->lifeline.is_open()) delete std::exchange(child, nullptr);
  all.being_born = child;
  for_each_family_locked([](Family& family) {
    family.lock().lock_alone();
    family.note_change();
  });
  if (child == nullptr) return;
  child->id = all.next_id++;
  if (protect_regions() && hold_for_child(child->id)) return;
  // fork() cannot be refused. The child goes without regions; it may only want to call exec.
  for_each_family_locked([&](Family& family) { family.release_held(child->id); });
  delete std::exchange(all.being_born, nullptr);
}

void leave_fork() noexcept {
  for_each_family_locked([](Family& family) { family.lock().unlock(); });
  const unsigned long mask = forks().signal_mask;
  forks().lock.unlock();
  FamilyList::instance().lock().unlock();
  Registry::instance().lock().unlock();
  os::fault_install_lock().unlock();
  os::restore_signal_mask(mask);
}

void in_parent() noexcept {
  Forks& all = forks();
  if (all.being_born != nullptr) {
    all.being_born->lifeline.keep_parent_end();
    all.being_born->next = all.children;
    all.children = all.being_born;
    all.being_born = nullptr;
    g_has_children.store(true);
  }
  Registry::instance().for_each([](AddressSpace& space) { release_child_table(space); });
  leave_fork();
}

void start_own_frames() {
  for_each_family_locked([](Family& family) { family.become_child(os::FrameFile::create()); });
  Registry::instance().for_each([](AddressSpace& space) {
    const int error = show_child_table(space);
    if (error != 0) throw_system_error(error, "mmap", "a leased page could not be mapped");
    space.forget_homes();
    space.prepare_to_be_seen();
    renew_leases(space);
  });
}

// What the child may not share with its parent it must not see either.
void abandon_regions() noexcept {
  for_each_family_locked([](Family& family) {
    family.for_each_shown([](ShownTable& shown) {
      const int error = shown.space->forbid();
      if (error != 0) os::die_of("fork: the child has no memory for its regions", error);
    });
  });
  for_each_family_locked([](Family& family) { family.abandon(); });
  Registry::instance().for_each([](AddressSpace& space) { release_child_table(space); });
}

void in_child() noexcept {
  Forks& all = forks();
  while (all.children != nullptr) delete std::exchange(all.children, all.children->next);
  g_has_children.store(false);
  Registry::instance().forget_readers();
  forget_recorder();
  mapping_budget::forget_other_threads();
  for_each_family_locked([](Family& family) { family.lock().forget_others(); });
  bool complete = all.being_born != nullptr;
  if (complete) {
    all.being_born->lifeline.keep_child_end();
    all.being_born->next = all.born_as;
    all.born_as = std::exchange(all.being_born, nullptr);
    try {
      start_own_frames();
    } catch (const std::exception&) {
      complete = false;
    }
  }
  if (!complete) abandon_regions();
  leave_fork();
}

void release_for(std::uint64_t child) noexcept {
  FamilyList::instance().for_each([&](Family& family) {
    const Section section(family);
    family.release_held(child);
  });
}

void reap_children() noexcept {
  Forks& all = forks();
  Child* ended = nullptr;
  {
    const os::SignalsMasked signals;
    const os::LockGuard guard(all.lock);
    for (Child** link = &all.children; *link != nullptr;) {
      Child* const child = *link;
      if (child->lifeline.has_ended()) {
        *link = child->next;
        child->next = ended;
        ended = child;
      } else {
        link = &child->next;
      }
    }
    g_has_children.store(all.children != nullptr);
  }
  while (ended != nullptr) {
    Child* const next = ended->next;
    release_for(ended->id);
    delete ended;
    ended = next;
  }
}

}  // namespace

void follow_forks() {
  static const bool watching = [] {
    forks();
    Registry::instance();
    FamilyList::instance();
    os::at_fork(&before_fork, &in_parent, &in_child);
    return true;
  }();
  static_cast<void>(watching);
  if (g_has_children.load(std::memory_order_relaxed)) reap_children();
}

}  // namespace cow
