// A page fault, with no library at all: one page that may not be written, one store, one handler.
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace {

struct Fault {
  void* address;
  int code;
  unsigned long instruction, error_code;
} volatile last;
volatile sig_atomic_t faults = 0;
char* page = nullptr;
std::size_t page_bytes = 0;

void on_fault(int, siginfo_t* info, void* context) {
  const auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  last.address = info->si_addr;
  last.code = info->si_code;
#if defined(__x86_64__)
  last.instruction = static_cast<unsigned long>(machine.gregs[REG_RIP]);
  last.error_code = static_cast<unsigned long>(machine.gregs[REG_ERR]);
#else
  last.instruction = machine.pc;  // what the processor said is in a record behind it: see the text
#endif
  faults = faults + 1;
  if (last.address < page || last.address >= page + page_bytes) ::_exit(2);  // not our page
  ::mprotect(page, page_bytes, PROT_READ | PROT_WRITE);
}

}  // namespace

int main() {
  page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* where = ::mmap(nullptr, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (where == MAP_FAILED) return 1;
  page = static_cast<char*>(where);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGSEGV, &action, nullptr) != 0) return 1;

  auto* victim = static_cast<volatile char*>(page) + 100;
  static_cast<void>(*victim);  // a load: the page is there from now on
  *victim = 'x';               // refused, then run again
  *victim = 'y';               // an ordinary store
  std::printf("store to         %p\nrefused at       %p, by the instruction at %#lx\n",
              static_cast<void*>(page + 100), last.address, last.instruction);
  std::printf("si_code          %d (%s)\nerror code       %#lx\n", last.code,
              last.code == SEGV_ACCERR ? "SEGV_ACCERR" : "SEGV_MAPERR", last.error_code);
  std::printf("two stores       %d fault, and the page has '%c'\n", static_cast<int>(faults),
              *victim);
  return faults == 1 && *victim == 'y' && last.address == page + 100 ? 0 : 1;
}
