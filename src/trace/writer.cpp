#include "trace/writer.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "cow/version.hpp"
#include "os/host.hpp"
#include "os/lock.hpp"
#include "os/named_file.hpp"
#include "os/process.hpp"
#include "os/signal_mask.hpp"
#include "os/thread.hpp"

namespace cow::trace {

std::atomic<std::uint64_t> g_current{0};

namespace {

std::atomic<std::uint64_t> g_begun{0};    // traces so far
std::atomic<bool> g_is_taken{false};      // by a trace that is on, or about to be
std::atomic<Header*> g_header{nullptr};   // of the trace that is on
std::uint64_t g_capacity = 0;             // of that: not what somebody may store to the file
std::atomic<std::uint64_t> g_writing{0};  // events that are being written

std::size_t file_bytes(std::uint64_t capacity) {
  constexpr std::uint64_t kMost =
      (std::numeric_limits<std::size_t>::max() / 2 - kHeaderBytes) / sizeof(Event);
  if (capacity == 0 || capacity > kMost) {
    throw_invalid_argument("a trace has room for " + std::to_string(capacity) +
                           " events; give it 1 to " + std::to_string(kMost));
  }
  return os::whole_pages(kHeaderBytes + capacity * sizeof(Event));
}

Event* events_of(Header* header) noexcept {
  return reinterpret_cast<Event*>(reinterpret_cast<std::byte*>(header) + kHeaderBytes);
}

// The end of a text that is too long says most; it is zero-terminated.
template <std::size_t kSize>
void put(std::array<char, kSize>& to, std::string_view text) noexcept {
  if (text.size() >= kSize) text.remove_prefix(text.size() - (kSize - 1));
  std::copy(text.begin(), text.end(), to.begin());
}

void fill(Header& header, std::uint64_t capacity) {
  header.magic = kMagic;
  header.version = kVersion;
  header.header_bytes = kHeaderBytes;
  header.event_bytes = sizeof(Event);
  header.page_bytes = static_cast<std::uint32_t>(os::page_bytes());
  header.capacity = capacity;
  header.started_ns = os::monotonic_ns();
  header.started_utc_ns = os::realtime_ns();
  header.pid = os::process_id();
  header.architecture = os::architecture();
  put(header.kernel, os::kernel_release());
  put(header.program, os::program_path());
  put(header.library, COW_VERSION_STRING);
}

Header* make_file(const std::filesystem::path& path, std::uint64_t capacity) {
  const std::size_t bytes = file_bytes(capacity);
  os::ReplacementFile file(path);
  std::byte* const mapped = file.allocate_and_map(bytes);
  auto* const header = reinterpret_cast<Header*>(mapped);
  try {
    fill(*header, capacity);
    file.commit();
  } catch (...) {
    os::unmap_shared(mapped, bytes);
    throw;
  }
  return header;
}

}  // namespace

std::uint64_t begin(const std::filesystem::path& file, std::uint64_t capacity) {
  if (g_is_taken.exchange(true)) {
    throw_misuse("a trace is on already, and a process can write one at a time: end that one "
                 "first, or unset "
                 "COW_TRACE if it was begun by the environment");
  }
  try {
    Header* const header = make_file(file, capacity);
    g_capacity = capacity;
    g_header.store(header);
  } catch (...) {
    g_is_taken.store(false);
    throw;
  }
  const std::uint64_t number = g_begun.fetch_add(1) + 1;
  g_current.store(number);
  return number;
}

void end(std::uint64_t number) noexcept {
  if (number == 0 || !g_current.compare_exchange_strong(number, 0)) return;
  Header* const header = g_header.exchange(nullptr);
  while (g_writing.load() > 0) os::rest();
  os::unmap_shared(reinterpret_cast<std::byte*>(header), file_bytes(g_capacity));
  g_is_taken.store(false);
}

Counts counts(std::uint64_t number) noexcept {
  // A signal's handler may fork(), and its child could not know of what is interrupted here.
  const os::SignalsMasked no_signal;
  g_writing.fetch_add(1);
  Counts counts;
  if (Header* const header = g_header.load(); header != nullptr && number == current()) {
    const std::uint64_t claimed = std::atomic_ref(header->claimed).load(std::memory_order_relaxed);
    counts.events = std::min(claimed, g_capacity);
    counts.lost = claimed - counts.events;
  }
  g_writing.fetch_sub(1);
  return counts;
}

void forget_other_threads() noexcept {
  g_writing.store(0);
  if (current() != 0) return;
  g_header.store(nullptr);  // one of them was beginning or ending a trace
  g_is_taken.store(false);
}

NewEvent::NewEvent(EventKind kind) noexcept {
  g_writing.fetch_add(1);  // before the look: end() waits for whoever sees the mapping
  Header* const header = g_header.load();
  if (header == nullptr) return;
  number_ = std::atomic_ref(header->claimed).fetch_add(1, std::memory_order_relaxed) + 1;
  if (number_ - 1 >= g_capacity) return;  // also where somebody has stored to the file
  event_ = events_of(header) + (number_ - 1);
  event_->time_ns = os::monotonic_ns();
  event_->pid = os::process_id();
  event_->tid = os::thread_id();
  event_->kind = kind;
}

NewEvent::~NewEvent() {
  if (event_ != nullptr) std::atomic_ref(event_->number).store(number_, std::memory_order_release);
  g_writing.fetch_sub(1);
}

}  // namespace cow::trace
