// Faults: the CPU refuses an instruction.

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>

#include "arena.hpp"
#include "kinds.hpp"

namespace foreign {

namespace {

// ---- One instruction each: in assembly, so that no sanitizer looks at the address first ---------

void store_to(std::uintptr_t address) {
#if defined(__x86_64__)
  asm volatile("movb $1, (%0)" ::"r"(address) : "memory");
#elif defined(__aarch64__)
  asm volatile("strb wzr, [%0]" ::"r"(address) : "memory");
#endif
}

void load_from(std::uintptr_t address) {
#if defined(__x86_64__)
  asm volatile("movb (%0), %%al" ::"r"(address) : "rax", "memory");
#elif defined(__aarch64__)
  asm volatile("ldrb w9, [%0]" ::"r"(address) : "x9", "memory");
#endif
}

std::uintptr_t number_of(Place place) {
  return reinterpret_cast<std::uintptr_t>(address_of(place));
}

__attribute__((noinline, no_sanitize("undefined"))) void jump_to(std::uintptr_t address) {
  using Function = void (*)();
  volatile Function function = reinterpret_cast<Function>(address);
  function();
}

// Offsets in Place::code.
constexpr std::uintptr_t privileged_at = 0;
constexpr std::uintptr_t undefined_at = 64;

#if defined(__x86_64__)
constexpr unsigned char privileged_code[] = {0xF4};       // hlt
constexpr unsigned char undefined_code[] = {0x0F, 0x0B};  // ud2
constexpr unsigned char return_code[] = {0xC3};           // ret
#elif defined(__aarch64__)
constexpr unsigned char privileged_code[] = {0xDF, 0x42, 0x03, 0xD5};  // msr daifset, #2
constexpr unsigned char undefined_code[] = {0, 0, 0, 0};               // udf #0
constexpr unsigned char return_code[] = {0xC0, 0x03, 0x5F, 0xD6};      // ret
#endif

// ---- The kinds ----------------------------------------------------------------------------------

void store_to_null() { store_to(0); }
void load_from_null() { load_from(0); }
void jump_to_null() { jump_to(0); }
void store_to_kernel() { store_to(0xFFFF'8880'0000'0000); }

void store_to_none() { store_to(number_of(Place::none) + 9); }
void load_from_none() { load_from(number_of(Place::none) + 9); }
void mend_none() { protect(Place::none, PROT_READ | PROT_WRITE); }
void spoil_none() { protect(Place::none, PROT_NONE); }

void store_to_read_only() { store_to(number_of(Place::read_only) + 17); }
void mend_read_only() { protect(Place::read_only, PROT_READ | PROT_WRITE); }
void spoil_read_only() { protect(Place::read_only, PROT_READ); }

void run_data() { jump_to(number_of(Place::data)); }
void mend_data() { protect(Place::data, PROT_READ | PROT_EXEC); }
void spoil_data() { protect(Place::data, PROT_READ | PROT_WRITE); }

void load_past_end_of_file() { load_from(number_of(Place::past_file) + 5); }
void mend_file() { set_file_pages(2); }
void spoil_file() { set_file_pages(1); }

void run_privileged() { jump_to(number_of(Place::code) + privileged_at); }
void run_undefined() { jump_to(number_of(Place::code) + undefined_at); }

#if defined(__x86_64__)
// Both are general-protection faults: the kernel knows no address and says SI_KERNEL.
void store_to_non_canonical() { store_to(0x8000'0000'0000'0000); }
void load_misaligned_vector() {
  asm volatile("movaps (%0), %%xmm0" ::"r"(number_of(Place::data) + 1) : "xmm0", "memory");
}
#endif

void store_with_sigsegv_blocked() {
  sigset_t segv;
  ::sigemptyset(&segv);
  ::sigaddset(&segv, SIGSEGV);
  ::sigprocmask(SIG_BLOCK, &segv, nullptr);
  store_to(0);
}

// What crash handlers do when they have written their report.
void take_default_action() { ::signal(SIGSEGV, SIG_DFL); }
void take_default_action_and_raise() {
  ::signal(SIGSEGV, SIG_DFL);
  ::raise(SIGSEGV);
}
void raise_again() { ::raise(SIGSEGV); }

// ---- A stack that overflows ---------------------------------------------------------------------

volatile unsigned g_depth = 0;

__attribute__((noinline)) unsigned recurse(unsigned depth) {
  volatile unsigned char frame[512];
  frame[depth % sizeof(frame)] = static_cast<unsigned char>(depth);
  g_depth = depth;
  const unsigned deeper = depth == ~0U ? 0 : recurse(depth + 1);
  return deeper + frame[depth % sizeof(frame)];
}

void* overflow(void* /*nothing*/) {
  set_alternate_stack(disposition_now());
  attempt([] { recurse(0); });
  return nullptr;
}

void overflow_stack() {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstack(&attributes, address_of(Place::stack), stack_bytes());
  pthread_t thread{};
  if (::pthread_create(&thread, &attributes, &overflow, nullptr) != 0)
    say("no thread");
  else
    ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&attributes);
}

constexpr auto jump = Reaction::jump;
constexpr auto mend = Reaction::mend;
constexpr auto carry_on = Reaction::carry_on;

constexpr Kind kinds[] = {
    {"null_store", jump, store_to_null},
    {"null_load", jump, load_from_null},
    {"null_jump", jump, jump_to_null},
    {"kernel_store", jump, store_to_kernel},
    {"none_load", mend, load_from_none, mend_none, spoil_none},
    {"none_store", mend, store_to_none, mend_none, spoil_none},
    {"none_store_left_by_jump", jump, store_to_none},
    {"read_only_store", mend, store_to_read_only, mend_read_only, spoil_read_only},
    {"no_exec_jump", mend, run_data, mend_data, spoil_data},
    {"past_end_of_file", mend, load_past_end_of_file, mend_file, spoil_file},
    {"privileged_instruction", jump, run_privileged},
    {"undefined_instruction", jump, run_undefined},
#if defined(__x86_64__)
    {"non_canonical_store", jump, store_to_non_canonical},
    {"misaligned_vector_load", jump, load_misaligned_vector},
#endif
    {"stack_overflow", jump, overflow_stack},
    {"fault_while_blocked", jump, store_with_sigsegv_blocked},
    {"fault_in_handler", jump, store_to_null, nullptr, nullptr, store_to_null},
    {"raise_in_handler", mend, store_to_none, mend_none, spoil_none, raise_again},
    {"default_in_handler", carry_on, store_to_null, nullptr, nullptr, take_default_action},
    {"default_and_raise_in_handler", carry_on, store_to_null, nullptr, nullptr,
     take_default_action_and_raise},
};

}  // namespace

std::span<const Kind> fault_kinds() { return kinds; }

void place_instructions() {
  std::byte* const code = address_of(Place::code);
  std::memcpy(code + privileged_at, privileged_code, sizeof(privileged_code));
  std::memcpy(code + undefined_at, undefined_code, sizeof(undefined_code));
  std::memcpy(address_of(Place::data), return_code, sizeof(return_code));
  for (const Place place : {Place::code, Place::data}) {
    auto* const begin = reinterpret_cast<char*>(address_of(place));
    __builtin___clear_cache(begin, begin + page_bytes());
  }
  protect(Place::code, PROT_READ | PROT_EXEC);
}

}  // namespace foreign
