#include "mm/watch/stored_pages.hpp"

#include "os/host.hpp"

namespace cow {

PageSpan StoredPages::next() noexcept {
  while (next_ == count_ && error_ == 0 && rest_.begin < rest_.end) look_on();
  return next_ < count_ ? space_.pages_of(stored_[next_++]) : PageSpan{};
}

void StoredPages::look_on() noexcept {
  std::array<os::AddressRun, kRuns> unarmed;
  // No more pages than there is room for if each of them is a run of its own.
  const auto then =
      then_ == Then::arm_again ? os::WriteWatch::Then::arm_again : os::WriteWatch::Then::leave;
  const os::WriteWatch::Found found = space_.watched().look(rest_, unarmed, kRuns, then);
  error_ = found.error;
  rest_.begin = found.end;
  next_ = count_ = 0;
  const auto is_known = [&](os::AddressRun run) {
    return space_.watched().are_known_copies(space_.pages_of(run));
  };
  for (std::size_t i = 0; i < found.runs;) {
    if (is_known(unarmed[i])) {
      push(unarmed[i++]);
      continue;
    }
    std::size_t end = i + 1;
    while (end < found.runs && !is_known(unarmed[end])) ++end;
    ask_for_copies(std::span(unarmed).subspan(i, end - i));
    i = end;
  }
}

// One by one, as a call costs as much as looking at some nine pages.
void StoredPages::ask_for_copies(std::span<const os::AddressRun> unarmed) noexcept {
  for (const os::AddressRun run : unarmed) {
    std::array<os::AddressRun, kRuns> copies;
    os::WriteWatch::Found found;
    if (error_ == 0) found = space_.watched().find_copies(run, copies);
    for (std::size_t i = 0; i < found.runs; ++i) {
      if (found.in_memory) space_.watched().note_copies(space_.pages_of(copies[i]));
      push(copies[i]);
    }
    // What only its bytes can tell for a copy.
    if (!found.in_memory) space_.watched().set_may_be_clean(true);
    // To arm a part of a huge page splits it.
    const bool is_sure = found.error == 0 && found.in_memory && error_ == 0 &&
                         space_.family().huge_pages().bytes == 0;
    if (is_sure && then_ == Then::leave_stored) {
      arm_all_but(std::span(copies).first(found.runs), run);
    }
    if (found.error != 0) error_ = found.error;
    if (error_ != 0) leave(space_.pages_of(run));
  }
}

// The next look is not to meet them again.
void StoredPages::arm_all_but(std::span<const os::AddressRun> copies,
                              os::AddressRun within) noexcept {
  const auto arm = [&](os::AddressRun loaded) {
    if (loaded.begin < loaded.end) space_.watched().arm(space_.pages_of(loaded));
  };
  for (const os::AddressRun copy : copies) {
    arm({within.begin, copy.begin});
    within.begin = copy.end;
  }
  arm(within);
}

void StoredPages::push(os::AddressRun run) noexcept {
  if (count_ > 0 && stored_[count_ - 1].end == run.begin) {
    stored_[count_ - 1].end = run.end;
  } else {
    stored_[count_++] = run;
  }
}

void StoredPages::leave(PageSpan span) noexcept {
  if (!span.empty() && then_ == Then::arm_again) space_.watched().disarm(span);
}

void StoredPages::leave_rest(PageSpan also) noexcept {
  leave(also);
  while (next_ < count_) leave(space_.pages_of(stored_[next_++]));
  rest_.begin = rest_.end;
}

}  // namespace cow
