#include "mm/fault/fault_trace.hpp"

#include "mm/tables/table_trace.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

std::uint32_t part(std::uint64_t from_ns, std::uint64_t to_ns) noexcept {
  constexpr std::uint64_t kMost = ~std::uint32_t{0};
  return static_cast<std::uint32_t>(to_ns < from_ns ? 0 : std::min(to_ns - from_ns, kMost));
}

// Steps that were not taken have no time: who comes second finds the page writable.
void fill_times(trace::Event& event, const FaultSteps& steps) noexcept {
  event.locate_ns = part(steps.cause.entered_ns, steps.located_ns);
  const bool copied = steps.copied_ns != 0;
  if (copied) {
    const bool apart = steps.allocated_ns != 0;
    event.allocate_ns = apart ? part(steps.located_ns, steps.allocated_ns) : 0;
    event.copy_ns = part(apart ? steps.allocated_ns : steps.located_ns, steps.copied_ns);
  }
  event.map_ns = part(copied ? steps.copied_ns : steps.located_ns, steps.mapped_ns);
  event.whole_ns = steps.mapped_ns - steps.cause.entered_ns;
}

// Not inlined: see attempt() in write_fault.cpp.
[[gnu::noinline]] void tell(const AddressSpace& space, PageIndex page,
                            const FaultSteps& steps) noexcept {
  const trace::NewEvent made(trace::EventKind::fault);
  trace::Event* const event = made.get();
  if (event == nullptr) return;
  event->family = space.table().store().trace_number;
  event->space = space.table().trace_mark().number;
  event->first_page = page.value;
  event->page_count = steps.pages_taken;
  event->pages_copied = steps.pages_copied;
  event->address = steps.cause.address;
  event->instruction_pointer = steps.cause.instruction_pointer;
  event->error_code = steps.cause.error_code;
  event->writable_after = space.writable_pages();
  fill_times(*event, steps);
}

}  // namespace

void FaultTrace::begin(const AddressSpace& space, PageIndex page) noexcept {
  if (steps_ == nullptr) return;
  steps_->before = look_at(space, page);
  steps_->located_ns = os::monotonic_ns();
}

void FaultTrace::note_allocated() noexcept {
  if (steps_ != nullptr) steps_->allocated_ns = os::monotonic_ns();
}

void FaultTrace::note_copied() noexcept {
  if (steps_ != nullptr) steps_->copied_ns = os::monotonic_ns();
}

void FaultTrace::note_pages(std::uint64_t taken, std::uint64_t copied) noexcept {
  if (steps_ == nullptr) return;
  steps_->pages_taken = taken;
  steps_->pages_copied = copied;
}

void FaultTrace::end(const AddressSpace& space, PageIndex page,
                     const FaultOutcome& outcome) noexcept {
  if (steps_ == nullptr) return;
  steps_->mapped_ns = os::monotonic_ns();
  steps_->after = look_at(space, page);
  if (outcome.error == 0 && is_told(space.table())) tell(space, page, *steps_);
}

PageLook look_at(const AddressSpace& space, PageIndex page) noexcept {
  const Entry entry = space.table().entry(page);
  const FrameStore& frames = space.family().frames();
  if (entry.is_zero_page()) return {PageKind::zero, 0};
  const std::uint64_t offset = frames.offset(entry.frame()).bytes;
  if (entry.writable()) return {PageKind::private_page, offset};
  const bool sole = space.table().owns_leaf(page) && frames.is_sole_owner(entry);
  return {sole ? PageKind::sole_owner : PageKind::shared, offset};
}

}  // namespace cow
