#include "soak/foreign_client.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cow/cow.hpp>
#include <cstdint>
#include <memory>
#include <system_error>

namespace soak {

namespace {

using Action = struct sigaction;

// For the handlers.
std::byte* g_pages = nullptr;
std::size_t g_page_bytes = 0;
std::size_t g_count = 0;
std::unique_ptr<std::atomic<std::uint64_t>[]> g_mended;
std::atomic<void (*)(int, siginfo_t*, void*)> g_replaced{nullptr};  // libcow's handler

// Installed before libcow's: gets what libcow hands on.
void on_foreign_fault(int signal, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const auto begin = reinterpret_cast<std::uintptr_t>(g_pages);
  if (address < begin || address >= begin + g_count * g_page_bytes) {
    ::signal(signal, SIG_DFL);  // a real one: it comes again, and ends the process
    return;
  }
  const std::size_t index = (address - begin) / g_page_bytes;
  g_mended[index].fetch_add(1, std::memory_order_relaxed);
  ::mprotect(g_pages + index * g_page_bytes, g_page_bytes, PROT_READ | PROT_WRITE);
}

// Installed after libcow's.
void on_any_fault(int signal, siginfo_t* info, void* context) {
  if (!cow::try_handle_fault(signal, info, context)) g_replaced.load()(signal, info, context);
}

}  // namespace

ForeignClient::ForeignClient(std::size_t workers) {
  g_page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  g_count = workers;
  g_mended = std::make_unique<std::atomic<std::uint64_t>[]>(workers);
  void* const pages = ::mmap(nullptr, workers * g_page_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  g_pages = static_cast<std::byte*>(pages);
  Action action{};
  action.sa_sigaction = &on_foreign_fault;
  action.sa_flags = SA_SIGINFO;
  sigfillset(&action.sa_mask);
  if (::sigaction(SIGSEGV, &action, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "sigaction");
  }
}

ForeignClient::~ForeignClient() { ::munmap(g_pages, g_count * g_page_bytes); }

std::string ForeignClient::fault(std::size_t worker, unsigned value) {
  std::byte* const page = g_pages + worker * g_page_bytes;
  // Where mappings are short the kernel may refuse to split one: then there is no fault.
  if (::mprotect(page, g_page_bytes, PROT_READ) != 0) return "";
  const std::uint64_t before = g_mended[worker].load();
  volatile std::byte* const byte = page + worker;
  *byte = static_cast<std::byte>(value);
  const std::uint64_t mended = g_mended[worker].load() - before;
  if (*byte != static_cast<std::byte>(value))
    return "a store to a page that is no region's is lost";
  if (mended == 1) return "";
  return "a fault that was not libcow's reached its handler " + std::to_string(mended) +
         " times instead of once";
}

bool ForeignClient::take_over() {
  if (!cow::owns_sigsegv()) return false;
  Action libcows{};
  if (::sigaction(SIGSEGV, nullptr, &libcows) != 0) return false;
  g_replaced = libcows.sa_sigaction;
  Action action{};
  action.sa_sigaction = &on_any_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  return ::sigaction(SIGSEGV, &action, nullptr) == 0;
}

}  // namespace soak
