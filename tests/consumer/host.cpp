// A program with a SIGSEGV handler of its own loads plugins, uses them in turn, and unloads them. A
// signal that is sent afterwards must still find its way: libcow's handler stands in front of the
// program's, so its code must not be gone with the plugin.
#include <dlfcn.h>
#include <signal.h>

#include <cstdio>
#include <vector>

namespace {

volatile sig_atomic_t handled = 0;

void handle(int) { handled = 1; }

int fail(const char* what, const char* detail) {
  std::fprintf(stderr, "%s: %s\n", what, detail);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using Function = int (*)();
  std::vector<void*> plugins;
  std::vector<Function> uses;
  ::signal(SIGSEGV, handle);
  for (int i = 1; i < argc; ++i) {
    plugins.push_back(::dlopen(argv[i], RTLD_NOW | RTLD_LOCAL));
    if (plugins.back() == nullptr) return fail("dlopen", ::dlerror());
    uses.push_back(reinterpret_cast<Function>(::dlsym(plugins.back(), "use_a_region")));
    if (uses.back() == nullptr) return fail("dlsym", ::dlerror());
  }
  for (int round = 0; round < 10; ++round) {
    for (const Function use : uses) {
      if (use() != 0) return fail("plugin", "the region did not work");
    }
  }
  for (void* const plugin : plugins) {
    if (::dlclose(plugin) != 0) return fail("dlclose", ::dlerror());
  }
  ::raise(SIGSEGV);
  if (handled == 0) return fail("raise", "the program's handler was not called");
  std::puts("the program's handler is called after the plugins are unloaded");
  return 0;
}
