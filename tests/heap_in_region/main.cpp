// A program whose operator new takes all memory from a region, as an allocator of its own would. It
// snapshots, clones, restores, leases and forks that region; whatever the library keeps must not be
// in there. Ends with 0, or with a sentence.

#include <sys/wait.h>
#include <unistd.h>

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>

namespace {

constexpr std::size_t heap_bytes = std::size_t{64} << 20;
constinit std::byte* g_heap = nullptr;  // null: not yet
constinit std::size_t g_used = 0;
constinit std::size_t g_allocations = 0;

void* allocate(std::size_t bytes) {
  if (g_heap == nullptr) return std::malloc(bytes);
  ++g_allocations;
  std::byte* const memory = g_heap + g_used;
  g_used += (bytes + 15) / 16 * 16;
  if (g_used > heap_bytes) std::abort();
  return memory;
}

void release(void* memory) noexcept {
  const auto* const at = static_cast<std::byte*>(memory);
  if (g_heap == nullptr || at < g_heap || at >= g_heap + heap_bytes) std::free(memory);
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "heap_in_region: %s\n", what);
  std::_Exit(1);
}

void expect(bool right, const char* what) {
  if (!right) fail(what);
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { release(memory); }

namespace {

/// Every page of the heap is protected from now on, so that a store to it faults.
void snapshots_and_clones(cow::Region& region) {
  auto* const word = new int(1);
  std::optional<cow::Snapshot> first = region.snapshot();
  *word = 2;
  const cow::Snapshot second = region.snapshot();
  (void)first->bytes();
  expect(!cow::diff(*first, second).empty(), "diff saw nothing");
  for (int round = 0; round < 20; ++round) {
    std::optional<cow::Region> clone = region.clone();
    const cow::Region eager = clone->clone(cow::CloneMode::eager);
    const cow::Snapshot of_clone = clone->snapshot();
    const cow::WriteLease lease = clone->write_lease(1 << 20, 1 << 16);
    const cow::Region again = cow::Region::from_snapshot(of_clone);
    cow::Region other = cow::Region::create(1 << 20);
    other.bytes()[0] = std::byte{1};
    (void)other.snapshot(cow::SnapshotMode::quiescent);
    *word = round;
    (void)region.stats();
    (void)cow::process_stats();
    clone.reset();
    cow::trim();
  }
  expect(*word == 19, "a store is lost");
}

/// What the library was asked for after the snapshot is not rolled back with the heap.
void rollbacks(cow::Region& region) {
  const cow::Snapshot start = region.snapshot();
  const std::size_t used = g_used;
  for (int round = 0; round < 20; ++round) {
    std::optional<cow::Snapshot> later = region.snapshot();
    std::optional<cow::Region> made = cow::Region::create(1 << 20);
    made->bytes()[5] = std::byte{7};
    auto* const words = new std::string(1000, 'x');
    expect(words->size() == 1000, "a string is wrong");
    region.restore(start);
    g_used = used;
    expect(made->bytes()[5] == std::byte{7}, "another region was rolled back");
    later.reset();
    made.reset();
  }
}

void forks(cow::Region& region) {
  auto* const word = new int(1);
  for (int round = 0; round < 5; ++round) {
    const cow::Snapshot before = region.snapshot();
    const pid_t child = ::fork();
    if (child == 0) {
      *word = 100;
      const cow::Snapshot of_child = region.snapshot();
      ::_exit(*word == 100 ? 0 : 1);
    }
    int status = 1;
    expect(::waitpid(child, &status, 0) == child && status == 0, "a child failed");
    *word = round;
  }
}

}  // namespace

int main() {
  // The program's region itself is made before its heap moves there, and never destroyed.
  static cow::Region region = cow::Region::create(heap_bytes);
  g_heap = region.data();
  (void)*new int(1);
  snapshots_and_clones(region);
  rollbacks(region);
  forks(region);
  expect(g_allocations > 0, "nothing was allocated");
  std::_Exit(0);
}
