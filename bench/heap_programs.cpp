#include "heap_programs.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <list>
#include <memory>
#include <memory_resource>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifdef COW_BENCH_HAS_LUA
#include <lua.hpp>
#endif
#ifdef COW_BENCH_HAS_SQLITE
#include <sqlite3.h>
#endif

namespace cow_bench {
namespace {

using Tick = std::function<void()>;

/// A heap in one piece of memory, its own books in it, too.
struct Heap {
  explicit Heap(std::span<std::byte> memory)
      : pieces(memory.data(), memory.size(), std::pmr::null_memory_resource()), pool(&pieces) {}

  std::pmr::monotonic_buffer_resource pieces;
  std::pmr::unsynchronized_pool_resource pool;
};

#ifdef COW_BENCH_HAS_LUA

// A few megabytes of small objects that live long, garbage at every step, and a collector that
// marks them all again and again.
constexpr const char* lua_source = R"lua(
  local live, next_slot = {}, 1
  for i = 1, 12000 do live[i] = {id = i, name = "object " .. i, links = {i, i + 1}} end
  function step()
    for i = 1, 40 do
      next_slot = next_slot * 1103515245 % 12000 + 1
      local old = live[next_slot]
      live[next_slot] = {id = old.id + 1, name = old.name:sub(1, 8) .. i, links = {old.id, i}}
    end
  end
)lua";

void* lua_allocate(void* heap, void* old, std::size_t old_bytes, std::size_t bytes) {
  auto& pool = static_cast<Heap*>(heap)->pool;
  void* made = nullptr;
  if (bytes > 0) {
    made = pool.allocate(bytes);
    if (old != nullptr) std::memcpy(made, old, std::min(old_bytes, bytes));
  }
  if (old != nullptr) pool.deallocate(old, old_bytes);
  return made;
}

double run_lua(std::span<std::byte> memory, const Tick& tick) {
  Heap heap(memory);
  lua_State* const lua = lua_newstate(&lua_allocate, &heap);
  if (lua == nullptr) throw std::bad_alloc();
  luaL_openlibs(lua);
  if (luaL_dostring(lua, lua_source) != LUA_OK) throw std::runtime_error(lua_tostring(lua, -1));
  const std::uint64_t start = now_ns();
  for (std::size_t i = 0; i < full_or_quick<std::size_t>(8000, 50); ++i) {
    lua_getglobal(lua, "step");
    lua_call(lua, 0, 0);
    tick();
  }
  return elapsed_ns(start);
}

#endif
#ifdef COW_BENCH_HAS_SQLITE

// SQLite asks for the size of a block: it stands before it.
constexpr std::size_t size_header_bytes = 16;
Heap* sqlite_heap = nullptr;

void* sqlite_allocate(int bytes) {
  const std::size_t all = static_cast<std::size_t>(bytes) + size_header_bytes;
  auto* const block = static_cast<std::byte*>(sqlite_heap->pool.allocate(all));
  std::memcpy(block, &bytes, sizeof bytes);
  return block + size_header_bytes;
}
int sqlite_size(void* block) {
  int bytes = 0;
  std::memcpy(&bytes, static_cast<std::byte*>(block) - size_header_bytes, sizeof bytes);
  return bytes;
}
void sqlite_free(void* block) {
  if (block == nullptr) return;
  const std::size_t all = static_cast<std::size_t>(sqlite_size(block)) + size_header_bytes;
  sqlite_heap->pool.deallocate(static_cast<std::byte*>(block) - size_header_bytes, all);
}
void* sqlite_reallocate(void* old, int bytes) {
  void* const made = sqlite_allocate(bytes);
  std::memcpy(made, old, static_cast<std::size_t>(std::min(bytes, sqlite_size(old))));
  sqlite_free(old);
  return made;
}

void must(int result) {
  if (result != SQLITE_OK && result != SQLITE_DONE && result != SQLITE_ROW) {
    throw std::runtime_error(std::string("SQLite: ") + sqlite3_errstr(result));
  }
}

double run_sqlite(std::span<std::byte> memory, const Tick& tick) {
  Heap heap(memory);
  sqlite_heap = &heap;
  const sqlite3_mem_methods methods = {&sqlite_allocate,
                                       &sqlite_free,
                                       &sqlite_reallocate,
                                       &sqlite_size,
                                       [](int bytes) { return (bytes + 7) / 8 * 8; },
                                       [](void*) { return SQLITE_OK; },
                                       [](void*) {},
                                       nullptr};
  must(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods));
  sqlite3* database = nullptr;
  must(sqlite3_open(":memory:", &database));
  must(
      sqlite3_exec(database,
                   "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, text TEXT);"
                   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000)"
                   "INSERT INTO t SELECT i, i, 'row number ' || i FROM c;",
                   nullptr, nullptr, nullptr));
  sqlite3_stmt* update = nullptr;
  must(sqlite3_prepare_v2(database, "UPDATE t SET n = n + 1, text = 'changed ' || n WHERE id = ?",
                          -1, &update, nullptr));
  std::minstd_rand random(1);
  const std::uint64_t start = now_ns();
  for (std::size_t i = 0; i < full_or_quick<std::size_t>(120000, 500); ++i) {
    // Most of the work in a twentieth of the rows, as in a database that is used.
    const auto range = i % 10 == 0 ? 20000U : 1000U;
    must(sqlite3_bind_int(update, 1, static_cast<int>(random() % range + 1)));
    must(sqlite3_step(update));
    must(sqlite3_reset(update));
    tick();
  }
  return elapsed_ns(start);
}

#endif

// Each of four threads adds to and takes from a list of its own; all of them share the pool.
double run_pool(std::span<std::byte> memory, const Tick& tick) {
  std::pmr::monotonic_buffer_resource pieces(memory.data(), memory.size(),
                                             std::pmr::null_memory_resource());
  std::pmr::synchronized_pool_resource pool(&pieces);
  std::atomic<int> working{4};
  const auto work = [&](unsigned seed) {
    std::minstd_rand random(seed);
    std::pmr::vector<std::pmr::string> strings(2000, &pool);
    for (std::size_t i = 0; i < full_or_quick<std::size_t>(1500000, 5000); ++i) {
      std::pmr::string& one = strings[random() % strings.size()];
      one = std::pmr::string(20 + random() % 200, static_cast<char>('a' + i % 26), &pool);
    }
    working.fetch_sub(1);
  };
  const std::uint64_t start = now_ns();
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) threads.emplace_back(work, i + 1);
  while (working.load() > 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    tick();
  }
  for (std::thread& thread : threads) thread.join();
  return elapsed_ns(start);
}

}  // namespace

std::vector<HeapProgram> heap_programs() {
  return {
#ifdef COW_BENCH_HAS_LUA
      {"Lua", false, run_lua},
#endif
#ifdef COW_BENCH_HAS_SQLITE
      {"SQLite", false, run_sqlite},
#endif
      {"a std::pmr pool, four threads", true, run_pool},
  };
}

}  // namespace cow_bench
