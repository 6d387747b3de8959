#include "api/backup_state.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <utility>

#include "api/control_call.hpp"
#include "base/error.hpp"
#include "mm/control/clone.hpp"
#include "mm/control/past_reader.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/leaving.hpp"
#include "os/host.hpp"
#include "os/last_words.hpp"
#include "os/process.hpp"

namespace cow::detail {

BackupState::BackupState(std::shared_ptr<Family> family, BackupOptions options)
    : family_(std::move(family)),
      options_(std::move(options)),
      books_(kBackupLists * bytes_of_list(family_->pages())),
      kept_(family_->store()) {
  os::take_small_pages(books_.begin(), books_.bytes());
  const Section section(*family_);
  family_->ensure_reserve({.tables = 1});
  family_->reserve().tables += 1;
  family_->add(kept_);
}

BackupState::~BackupState() {
  cancel();
  thread_.join();
  // What the parent's thread has at work is not for its child to end: it would remove the file.
  if (has_begun_ && !thread_.is_here()) static_cast<void>(target_.release());
  leave();
}

bool BackupState::is_limited() const noexcept {
  return options_.most_extra_bytes != std::numeric_limits<std::size_t>::max();
}

void BackupState::begin(AddressSpace& source, std::unique_ptr<BackupTarget> target) {
  if (is_limited() && !family_->copy_on_write().stores_fault()) {
    throw_invalid_argument(
        "Region::backup: BackupOptions::most_extra_bytes cannot be kept in a family with "
        "Mechanism::kernel, where the kernel copies what is stored to and asks nobody; leave it as "
        "it is, or create the region with Mechanism::handler");
  }
  target_ = std::move(target);
  descriptor_ = target_->descriptor();
  has_descriptor_.store(true);
  const std::size_t each = bytes_of_list(family_->pages());
  const auto list = [&](std::size_t i) {
    return SparseBits(books_.begin() + i * each, family_->pages().value);
  };
  bool is_alone = false;
  {
    const Section section(*family_);
    need_ = need_of(source, target_->most_bytes_taken(leaves_with_data(source)));
    is_alone = family_->past_limit().is_free();
    if (is_alone && options_.most_extra_bytes >= need_.least) {
      family_->past_limit().begin(family_->store(), kept_.table, *this, {list(0), list(1), list(2)},
                                  is_limited(), family_->copy_on_write().spares_sole_owners());
    }
  }
  if (!is_alone) {
    throw_system_error(EBUSY, "backup",
                       "another backup of this region or of a relative goes on, and a family has "
                       "one at a time; wait for it or cancel it");
  }
  if (options_.most_extra_bytes < need_.least) refuse_limit();
}

void BackupState::refuse_limit() const {
  const bool is_reserved = family_->frames().backing() == Backing::reserved;
  throw_invalid_argument(
      "Region::backup: a limit of " + std::to_string(options_.most_extra_bytes) +
      " bytes is too low for this region; it takes at least " + std::to_string(need_.least) +
      (is_reserved ? ", as a region with reserve_frames reserves a frame for each page"
       : need_.leased > 0
           ? ", of which " + std::to_string(need_.leased) + " are leased pages, which are copied"
           : ", of which " + std::to_string(need_.books) + " are for lists and page tables"));
}

// Region::grow holds the lock, too: what it was followed by is not in an image of the size before.
void BackupState::cut(RegionState& source) {
  const std::uint64_t begun_ns = os::monotonic_ns();
  bool has_leases = false;
  const std::uint64_t touched =
      take_snapshot(source.space(), kept_.table, HotPolicy::share, nullptr, [&] {
        has_leases = !source.space().leases().empty();
        size_bytes_ = source.size_bytes();
        pages_ = family_->geometry().pages_for(size_bytes_);
        family_->past_limit().clip(pages_);
      });
  const std::uint64_t took_ns = os::monotonic_ns() - begun_ns;
  report_.cut = std::chrono::nanoseconds(took_ns);
  if (!has_leases) family_->copy_on_write().costs().snapshot.note(touched, took_ns);
}

void BackupState::take_stock(AddressSpace& source) {
  target_->set_size(size_bytes_);
  {
    const Section section(*family_);
    // As it is now: pages were stored to, and leased, since begin() looked.
    need_ = need_of(source, target_->most_bytes_taken(leaves_with_data(source)));
    PastLimit& past = family_->past_limit();
    for (const PageSpan span : source.leases()) past.charge_copied(span);
    if (options_.most_extra_bytes >= need_.least) {
      if (is_limited()) past.set_most((options_.most_extra_bytes - need_.books) / need_.page);
      return;
    }
  }
  refuse_limit();
}

void BackupState::start(std::uint64_t begun_ns) {
  begun_ns_ = begun_ns;
  has_begun_ = true;
  thread_.start([this] { run(); });
}

void BackupState::run() noexcept {
  family_->past_limit().set_saver(os::thread_id());
  try {
    save_all();
    end();
    check_cancelled();
    target_->finish();
    tell_progress(pages_.value);
    check_cancelled();
    target_->commit();
    report_.pages = target_->pages_written();
    report_.bytes_written = target_->bytes_written();
    const std::uint64_t took_ns = os::monotonic_ns() - begun_ns_;
    report_.duration = std::chrono::nanoseconds(took_ns);
    if (!target_->has_reader()) {
      family_->copy_on_write().costs().backup.note(report_.pages, took_ns);
    }
  } catch (...) {
    failure_ = std::current_exception();
    end();
  }
  target_.reset();
  has_descriptor_.store(false);  // not before: a child that is forked meanwhile closes its own
  leave();
  is_done_.store(true);
}

// Whoever reads a pipe waits for all who can write to it. The rest is the parent's.
void BackupState::forget_in_child() noexcept {
  if (has_descriptor_.exchange(false)) descriptor_.close_if_intact();
}

void BackupState::save_all() {
  PastReader reader(*family_, kept_.table);
  while (!reader.is_complete()) {
    check_cancelled();
    const std::span<const PageIndex> pages = reader.next();
    if (!pages.empty()) target_->write(pages, reader.bytes());
    tell_progress(std::min(family_->past_limit().pages_done(), pages_.value));
  }
}

// No store waits any more.
void BackupState::end() noexcept {
  PastLimit& past = family_->past_limit();
  {
    const Section section(*family_);
    past.end(kept_.table);
  }
  past.wait_for_sleepers();
  const WaitTimes& times = past.wait_times();
  const auto ns = [](std::uint64_t count) { return std::chrono::nanoseconds(count); };
  report_.waits = {times.count(), ns(times.percentile_ns(50)), ns(times.percentile_ns(99)),
                   ns(times.most_ns()), ns(times.total_ns())};
  report_.peak_extra_bytes = extra_bytes(past.most_pages_charged());
}

// Memory comes back; at once after a failure.
void BackupState::leave() noexcept {
  if (has_left_) return;
  const os::SignalsMasked signals;
  std::uint64_t recycled_before = 0;
  {
    // In one hold: a child that another thread forks has the table with all that it references, or
    // it has none, and then this says so.
    const Hold hold(*family_);
    family_->past_limit().end(kept_.table);
    recycled_before = family_->past_limit().recycled_before();
    family_->past_limit().make_free(kept_.table);
    family_->reserve().tables -= 1;
    family_->begin_leaving(kept_);
    has_left_ = true;
  }
  give_up(*family_, kept_);
  if (has_begun_ && thread_.is_here()) give_back_recycled_beyond(*family_, recycled_before);
}

// A child that the function forked has this thread alone, in the middle of what is the parent's.
bool BackupState::call_progress() const {
  struct EndOfChild {
    const os::OwnThread& thread;
    ~EndOfChild() {
      if (thread.is_here()) return;
      os::die_of("BackupOptions::progress has forked and came back in the child, where there is no "
                 "backup; call exec or _exit in the child",
                 ECHILD);
    }
  } const end{thread_};
  return options_.progress(progress());
}

void BackupState::tell_progress(std::uint64_t pages_done) {
  pages_done_.store(pages_done);
  bytes_written_.store(target_->bytes_written());
  if (!options_.progress || call_progress()) return;
  end();
  throw_system_error(ECANCELED, "backup",
                     "the progress function returned false, so nothing was saved");
}

void BackupState::check_cancelled() {
  if (!is_cancelled_.load()) return;
  end();  // whoever waits goes on before anything else is done
  throw_system_error(ECANCELED, "backup", "it was cancelled, so nothing was saved");
}

std::size_t BackupState::extra_bytes(std::uint64_t pages_kept) const noexcept {
  return need_.books + std::max(pages_kept, need_.reserved.value) * need_.page;
}

BackupProgress BackupState::progress() const noexcept {
  return {pages_done_.load(), pages_.value, bytes_written_.load(),
          is_done_.load() ? 0 : extra_bytes(family_->past_limit().pages_charged())};
}

BackupReport BackupState::wait() {
  if (!thread_.is_here()) {
    throw_system_error(ESRCH, "backup",
                       "this process was forked while the backup went on, which is the parent's; "
                       "wait for it there");
  }
  if (thread_.is_caller()) {
    throw_system_error(EDEADLK, "backup",
                       "its own progress function would wait for the backup's end, which waits for "
                       "the function; return from it, false to cancel");
  }
  thread_.join();
  if (failure_) std::rethrow_exception(failure_);
  return report_;
}

}  // namespace cow::detail
