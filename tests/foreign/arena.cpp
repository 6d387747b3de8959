#include "arena.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

namespace foreign {

namespace {

// Low, where neither a loaded program nor a sanitizer's shadow memory is.
constexpr std::uintptr_t arena_begin = 0x4000'0000;
constexpr std::size_t wanted_stack_bytes = std::size_t{1} << 20;

int g_file = -1;

std::size_t offset_of(Place place) { return static_cast<std::size_t>(place) * page_bytes(); }
std::size_t arena_bytes() { return offset_of(Place::stack) + stack_bytes(); }

}  // namespace

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t stack_bytes() { return wanted_stack_bytes; }  // a multiple of every page size

std::byte* address_of(Place place) {
  return reinterpret_cast<std::byte*>(arena_begin + offset_of(place));
}

bool make_arena() {
  void* const wanted = reinterpret_cast<void*>(arena_begin);
  void* const begin = ::mmap(wanted, arena_bytes(), PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (begin != wanted) {
    std::printf("the arena's addresses are taken\n");
    return false;
  }
  g_file = ::memfd_create("foreign", MFD_CLOEXEC);
  set_file_pages(1);
  void* const file = ::mmap(address_of(Place::file), 2 * page_bytes(), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_FIXED, g_file, 0);
  if (file == MAP_FAILED) {
    std::printf("the file could not be mapped\n");
    return false;
  }
  protect(Place::none, PROT_NONE);
  protect(Place::read_only, PROT_READ);
  protect(Place::guard, PROT_NONE);
  return true;
}

void protect(Place place, int protection) {
  ::mprotect(address_of(place), page_bytes(), protection);
}

void set_file_pages(std::size_t pages) {
  if (::ftruncate(g_file, static_cast<off_t>(pages * page_bytes())) != 0) ::_exit(90);
}

AddressName name_of(const void* address) {
  constexpr std::uintptr_t lowest_mapping = 1 << 16;
  constexpr std::uintptr_t highest_mapping = std::uintptr_t{1} << 47;
  AddressName name{};
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto guard = reinterpret_cast<std::uintptr_t>(address_of(Place::guard));
  if (at - guard < page_bytes()) {
    // How much of a page the last call needs is the compiler's business.
    std::snprintf(name.text, sizeof(name.text), "guard page");
  } else if (at - arena_begin < arena_bytes()) {
    std::snprintf(name.text, sizeof(name.text), "arena+0x%zx", at - arena_begin);
  } else if (at < lowest_mapping || at >= highest_mapping) {
    std::snprintf(name.text, sizeof(name.text), "0x%zx", at);
  } else {
    std::snprintf(name.text, sizeof(name.text), "elsewhere");
  }
  return name;
}

}  // namespace foreign
