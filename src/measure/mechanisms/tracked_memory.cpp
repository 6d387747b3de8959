#include "measure/mechanisms/tracked_memory.hpp"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "measure/host/clock.hpp"

namespace cow::measure {

namespace {

static_assert(std::atomic<std::uint8_t>::is_always_lock_free);
static_assert(std::atomic<std::size_t>::is_always_lock_free);

#if defined(__SANITIZE_THREAD__)
#define COW_MEASURE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COW_MEASURE_THREAD_SANITIZER 1
#endif
#endif

#if defined(COW_MEASURE_THREAD_SANITIZER)
// That nobody stores to a page while it is protected is something that ThreadSanitizer cannot know.
__attribute__((no_sanitize("thread"))) void copy_page(std::byte* to, const std::byte* from,
                                                      std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    *reinterpret_cast<volatile std::uint64_t*>(to + at) =
        *reinterpret_cast<const volatile std::uint64_t*>(from + at);
  }
}
#else
void copy_page(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  std::memcpy(to, from, bytes);
}
#endif

}  // namespace

PageLog::PageLog(std::span<std::byte> bytes, std::size_t page_bytes)
    : bytes_(bytes),
      page_bytes_(page_bytes),
      pages_(bytes.size() / page_bytes),
      copies_(Mapping::anonymous(bytes.size())),
      states_(std::make_unique<std::atomic<std::uint8_t>[]>(pages_)),
      order_(std::make_unique<std::uint32_t[]>(pages_)) {
  store_to_every_page(copies_.bytes());
}

std::optional<std::size_t> PageLog::page_of(const void* address) const noexcept {
  const auto offset =
      reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(bytes_.data());
  if (offset >= bytes_.size()) return std::nullopt;
  return offset / page_bytes_;
}

bool PageLog::claim(std::size_t page) noexcept {
  std::uint8_t state = untouched;
  if (states_[page].compare_exchange_strong(state, being_saved, std::memory_order_acquire)) {
    return true;
  }
  do {
    ::sched_yield();
  } while (states_[page].load(std::memory_order_acquire) == being_saved);
  return false;
}

void PageLog::save(std::size_t page) noexcept {
  const std::size_t index = count_.fetch_add(1, std::memory_order_relaxed);
  copy_page(slot(index), address_of(page), page_bytes_);
  order_[index] = static_cast<std::uint32_t>(page);
  noted_.fetch_add(1, std::memory_order_release);
  states_[page].store(is_saved, std::memory_order_release);
}

std::span<const std::uint32_t> PageLog::saved_pages() const {
  return {order_.get(), noted_.load(std::memory_order_acquire)};
}

void PageLog::put_back() const {
  std::size_t index = 0;
  for (const std::uint32_t page : saved_pages()) {
    copy_page(address_of(page), slot(index++), page_bytes_);
  }
}

void PageLog::clear() {
  for (const std::uint32_t page : saved_pages()) {
    states_[page].store(untouched, std::memory_order_relaxed);
  }
  count_ = 0;
  noted_ = 0;
}

namespace {

std::size_t page_bytes_of(const MemoryOptions& options) {
  const std::size_t bytes = options.granule_bytes == 0 ? host_page_bytes() : options.granule_bytes;
  if (bytes % host_page_bytes() != 0 || options.bytes % bytes != 0) {
    throw std::invalid_argument("a tracker protects whole pages: the size is to be a multiple of "
                                "the granule, and that of the host's page");
  }
  return bytes;
}

}  // namespace

TrackedMemory::TrackedMemory(const MemoryOptions& options)
    : memory_(plain_memory({.bytes = options.bytes})),
      log_(memory_.bytes(), page_bytes_of(options)) {}

std::span<std::byte> TrackedMemory::span_of(TrackedRun run) const {
  return memory_.bytes().subspan(run.first_page * log_.page_bytes(),
                                 run.page_count * log_.page_bytes());
}

// Pages that nobody stored to are protected still. One call for all of them costs the walk over
// their entries; where few were stored to, one for each of these costs less.
void TrackedMemory::begin() {
  constexpr std::size_t pages_walked_for_a_call = 8;
  const auto stored_to = log_.saved_pages();
  if (must_protect_all_ || stored_to.size() * pages_walked_for_a_call > log_.pages()) {
    protect(memory_.bytes());
    must_protect_all_ = false;
  } else {
    for (const std::uint32_t page : stored_to) {
      protect(span_of({page, 1}));
    }
  }
  log_.clear();
  is_active_ = true;
}

// Nothing is opened: what is stored to later is opened then, without being saved.
void TrackedMemory::end() { is_active_ = false; }

void TrackedMemory::try_out(const std::function<void(std::span<std::byte>)>& stores) {
  begin();
  stores(bytes());
  log_.put_back();
  end();
}

std::optional<std::uint64_t> TrackedMemory::faults_answered() { return faults_; }

void TrackedMemory::save_and_note(std::size_t page, std::uint64_t entered_ns,
                                  NotedTimes& into) noexcept {
  const std::span<std::byte> bytes = span_of({page, 1});
  const std::uint64_t found_ns = now_ns();
  log_.save(page);
  const std::uint64_t saved_ns = now_ns();
  open_quietly(bytes);
  into.note({entered_ns, found_ns, saved_ns, now_ns()});
  let_go_on(bytes);
}

bool TrackedMemory::answer_store(const void* address) noexcept {
  NotedTimes* const times = times_.load(std::memory_order_relaxed);
  const std::uint64_t entered_ns = times == nullptr ? 0 : now_ns();
  const std::optional<std::size_t> page = log_.page_of(address);
  if (!page) return false;
  faults_.fetch_add(1, std::memory_order_relaxed);
  if (!is_active_) {
    must_protect_all_ = true;
    open(span_of({*page, 1}));
  } else if (log_.claim(*page)) {
    if (times != nullptr) {
      save_and_note(*page, entered_ns, *times);
      return true;
    }
    // Before the page is open: a thread that answers for others may be held up behind that, while
    // they are through with their stores, and the next begin() with the log.
    log_.save(*page);
    open(span_of({*page, 1}));
  }
  return true;
}

}  // namespace cow::measure
