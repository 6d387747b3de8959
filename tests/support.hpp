// What the tests have in common: regions, sizes and seeds from the environment, known contents,
// /proc/self/maps, and children that report in words.
//
//   COW_MECHANISM     who copies (see include/cow/options.hpp): kernel, with the tests '~[handler]'
//   COW_TEST_GRANULE  bytes of one page of every region (unset: the host's page)
//   COW_TEST_SCALE    multiplies the work of the long tests, fractions allowed (unset: 1)
//   COW_TEST_SHARE    multiplies it once more: for a run beside the one that does the work
//   COW_TEST_SEED     repeats a run whose failure printed this seed (unset: a new one)
//   COW_TEST_ALONE    set where no test runs in another process: allows what all would notice
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace support {

// ---- Choices of this run ------------------------------------------------------------------------

/// Options for the regions of every test.
cow::RegionOptions options();

/// The same with windows off: one fault takes exactly the page that was stored to.
cow::RegionOptions single_page_options();

/// Whether regions that did not ask for a mechanism get Mechanism::kernel (COW_MECHANISM). A test
/// that is about the other one has the tag [handler].
bool kernel_copies();
/// Whether pages are the host's own: the kernel copies no larger ones. Says so if not.
bool has_host_pages();
/// Of Mechanism::kernel, whatever the environment says.
cow::Region kernel_region(std::size_t pages);
/// Whether that can be had here. Says so if not.
bool kernel_can_be_had();

/// Where the kernel copies: gives frames to what was stored to, as the next control call would. For
/// tests that count frames.
void settle(const cow::Region& region);

/// Where the kernel copies: lets this process, which has changed its user, see its own page table.
void stay_readable();

/// Bytes in one page of a region that was made with these options.
std::size_t page_bytes();

/// How many copies of 4 KiB, the unit of docs/windows.md, it takes to copy a page.
double copies_of_a_page();

/// The most pages of a window that goes on with a run of stores: 256 KiB.
std::size_t longest_window();

/// `n` times COW_TEST_SCALE and COW_TEST_SHARE, at least 1.
std::size_t scaled(std::size_t n);

/// The size for the tests that want 1 GiB: less when COW_TEST_SCALE is below 1 or when `copies`
/// times the size is more than the memory available. A whole number of pages.
std::size_t large_region_bytes(std::size_t copies);

/// The seed of this run. Show it with CAPTURE(seed) wherever it is used.
std::uint64_t seed();

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t word() { return engine_(); }
  /// 0 … n-1; n > 0.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
  /// first … last, both included.
  std::size_t between(std::size_t first, std::size_t last) {
    return first + below(last - first + 1);
  }
  /// True once in n times.
  bool one_in(std::size_t n) { return below(n) == 0; }
  /// 0 … n-1 in random order.
  std::vector<std::size_t> permutation(std::size_t n);

 private:
  std::mt19937_64 engine_;
};

// ---- Contents -----------------------------------------------------------------------------------

/// Fills `bytes` with a pattern in which no two words are alike.
void fill(std::span<std::byte> bytes, std::uint64_t pattern);

/// A region of so many pages, filled so.
cow::Region filled(std::size_t pages, std::uint64_t pattern,
                   const cow::RegionOptions& with = options());

/// So many bytes, filled so.
std::vector<std::byte> filled_bytes(std::size_t count, std::uint64_t pattern);

/// True if `bytes` are what fill() with the same pattern wrote.
bool shows(std::span<const std::byte> bytes, std::uint64_t pattern);

bool all_zero(std::span<const std::byte> bytes);

std::vector<std::byte> plain_copy(std::span<const std::byte> bytes);

bool same_bytes(std::span<const std::byte> left, std::span<const std::byte> right);

/// Empty if both are alike, else a sentence with the place of the first difference.
std::string difference(std::span<const std::byte> expected, std::span<const std::byte> seen);

/// Stores one byte to `page`; the rest of the page is left alone.
void store(cow::Region& region, std::size_t page, unsigned value, std::size_t offset = 0);

/// Stores another value than the one that is there.
void flip(cow::Region& region, std::size_t page, std::size_t offset = 0);

/// The byte at `offset` in `page`.
unsigned load(std::span<const std::byte> bytes, std::size_t page, std::size_t offset = 0);

/// The 64-bit word at `offset` bytes into `page`, for std::atomic_ref.
std::uint64_t& word_at(cow::Region& region, std::size_t page, std::size_t offset = 0);

/// The same in the bytes of a snapshot or of a region nobody stores to.
std::uint64_t read_word(std::span<const std::byte> bytes, std::size_t offset);

/// Release order for stores that may fault. ThreadSanitizer makes a release store with its own
/// locks held, which it needs again in an instrumented fault handler: there, the order that needs
/// none.
#if defined(__SANITIZE_THREAD__)
#define COW_TEST_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COW_TEST_THREAD_SANITIZER 1
#endif
#endif
#if defined(COW_TEST_THREAD_SANITIZER)
inline constexpr std::memory_order release_order = std::memory_order_relaxed;
#else
inline constexpr std::memory_order release_order = std::memory_order_release;
#endif

// ---- State --------------------------------------------------------------------------------------

/// Empty if the region's page tables, frames and counters agree with each other, else a sentence.
std::string broken_invariant(const cow::Region& region);

/// One line of /proc/self/maps.
struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool writable = false;
};

/// The lines of /proc/self/maps that show any of the `length` bytes at `begin`.
std::vector<Mapping> mappings(const void* begin, std::size_t length);

std::size_t count_mappings(const cow::Region& region);
std::size_t count_mappings(std::span<const std::byte> bytes);

/// All lines of /proc/self/maps but the heap's, which the C library makes and splits as it likes.
std::size_t count_process_mappings();

/// vm.max_map_count of this machine.
std::size_t max_map_count();

/// Whether an emulator runs this program: ARM64 on another machine. Some kernel facilities are
/// missing there, or work otherwise.
bool is_emulated();

/// True if `what` is long enough to tell a caller what went wrong.
bool is_sentence(const std::string& what);

// ---- Child processes ----------------------------------------------------------------------------

/// One end of a line between a parent and a child. Both calls return false once the other is gone.
class Peer {
 public:
  explicit Peer(int descriptor) : descriptor_(descriptor) {}
  bool say() const;
  bool hear() const;

 private:
  int descriptor_;
};

struct ChildResult {
  int wait_status = 0;
  std::string complaint;  ///< what the body returned or threw; empty when it was content

  [[nodiscard]] bool exited() const;
  [[nodiscard]] bool died_of(int signal) const;
};

/// A forked child that runs `body` and exits. The body returns a complaint, empty if it has none;
/// it must not use Catch's macros, which belong to the parent.
class ForkedChild {
 public:
  explicit ForkedChild(const std::function<std::string(Peer&)>& body);
  ~ForkedChild();
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;

  Peer& peer() { return peer_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Waits for the child to end.
  ChildResult wait();

 private:
  pid_t pid_ = -1;
  int line_ = -1;
  int report_ = -1;
  Peer peer_{-1};
};

/// Calls `condition` again and again until it is true; false if it is not within a minute. For what
/// the kernel does in its own time: whoever reads a file below /proc/PID keeps the memory of that
/// process, a monitor for instance, also when it has ended and was waited for.
bool eventually(const std::function<bool()>& condition);

/// Runs `body` in a child from start to end.
ChildResult run_in_child(const std::function<std::string()>& body);

/// For a child that is meant to die: no core file, and whatever handler a framework installed for
/// SIGSEGV is taken out from behind libcow's.
void die_silently_of_faults();

}  // namespace support
