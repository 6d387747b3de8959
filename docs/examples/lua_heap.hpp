// A Lua 5.4 interpreter whose whole heap lives in a region: every table, string, closure and
// coroutine, the garbage collector's lists, the state of math.random. A snapshot of the region is a
// snapshot of the interpreter; restoring it takes the interpreter back, at the same addresses,
// which is what its raw pointers need. Lua itself is unmodified: it asks one function for memory,
// and that function is ours. A script that reads files (io.read) needs libcow-reads besides:
// without it the kernel's stores to this heap fail, or end short.
#pragma once

#include <cow/managed_region.hpp>
#include <lua.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace examples {

class LuaHeap {
 public:
  /// An interpreter with the standard libraries, in a region of at most `max_bytes`.
  explicit LuaHeap(std::size_t max_bytes, const cow::RegionOptions& options = {})
      : region_(cow::ManagedRegion::create(std::size_t{64} << 10, max_bytes, options)),
        resource_(region_),
        state_(lua_newstate(&LuaHeap::allocate, &resource_)) {
    if (state_ == nullptr) throw std::bad_alloc();
    luaL_openlibs(state_);
  }
  // No lua_close: the heap goes with the region, all at once.
  LuaHeap(const LuaHeap&) = delete;
  LuaHeap& operator=(const LuaHeap&) = delete;

  [[nodiscard]] lua_State* state() { return state_; }
  [[nodiscard]] cow::ManagedRegion& region() { return region_; }

  /// Only between calls into Lua: what is on the C stack is not part of the heap.
  [[nodiscard]] cow::ManagedSnapshot snapshot() const { return region_.snapshot(); }
  void restore(const cow::ManagedSnapshot& snapshot) { region_.restore(snapshot); }

 private:
  // Lua's contract: behave like realloc, and like free when nothing is wanted. It tells the size of
  // the old block, which std::pmr wants to know; without an old block it tells something else
  // there.
  static void* allocate(void* resource, void* old, std::size_t old_bytes, std::size_t bytes) {
    constexpr std::size_t alignment = alignof(std::max_align_t);
    auto& memory = *static_cast<cow::RegionResource*>(resource);
    void* made = nullptr;
    if (bytes > 0) {
      try {
        made = memory.allocate(bytes, alignment);
      } catch (const std::bad_alloc&) {
        return old != nullptr && bytes <= old_bytes ? old : nullptr;  // shrinking never fails
      }
      if (old != nullptr) std::memcpy(made, old, std::min(old_bytes, bytes));
    }
    if (old != nullptr) memory.deallocate(old, old_bytes, alignment);
    return made;
  }

  cow::ManagedRegion region_;
  cow::RegionResource resource_;  // Lua keeps its address
  lua_State* state_;
};

/// A script that is run a step at a time: it is a coroutine, and a step ends where it yields. Where
/// it stands is on the coroutine's stack, which is in the heap; this object only refers to it, so
/// it must end before the heap returns to a time at which the script did not exist.
class LuaScript {
 public:
  LuaScript(LuaHeap& heap, const char* source) : heap_(heap), source_(source) {
    lua_State* const lua = heap.state();
    lua_pushcfunction(lua, &LuaScript::load);
    lua_pushlightuserdata(lua, this);
    if (const int status = lua_pcall(lua, 1, 0, 0); status != LUA_OK) {
      const char* const message = lua_tostring(lua, -1);
      const std::string sentence = message != nullptr ? message : "an error without a message";
      lua_pop(lua, 1);
      fail(status, sentence);
    }
  }
  ~LuaScript() { luaL_unref(heap_.state(), LUA_REGISTRYINDEX, reference_); }
  LuaScript(const LuaScript&) = delete;
  LuaScript& operator=(const LuaScript&) = delete;

  /// Runs to the next yield. False when the script has ended: `text` is then what it returned.
  bool step() {
    int results = 0;
    const int status = lua_resume(thread_, heap_.state(), 0, &results);
    if (status == LUA_YIELD) {
      lua_pop(thread_, results);
      return true;
    }
    if (status != LUA_OK) fail(status, text());
    return false;
  }

  [[nodiscard]] std::string text() const {
    const char* const result = lua_tostring(thread_, -1);
    return result != nullptr ? result : "";
  }

 private:
  // Runs under lua_pcall, as anything that allocates: an error outside of it ends the process.
  static int load(lua_State* lua) {
    auto& script = *static_cast<LuaScript*>(lua_touserdata(lua, 1));
    script.thread_ = lua_newthread(lua);
    if (luaL_loadstring(script.thread_, script.source_) != LUA_OK) {
      lua_xmove(script.thread_, lua, 1);
      return lua_error(lua);
    }
    script.reference_ = luaL_ref(lua, LUA_REGISTRYINDEX);  // or the collector would take it
    return 0;
  }

  [[noreturn]] static void fail(int status, const std::string& sentence) {
    if (status == LUA_ERRMEM) throw std::bad_alloc();
    throw std::runtime_error(sentence);
  }

  LuaHeap& heap_;
  const char* source_;
  lua_State* thread_ = nullptr;
  int reference_ = LUA_NOREF;
};

/// Runs what is left of a script: its result.
inline std::string run_to_end(LuaScript& script) {
  while (script.step()) {
  }
  return script.text();
}

}  // namespace examples
