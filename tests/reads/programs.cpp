// Unmodified Lua and SQLite whose heaps lie in a region that is snapshotted all the time: what they
// read from files must be what is in the files. CMake says which of them is installed.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "probe.hpp"
#include "region_heap.hpp"

#if defined(COW_TEST_LUA)
#include <lua.hpp>
#endif
#if defined(COW_TEST_SQLITE)
#include <sqlite3.h>
#endif

namespace {

constexpr std::size_t heap_bytes = std::size_t{512} << 20;
constexpr std::size_t period = 20;

#if defined(COW_TEST_LUA)

void* allocate_for_lua(void* of, void* old, std::size_t, std::size_t bytes) {
  auto& heap = *static_cast<RegionHeap*>(of);
  if (bytes > 0) return heap.reallocate(old, bytes);
  if (old != nullptr) heap.release(old);
  return nullptr;
}

/// Returns what it read otherwise than it is, in words, or an empty string.
constexpr const char* lua_reads = R"lua(
  local path, expected = ...
  local wrong = {}
  local function check(what, text, ...)
    if text ~= expected then
      wrong[#wrong + 1] = what .. ": " .. tostring(text and #text) .. " " .. tostring(...)
    end
  end
  for round = 1, 20 do
    local file = assert(io.open(path))
    check("all", file:read("a"))
    file:seek("set", 0)
    check("by number", file:read(#expected))
    file:seek("set", 0)
    local parts = {}
    for part in file:lines(50000) do parts[#parts + 1] = part end
    check("in parts", table.concat(parts))
    file:close()
    local lines = {}
    for line in io.lines(path) do lines[#lines + 1] = line end
    check("by lines", table.concat(lines, "\n"))
  end
  return table.concat(wrong, ", ")
)lua";

std::string lua_case() {
  RegionHeap heap(heap_bytes, period);
  lua_State* const lua = lua_newstate(&allocate_for_lua, &heap);
  luaL_openlibs(lua);
  std::string content(probe::file_bytes, ' ');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = probe::content(i);
  if (luaL_loadstring(lua, lua_reads) != LUA_OK) return lua_tostring(lua, -1);
  lua_pushstring(lua, probe::input_path().c_str());
  lua_pushlstring(lua, content.data(), content.size());
  static_cast<void>(lua_pcall(lua, 2, 1, 0));
  const char* const said = lua_tostring(lua, -1);
  if (said == nullptr) return "no answer";
  return *said == '\0' && heap.snapshots() < 20 ? "too few snapshots" : said;
}

#endif

#if defined(COW_TEST_SQLITE)

RegionHeap* sqlite_heap = nullptr;

/// SQLite takes all its memory, its cache of pages too, from the region.
void use_heap(RegionHeap& heap) {
  sqlite_heap = &heap;
  sqlite3_mem_methods methods{};
  methods.xMalloc = [](int bytes) {
    return sqlite_heap->allocate(static_cast<std::size_t>(bytes));
  };
  methods.xFree = [](void* memory) { sqlite_heap->release(memory); };
  methods.xRealloc = [](void* memory, int bytes) {
    return sqlite_heap->reallocate(memory, static_cast<std::size_t>(bytes));
  };
  methods.xSize = [](void* memory) { return static_cast<int>(sqlite_heap->room(memory)); };
  methods.xRoundup = [](int bytes) { return (bytes + 7) / 8 * 8; };
  methods.xInit = [](void*) { return SQLITE_OK; };
  methods.xShutdown = [](void*) {};
  sqlite3_shutdown();
  sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
  sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0);
}

/// The first column of the last row, or what went wrong.
std::string execute(sqlite3* database, const char* sql) {
  std::string last;
  const auto row = [](void* to, int, char** columns, char**) {
    *static_cast<std::string*>(to) = columns[0] != nullptr ? columns[0] : "";
    return 0;
  };
  char* error = nullptr;
  if (sqlite3_exec(database, sql, row, &last, &error) == SQLITE_OK) return last;
  last = std::string("SQLite: ") + (error != nullptr ? error : "an error");
  sqlite3_free(error);
  return last;
}

/// A database in a file, larger than its cache, with temporary files; and its answers.
std::vector<std::string> answers(const std::string& path) {
  std::remove(path.c_str());
  sqlite3* database = nullptr;
  std::vector<std::string> all;
  const auto ask = [&](const char* sql) { all.push_back(execute(database, sql)); };
  sqlite3_open(path.c_str(), &database);
  ask("PRAGMA temp_store = FILE; PRAGMA cache_size = 20; PRAGMA mmap_size = 0");
  ask("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); BEGIN;"
      "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
      " INSERT INTO t SELECT i, printf('%0300d', i * 7919 % 5001) FROM n; COMMIT");
  ask("CREATE INDEX by_b ON t(b)");
  sqlite3_close(database);
  sqlite3_open(path.c_str(), &database);
  ask("PRAGMA temp_store = FILE; PRAGMA cache_size = 20");
  ask("PRAGMA integrity_check");
  ask("SELECT sum(length(b)) || max(b) FROM t");
  ask("SELECT group_concat(a) FROM (SELECT a FROM t ORDER BY b || 'x' LIMIT 100 OFFSET 4000)");
  ask("SELECT count(*) FROM t x JOIN t y ON x.b = y.b");
  ask("CREATE TEMP TABLE u AS SELECT b, a FROM t ORDER BY b DESC; SELECT sum(a) FROM u");
  ask("VACUUM; PRAGMA quick_check");
  sqlite3_close(database);
  std::remove(path.c_str());
  return all;
}

std::string sqlite_case() {
  const std::string path = probe::input_path() + ".db";
  const std::vector<std::string> expected = answers(path);
  RegionHeap heap(heap_bytes, period);
  use_heap(heap);
  const std::vector<std::string> given = answers(path);
  sqlite3_shutdown();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (given[i] != expected[i])
      return given[i].substr(0, 60) + " for " + expected[i].substr(0, 60);
  }
  return heap.snapshots() < 100 ? "too few snapshots" : "";
}

#endif

}  // namespace

std::span<const probe::Case> probe::program_cases() {
  static const std::vector<Case> cases = {
#if defined(COW_TEST_LUA)
    {"Lua", lua_case},
#endif
#if defined(COW_TEST_SQLITE)
    {"SQLite", sqlite_case},
#endif
  };
  return cases;
}
