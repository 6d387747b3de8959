#include <signal.h>
#include <ucontext.h>

#include <cstddef>
#include <cstring>

#include "os/fault_signal.hpp"

namespace cow::os {

namespace {

// Where nothing says what was refused: pages of a region can always be read, so it was a store,
// unless it was the attempt to run an instruction there.
bool must_be_write(const FaultReport& report) noexcept {
  return report.is_protection && report.address != report.instruction_pointer;
}

#if defined(__x86_64__)

constexpr std::uint64_t kErrorWrite = 1U << 1;

void decode_registers(const ucontext_t& context, FaultReport& report) noexcept {
  const auto& registers = context.uc_mcontext.gregs;
  report.instruction_pointer = static_cast<std::uintptr_t>(registers[REG_RIP]);
  report.error_code = static_cast<std::uint64_t>(registers[REG_ERR]);
  // The processor's code has at least the bit for user code. Kernels of sandboxes (gVisor) leave 0.
  report.has_error_code = report.error_code != 0;
  report.is_write =
      report.has_error_code ? (report.error_code & kErrorWrite) != 0 : must_be_write(report);
}

// Bits 57 to 62 may carry a tag (Linear Address Masking); user addresses leave them 0 otherwise.
std::uintptr_t untagged(std::uintptr_t address) noexcept {
  return address & ~(std::uintptr_t{0x3F} << 57);
}

#elif defined(__aarch64__)

// The kernel appends records to the signal frame; one of them is the exception syndrome.
struct RecordHead {
  std::uint32_t magic;
  std::uint32_t size;
};
constexpr std::uint32_t kEsrMagic = 0x45535201;
constexpr std::uint64_t kEsrWriteNotRead = std::uint64_t{1} << 6;
constexpr std::uint64_t kEsrCacheMaintenance = std::uint64_t{1} << 8;

bool find_esr(const ucontext_t& context, std::uint64_t& esr) noexcept {
  const unsigned char* at = context.uc_mcontext.__reserved;
  const unsigned char* const end = at + sizeof(context.uc_mcontext.__reserved);
  RecordHead head{};
  while (static_cast<std::size_t>(end - at) >= sizeof(head) + sizeof(esr)) {
    std::memcpy(&head, at, sizeof(head));
    if (head.magic == kEsrMagic) {
      std::memcpy(&esr, at + sizeof(head), sizeof(esr));
      return true;
    }
    if (head.magic == 0 || head.size < sizeof(head)) return false;
    if (head.size > static_cast<std::size_t>(end - at)) return false;
    at += head.size;
  }
  return false;
}

void decode_registers(const ucontext_t& context, FaultReport& report) noexcept {
  report.instruction_pointer = context.uc_mcontext.pc;
  report.has_error_code = find_esr(context, report.error_code);
  // A cache maintenance instruction reports itself as a write although it reads. Older emulators
  // leave no record.
  report.is_write = report.has_error_code ? (report.error_code & kEsrWriteNotRead) != 0 &&
                                                (report.error_code & kEsrCacheMaintenance) == 0
                                          : must_be_write(report);
}

// The top byte is ignored by the hardware (TBI) and may carry a tag (MTE).
std::uintptr_t untagged(std::uintptr_t address) noexcept {
  return address & ~(std::uintptr_t{0xFF} << 56);
}

#endif

}  // namespace

FaultReport decode_fault(const void* siginfo, const void* context) noexcept {
  const auto& info = *static_cast<const siginfo_t*>(siginfo);
  FaultReport report;
  report.address = untagged(reinterpret_cast<std::uintptr_t>(info.si_addr));
  report.is_protection = info.si_signo == SIGSEGV && info.si_code == SEGV_ACCERR;
  decode_registers(*static_cast<const ucontext_t*>(context), report);
  return report;
}

}  // namespace cow::os
