#pragma once

#include <exception>

#include "mm/space/address_space.hpp"

namespace cow {

/// Stores have to be held off, and there is no handler yet in which they could wait. The caller
/// lets go of its locks, installs it and begins anew; nothing has changed. Only fork() holds the
/// lock under which that is done, and keeps all of them.
struct NeedsFaultHandler : std::exception {
  [[nodiscard]] const char* what() const noexcept override {
    return "stores to a region could not be held off, as there is no handler of SIGSEGV in which "
           "they could wait; call cow::reinstall_handler()";
  }
};

/// Whether other threads may store meanwhile.
enum class Threads { may_store, quiescent };

/// Where the kernel copies what is stored to: finds the pages that were stored to since the last
/// time and gives them frames with their bytes, so that the page table says what `space` shows. The
/// region goes on with its own copies.
///
/// While other threads store, looks again after each copy, until a look finds nothing: then what
/// was copied is what the region showed at one moment, as live migration of virtual machines does
/// it (Clark et al., NSDI 2005). After a few rounds stores are held off for the last look, and wait
/// in the fault handler. `quiescent`: the caller promises that nobody stores; a store that is found
/// all the same is reported by std::logic_error.
///
/// The caller holds the family's lock. Cost: O(pages stored to + what a look costs). Throws
/// std::system_error or NeedsFaultHandler; then what was not copied counts as stored to, still.
void settle(AddressSpace& space, Threads threads);

}  // namespace cow
