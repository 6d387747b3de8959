#include "api/control_call.hpp"

#include <cerrno>
#include <new>
#include <system_error>

#include "api/fork.hpp"
#include "base/error.hpp"
#include "base/refusal.hpp"
#include "fault/dispatch.hpp"
#include "fault/registry.hpp"
#include "mm/control/discard.hpp"
#include "mm/fault/gathering.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/leaving.hpp"
#include "os/signal_mask.hpp"

namespace cow {

bool stack_is_in_a_region() noexcept {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const Registry::Reader reader(Registry::instance());
  return reader.find(here) != nullptr;
}

void check_stack() {
  if (!stack_is_in_a_region()) return;
  throw_misuse(
      "this thread's stack lies in a region; call snapshot, clone, restore and the like from "
      "another stack, since every store to this one may fault");
}

void begin_control_call() {
  check_stack();
  follow_forks();
  if (mapping_budget::needs_measuring()) mapping_budget::measure();
}

void begin_control_call(Family& family) {
  check_callable(family);
  bool has_surplus = false;
  {
    const Section section(family, Section::Intent::look);
    family.frames().check_files();
    family.frames().recycling().age();
    family.frames().limit().call();  // what no frame was taken for is noticed now
    has_surplus = family.frames().has_surplus();
  }
  begin_control_call();
  if (family.copy_on_write().stores_fault()) ensure_handler_installed();
  if (!has_surplus) return;
  const os::SignalsMasked signals;
  give_back_surplus(family);
}

namespace {

void wait_until_saved(Family& family, PageSpan pages) noexcept {
  PastLimit& past = family.past_limit();
  WaitingForSave waiting;
  waiting.who = WaitingForSave::Who::control_call;
  {
    const Section section(family, Section::Intent::look);
    if (!past.must_go_before(pages)) return;
    past.wait_for(pages, waiting);
  }
  waiting.sleep();
  past.note_waited(waiting);
}

// In pieces: stores wait meanwhile. What is saved stays so.
void let_saved_go(Family& family, PageSpan pages) noexcept {
  constexpr std::size_t kMostPages = 4 * kTableEntries;
  while (!pages.empty()) {
    const Section section(family);
    if (!family.past_limit().is_active()) return;
    pages.first = family.past_limit().let_saved_go(pages, kMostPages);
  }
}

}  // namespace

void let_backup_go_first(Family& family, PageSpan pages) {
  PastLimit& past = family.past_limit();
  if (!past.goes_on()) return;
  check_callable(family);
  wait_until_saved(family, pages);
  let_saved_go(family, pages);
}

void discard_after_backup(AddressSpace& space, PageSpan pages) {
  bool is_done = false;
  while (!is_done) {  // another backup may begin after the one that was waited for
    let_backup_go_first(space.family(), pages);
    is_done = retry_in_shortage([&] { return discard_pages(space, pages); });
  }
}

void check_callable(Family& family) {
  check_stack();
  check_present(family);
}

void check_present(const Family& family) {
  if (!family.is_abandoned()) return;
  throw_refused(family.abandoned_for(), "fork",
                "this process was forked when its regions could not be had; it cannot use those of "
                "its parent, only call exec or make new ones");
}

bool regions_gave_mappings(const std::exception& error) noexcept {
  const auto* const refusal = dynamic_cast<const std::system_error*>(&error);
  const bool is_for_memory = refusal != nullptr
                                 ? refusal->code() == std::errc::not_enough_memory
                                 : dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  if (!is_for_memory || !mapping_budget::is_used_up()) return false;
  {
    const os::SignalsMasked signals;
    mapping_budget::note_exhausted();
  }
  FamilyList::instance().for_each([](Family& family) {
    const Section section(family);
    if (!family.is_abandoned()) bring_together(family);
  });
  mapping_budget::measure();
  return true;
}

void check_files(Family& family) {
  const Section section(
      family, Section::Intent::look);  // a fork on another thread makes room for more files
  family.frames().check_files();
}

}  // namespace cow
