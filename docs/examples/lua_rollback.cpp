// An unmodified Lua whose heap is a region: each script is stopped half-way, snapshotted, run to
// its end, rolled back, and run to its end again, with the same result.

#include <cstdio>
#include <exception>
#include <string>

#include "lua_heap.hpp"
#include "lua_scripts.hpp"

namespace {

/// Whether all three runs of the script's second half gave the same result.
bool run(const examples::NamedScript& named) {
  examples::LuaHeap heap(std::size_t{1} << 30);
  examples::LuaScript script(heap, named.source);
  const cow::ManagedSnapshot start = heap.snapshot();

  std::size_t steps = 0;
  while (script.step()) ++steps;
  const std::string result = script.text();

  heap.restore(start);
  for (std::size_t step = 0; step < steps / 2; ++step) script.step();
  const cow::ManagedSnapshot half_way = heap.snapshot();
  const std::string second = examples::run_to_end(script);
  heap.restore(half_way);
  const std::string third = examples::run_to_end(script);

  const bool same = result == second && result == third && !result.empty();
  std::printf("%.*s\n  %zu steps, %zu bytes of heap, a result of %zu bytes: %s\n",
              static_cast<int>(named.name.size()), named.name.data(), steps,
              heap.region().get_size() - heap.region().get_free_memory(), result.size(),
              same ? "the same after each rollback" : "NOT the same after a rollback");
  return same;
}

}  // namespace

int main() {
  try {
    bool all_same = true;
    for (const examples::NamedScript& script : examples::lua_scripts) all_same &= run(script);
    return all_same ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lua_rollback: %s\n", error.what());
    return 1;
  }
}
