// Complexity: what each way needs, what no longer works with it, and how long the code is.

#include <cow/cow.hpp>

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <system_error>

#include "../kernel_counts.hpp"
#include "../measured.hpp"
#include "claims.hpp"
#include "family.hpp"

namespace claims {

namespace {

namespace fs = std::filesystem;

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

bool has_handler() {
  struct sigaction action {};
  ::sigaction(SIGSEGV, nullptr, &action);
  return action.sa_handler != SIG_DFL;
}

/// Whether the kernel can store there: read(2) from a pipe.
bool read_works(std::byte* to) {
  std::array<int, 2> ends{};
  examples::claim(::pipe(ends.data()) == 0 && ::write(ends[1], "x", 1) == 1, "a pipe takes a byte");
  const ssize_t count = ::read(ends[0], to, 1);
  examples::claim(count == 1 || errno == EFAULT, "read(2) works, or fails with EFAULT");
  ::close(ends[0]);
  ::close(ends[1]);
  return count == 1;
}

/// Whether a thread that blocks SIGSEGV can store there; a child tries.
bool blocked_store_works(std::byte* to) {
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    sigset_t blocked{};
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGSEGV);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    *static_cast<volatile std::byte*>(to) = std::byte{1};
    std::_Exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status);
}

enum Need : std::size_t { handlers, descriptors, books, reads, blocked_stores };

std::vector<double> needs_of(Way way, std::size_t bytes) {
  std::size_t before = open_descriptors();
  const auto found = [&before](std::byte* memory, std::size_t own_books) -> std::vector<double> {
    const auto opened = static_cast<double>(open_descriptors() - before);
    const double handler = has_handler() ? 1 : 0;
    const bool stores = blocked_store_works(memory + 8 * examples::page_size());
    return {handler, opened, static_cast<double>(own_books),
            read_works(memory + 16 * examples::page_size()) ? 1.0 : 0.0, stores ? 1.0 : 0.0};
  };
  if (way == Way::fork || way == Way::copy) {
    std::vector<std::byte> memory(bytes, std::byte{1});
    if (way == Way::fork) {
      return in_process([&] {
        before = open_descriptors();
        return found(memory.data(), 0);
      });
    }
    std::vector<std::byte> copy = memory;
    return found(copy.data(), 0);
  }
  const auto mechanism = way == Way::handler ? cow::Mechanism::handler : cow::Mechanism::kernel;
  cow::Region original = cow::Region::create(bytes, {.mechanism = mechanism});
  store_to(original.data(), {.first = 0, .step = 1, .count = bytes / examples::page_size()});
  cow::Region clone = original.clone();
  return found(clone.data(), cow::process_stats().bytes_metadata);
}

// ---- Mappings run out ---------------------------------------------------------------------------

/// Takes mappings until the process may have about `left` more.
void take_mappings(std::size_t most, std::size_t left) {
  const std::size_t page = examples::page_size();
  auto* const first = static_cast<std::byte*>(
      ::mmap(nullptr, most * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  examples::claim(first != MAP_FAILED, "addresses can be set aside");
  for (std::size_t i = 1; i + left < most; i += 2) {
    if (::mprotect(first + i * page, page, PROT_READ) != 0) break;
  }
}

void show_mappings_run_out(bool quick) {
  std::size_t most = 0;
  std::ifstream("/proc/sys/vm/max_map_count") >> most;
  if (most < 10'000 || most > 200'000) {
    print_text("vm.max_map_count is " + std::to_string(most) +
               " here: to run out of mappings is "
               "not tried.");
    return;
  }
  const std::size_t pages = quick ? 4096 : 16384;
  const std::vector<double> found = in_process([&]() -> std::vector<double> {
    take_mappings(most, pages / 4);
    const std::size_t bytes = pages * examples::page_size();
    const auto all = family(Way::handler, bytes, {.max_window_pages = 1});
    all->share();
    const std::size_t before = all->memory_bytes();
    all->store(0, {.first = 0, .step = 2, .count = pages / 2});
    return {static_cast<double>(all->mappings(0)),
            static_cast<double>(all->memory_bytes() - before) /
                static_cast<double>(examples::page_size())};
  });
  examples::claim(found[0] < static_cast<double>(pages) / 4,
                  "libcow does with the mappings there are");
  print_text("Mappings: a process may have " + std::to_string(most) +
             " (vm.max_map_count). Where " + "others have taken all but " +
             std::to_string(pages / 4) + ", " + std::to_string(pages / 2) +
             " stores, one to every second page, want " + std::to_string(pages) +
             ". All go well; the clone has " + std::to_string(static_cast<std::size_t>(found[0])) +
             " mappings, and " + std::to_string(static_cast<std::size_t>(found[1])) +
             " pages were copied: memory is what breaks, not the store.");
}

// ---- The code -----------------------------------------------------------------------------------

/// Lines that are neither empty nor a comment, of sources whose path begins so.
std::size_t code_lines(std::initializer_list<const char*> beginnings) {
  std::size_t lines = 0;
  for (const char* const beginning : beginnings) {
    const std::string first = std::string(COW_SOURCES) + "/" + beginning;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(first).parent_path())) {
      const fs::path& file = entry.path();
      if (file.extension() != ".cpp" && file.extension() != ".hpp") continue;
      if (!file.string().starts_with(first)) continue;
      std::ifstream text(file);
      for (std::string line; std::getline(text, line);) {
        const std::size_t begin = line.find_first_not_of(" \t");
        if (begin != std::string::npos && line.compare(begin, 2, "//") != 0) ++lines;
      }
    }
  }
  return lines;
}

