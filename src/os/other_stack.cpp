#include "os/other_stack.hpp"

#include <ucontext.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>

#include "os/last_words.hpp"
#include "os/mapping.hpp"

namespace cow::os {

namespace {

/// The kernel writes a thread's signal mask to the contexts as they are switched, and would refuse
/// to write to a protected page: they lie below the new stack, not on the old one.
struct Visit {
  ucontext_t here{};
  ucontext_t there{};
  void (*work)(void*) noexcept = nullptr;
  void* argument = nullptr;
};

constexpr std::size_t kBytes = std::size_t{256} << 10;

// makecontext() hands on nothing wider than an int.
void enter(unsigned high, unsigned low) {
  const auto address = std::uintptr_t{high} << 32 | low;
  Visit& visit = *reinterpret_cast<Visit*>(address);  // NOLINT(performance-no-int-to-ptr)
  visit.work(visit.argument);
}

}  // namespace

void call_on_other_stack(void (*work)(void*) noexcept, void* argument) noexcept {
  std::byte* const memory = map_metadata(kBytes);
  if (memory == nullptr) die_of("there is no memory for a stack outside of all regions", ENOMEM);
  Visit& visit = *::new (static_cast<void*>(memory)) Visit;
  visit.work = work;
  visit.argument = argument;
  ::getcontext(&visit.there);
  visit.there.uc_stack.ss_sp = memory + sizeof(Visit);
  visit.there.uc_stack.ss_size = kBytes - sizeof(Visit);
  visit.there.uc_link = &visit.here;
  const auto address = reinterpret_cast<std::uintptr_t>(&visit);
  // NOLINTNEXTLINE(*-reinterpret-cast): the type is makecontext's
  ::makecontext(&visit.there, reinterpret_cast<void (*)()>(&enter), 2,
                static_cast<unsigned>(address >> 32), static_cast<unsigned>(address));
  ::swapcontext(&visit.here, &visit.there);
  unmap_metadata(memory, kBytes);
}

}  // namespace cow::os
