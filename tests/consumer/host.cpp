// A program with a SIGSEGV handler of its own loads the plugin, uses it, and unloads it. A signal
// that is sent afterwards must still find its way: libcow's handler stands in front of the
// program's, so its code must not be gone with the plugin.
#include <dlfcn.h>
#include <signal.h>

#include <cstdio>

namespace {

volatile sig_atomic_t handled = 0;

void handle(int) { handled = 1; }

int fail(const char* what, const char* detail) {
  std::fprintf(stderr, "%s: %s\n", what, detail);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fail("usage", "consumer_host PLUGIN");
  ::signal(SIGSEGV, handle);
  void* const plugin = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return fail("dlopen", ::dlerror());
  using Function = int (*)();
  const auto use = reinterpret_cast<Function>(::dlsym(plugin, "use_a_region"));
  if (use == nullptr) return fail("dlsym", ::dlerror());
  if (use() != 0) return fail("plugin", "the region did not work");
  if (::dlclose(plugin) != 0) return fail("dlclose", ::dlerror());
  ::raise(SIGSEGV);
  if (handled == 0) return fail("raise", "the program's handler was not called");
  std::puts("the program's handler is called after the plugin is unloaded");
  return 0;
}
