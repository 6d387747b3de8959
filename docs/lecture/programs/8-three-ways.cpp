// The same stores beside somebody who shares the pages, in three ways: who handles the faults?
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cow/cow.hpp>
#include <cstdio>
#include <cstring>
#include <exception>
#include <span>
#include <vector>

namespace {

constexpr std::size_t stored_to = 1000;

long kernel_faults() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_minflt : -1;
}

void store(const char* way, std::span<std::byte> bytes, std::size_t page) {
  const long kernel = kernel_faults();
  const std::size_t handler = cow::process_stats().faults;
  for (std::size_t i = 0; i < stored_to; ++i) bytes[2 * i * page] = std::byte{2};
  const long by_kernel = kernel_faults() - kernel;
  std::printf("%-8s  %8ld  %8zu\n", way, by_kernel, cow::process_stats().faults - handler);
}

void with_library(const char* way, cow::Mechanism mechanism, std::size_t page) try {
  cow::RegionOptions options;
  options.max_window_pages = 1;
  options.mechanism = mechanism;
  cow::Region a = cow::Region::create(2 * stored_to * page, options);
  std::memset(a.data(), 1, a.size());
  cow::Region b = a.clone();
  store(way, b.bytes(), page);
} catch (const std::exception& error) {
  std::printf("%-8s  not here: %s\n", way, error.what());
}

}  // namespace

int main() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<std::byte> memory(2 * stored_to * page, std::byte{1});
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // the child has nothing of it to say again
  std::printf("way         kernel   libcow  (faults of %zu stores)\n", stored_to);
  const pid_t child = ::fork();
  if (child == 0) {
    store("fork", memory, page);
    ::_exit(memory[0] == std::byte{2} ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  with_library("handler", cow::Mechanism::handler, page);
  with_library("kernel", cow::Mechanism::kernel, page);
  return status == 0 && memory[0] == std::byte{1} ? 0 : 1;
}