void show_code() {
  if (!fs::exists(fs::path(COW_SOURCES) / "src")) {
    print_text("The sources that this was built from are gone: no lines are counted.");
    return;
  }
  std::printf("Lines of C++, without comments and empty lines\n");
  const auto row = [](const char* what, std::size_t lines) {
    examples::claim(lines > 0, std::string("there are lines of ") + what);
    std::printf("  %-56s%8zu\n", what, lines);
    return lines;
  };
  const std::size_t idea =
      row("the idea alone: the lab's solution", code_lines({"docs/lab/solution/"}));
  row("what only the handler needs", code_lines({"src/mm/fault/", "src/fault/", "src/os/fault_"}));
  row("what only the kernel's mechanism needs",
      code_lines({"src/mm/watch/", "src/os/write_watch"}));
  const std::size_t library = row(
      "the library",
      code_lines({"src/api/", "src/base/", "src/fault/", "src/mm/", "src/os/", "include/cow/"}));
  row("its tests", code_lines({"tests/"}));
  examples::claim(library > 10 * idea, "what surrounds the idea is longer than the idea");
}

}  // namespace

void complexity(bool quick) {
  const std::size_t bytes = quick ? 4 * mib : 16 * mib;
  const Figures found = of_every_way([bytes](Way way) { return needs_of(way, bytes); });
  std::printf("Complexity: an original of %zu MiB and one sharer\n\n", bytes / mib);
  print_head("what it needs");
  print_row("  handlers of SIGSEGV", found, handlers, "%.0f");
  print_row("  open descriptors", found, descriptors, "%.0f");
  print_row("  libcow's own tables, KiB", found, books, "%.1f", kib);
  print_head("what works in a shared page");
  print_row("  read(2) into it, 1: it works", found, reads, "%.0f");
  print_row("  a store, SIGSEGV blocked", found, blocked_stores, "%.0f");
  std::printf("\n");
  show_code();
  std::printf("\n");
  show_mappings_run_out(quick);
  const auto works = [&](Way way) {
    return figure(found, way, reads) == 1 && figure(found, way, blocked_stores) == 1;
  };
  examples::claim(figure(found, Way::handler, handlers) == 1 && !works(Way::handler),
                  "the handler is a handler of SIGSEGV, and something no longer works");
  examples::claim(works(Way::fork) && works(Way::copy), "with fork() and copies everything works");
  if (kernel_is_missing().empty()) {
    examples::claim(figure(found, Way::kernel, handlers) == 0 && works(Way::kernel),
                    "where the kernel copies there is no handler, and everything works");
  }
  std::printf("\n");
  print_text("It holds: the handler takes a signal, and the kernel's own stores need a lease "
             "(read(2) fails with EFAULT, a store with SIGSEGV blocked ends the process). Where "
             "the kernel copies neither is so, from Linux 6.7 on.");
}

}  // namespace claims
