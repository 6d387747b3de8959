#pragma once

#include <exception>
#include <type_traits>

#include "fault/dispatch.hpp"
#include "mm/space/family.hpp"
#include "mm/watch/settling.hpp"
#include "os/other_stack.hpp"

namespace cow {

/// Whether this thread's stack lies in a region, of whatever family. Storing to it may fault at any
/// time, and where all signals are masked that ends the process.
[[nodiscard]] bool stack_is_in_a_region() noexcept;

/// Throws std::logic_error on such a stack.
void check_stack();

/// Calls `work()`, on another stack if this one lies in a region: for calls that may not throw.
template <class Work>
void away_from_regions(Work&& work) noexcept {
  if (!stack_is_in_a_region()) {
    work();
    return;
  }
  const auto call = [](void* argument) noexcept {
    (*static_cast<std::remove_reference_t<Work>*>(argument))();
  };
  os::call_on_other_stack(call, &work);
}

/// What every control call sees to first: that its stack is in no region and that frames kept for
/// child processes that are gone are given back (of some children: see follow_forks). Throws
/// std::system_error, std::logic_error.
void begin_control_call();

/// The same, that faults reach us where `family` has any, and that the call on a member of `family`
/// can be carried out at all: check_callable() and check_files(). One more call for which recycled
/// frames of the family were kept.
void begin_control_call(Family& family);

/// For control calls that are about to change `pages` of `family` without a fault: where a backup
/// keeps a limit, waits until it has saved them, as each would cost it a frame that nobody charged.
/// The backup's own thread does not wait. With or without a limit, what is saved belongs to the
/// backup no longer on return. Throws std::logic_error on a stack in a region: who waits lies
/// there.
void let_backup_go_first(Family& family, PageSpan pages);

/// discard_pages(), after a backup that keeps a limit.
void discard_after_backup(AddressSpace& space, PageSpan pages);

/// check_stack() and check_present().
void check_callable(Family& family);

/// Throws std::system_error in a child that fork() had to leave without regions.
void check_present(const Family& family);

/// Throws std::system_error if the program has closed the descriptors of the family's frame files.
void check_files(Family& family);

/// Whether what failed with `error` is worth another attempt: the kernel had no mapping left, and
/// all regions of this process have been brought together since.
[[nodiscard]] bool regions_gave_mappings(const std::exception& error) noexcept;

/// Returns `work()`, a control call or a part of one that leaves everything as it was when it
/// throws. It never fails for mappings that libcow itself uses.
template <class Work>
auto retry_in_shortage(const Work& work) {
  constexpr int kMostRetries = 3;  // others may take what was given back
  for (int retry = 0; retry < kMostRetries; ++retry) {
    try {
      return work();
    } catch (const NeedsFaultHandler&) {
      ensure_handler_installed();
    } catch (const std::exception& error) {
      if (!regions_gave_mappings(error)) throw;
    }
  }
  return work();
}

}  // namespace cow
