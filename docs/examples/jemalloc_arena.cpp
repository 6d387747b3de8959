// An unmodified jemalloc with an arena in a region: everything that is allocated from that arena
// can be snapshotted. jemalloc asks its hooks for memory, and asks them to commit, purge and split
// it; the defaults call mprotect and madvise, which are not for regions, so the hooks refuse.

#include <jemalloc/jemalloc.h>

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// The region's memory, handed out from its beginning to its end. jemalloc calls the hooks of one
/// arena from any thread, but this program has one.
class RegionArena {
 public:
  explicit RegionArena(std::size_t bytes) : region_(cow::Region::create(bytes)) {
    hooks_.hooks = {.alloc = &allocate,
                    .dalloc = &refuse_to_take_back,
                    .destroy = nullptr,
                    .commit = &refuse,
                    .decommit = &refuse,
                    .purge_lazy = &refuse,
                    .purge_forced = &refuse,
                    .split = &allow_split,
                    .merge = &allow_merge};
    hooks_.arena = this;
    extent_hooks_t* hooks = &hooks_.hooks;
    std::size_t length = sizeof(index_);
    if (mallctl("arenas.create", &index_, &length, static_cast<void*>(&hooks), sizeof(hooks)) != 0)
      throw std::runtime_error("jemalloc made no arena");
  }
  RegionArena(const RegionArena&) = delete;
  RegionArena& operator=(const RegionArena&) = delete;

  [[nodiscard]] void* allocate_bytes(std::size_t bytes, int more_flags = 0) {
    return mallocx(bytes, flags() | more_flags);
  }
  void release(void* memory) { dallocx(memory, flags()); }
  /// Asks for all that is free to be purged now: the hooks are called.
  void purge() {
    const std::string name = "arena." + std::to_string(index_) + ".purge";
    if (mallctl(name.c_str(), nullptr, nullptr, nullptr, 0) != 0)
      throw std::runtime_error("jemalloc purged nothing");
  }
  [[nodiscard]] cow::Region& region() { return region_; }

 private:
  struct Hooks {
    extent_hooks_t hooks;  // the first member: jemalloc gives this back
    RegionArena* arena;
  };

  // A region is zeros until it is stored to, and needs no memory until then: so all of it counts as
  // committed and zeroed from the beginning.
  static void* allocate(extent_hooks_t* hooks, void* wanted, std::size_t bytes,
                        std::size_t alignment, bool* zero, bool* commit, unsigned) {
    RegionArena& arena = *reinterpret_cast<Hooks*>(hooks)->arena;
    if (wanted != nullptr) return nullptr;
    const auto begin = reinterpret_cast<std::uintptr_t>(arena.region_.data());
    const std::uintptr_t at = (begin + arena.used_ + alignment - 1) / alignment * alignment;
    if (at - begin > arena.region_.size() || bytes > arena.region_.size() - (at - begin))
      return nullptr;
    arena.used_ = at - begin + bytes;
    *zero = true;
    *commit = true;
    return arena.region_.data() + (at - begin);
  }
  // To these, "true" is no. jemalloc then keeps the memory, dirty as it is, for what comes next.
  static bool refuse_to_take_back(extent_hooks_t*, void*, std::size_t, bool, unsigned) {
    return true;
  }
  static bool refuse(extent_hooks_t*, void*, std::size_t, std::size_t, std::size_t, unsigned) {
    return true;
  }
  // Nothing has to be done for these.
  static bool allow_split(extent_hooks_t*, void*, std::size_t, std::size_t, std::size_t, bool,
                          unsigned) {
    return false;
  }
  static bool allow_merge(extent_hooks_t*, void*, std::size_t, void*, std::size_t, bool, unsigned) {
    return false;
  }

  [[nodiscard]] int flags() const { return MALLOCX_ARENA(index_) | MALLOCX_TCACHE_NONE; }

  cow::Region region_;
  std::size_t used_ = 0;
  Hooks hooks_{};
  unsigned index_ = 0;
};

struct Block {
  unsigned char* memory;
  std::size_t bytes;
};

std::vector<Block> blocks_of(RegionArena& arena, unsigned char value) {
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < 3000; ++i) {
    const std::size_t bytes = 16 + i * i % 60'000;
    auto* const memory = static_cast<unsigned char*>(arena.allocate_bytes(bytes));
    if (memory == nullptr) throw std::runtime_error("the region is full");
    std::fill_n(memory, bytes, value);
    blocks.push_back({memory, bytes});
  }
  return blocks;
}

bool shows(const unsigned char* memory, std::size_t bytes, unsigned char value) {
  return std::all_of(memory, memory + bytes, [&](unsigned char byte) { return byte == value; });
}

}  // namespace

int main() {
  try {
    RegionArena arena(std::size_t{1} << 30);
    const std::vector<Block> first = blocks_of(arena, 1);
    const cow::Snapshot past = arena.region().snapshot();
    for (const Block& block : first) arena.release(block.memory);
    arena.purge();
    const std::vector<Block> second = blocks_of(arena, 2);

    bool right = true;
    for (const Block& block : first) {
      const auto offset = reinterpret_cast<std::byte*>(block.memory) - arena.region().data();
      const auto* const then = reinterpret_cast<const unsigned char*>(past.bytes().data() + offset);
      right &= shows(then, block.bytes, 1);
    }
    for (const Block& block : second) right &= shows(block.memory, block.bytes, 2);
    for (const Block& block : second) arena.release(block.memory);
    arena.purge();
    constexpr std::size_t mib = std::size_t{1} << 20;
    const auto* const zeros = static_cast<unsigned char*>(arena.allocate_bytes(mib, MALLOCX_ZERO));
    right &= zeros != nullptr && shows(zeros, mib, 0);
    std::printf("%zu blocks freed and purged: the snapshot shows %s\n", first.size(),
                right ? "all of them as they were" : "something else");
    return right ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "jemalloc_arena: %s\n", error.what());
    return 1;
  }
}
