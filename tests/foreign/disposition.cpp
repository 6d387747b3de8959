#include "disposition.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "handler.hpp"

namespace foreign {

namespace {

constexpr std::size_t alternate_stack_bytes = std::size_t{256} << 10;

struct Word {
  const char* text;
  int flag;
};
constexpr Word flag_words[] = {{"nodefer", SA_NODEFER},
                               {"resethand", static_cast<int>(SA_RESETHAND)},
                               {"onstack", SA_ONSTACK},
                               {"restart", SA_RESTART}};

bool add_word(const std::string& word, Disposition& disposition) {
  if (word == "mask") {
    disposition.masks_more = true;
    return true;
  }
  for (const Word& known : flag_words) {
    if (word == known.text) {
      disposition.flags |= known.flag;
      return true;
    }
  }
  return false;
}

bool parse_handling(const std::string& word, Disposition& disposition) {
  using Handling = Disposition::Handling;
  if (word == "default")
    disposition.handling = Handling::standard;
  else if (word == "ignore")
    disposition.handling = Handling::ignore;
  else if (word == "plain")
    disposition.handling = Handling::plain;
  else if (word == "siginfo")
    disposition.handling = Handling::siginfo;
  else
    return false;
  return true;
}

}  // namespace

bool parse_disposition(const char* text, Disposition& disposition) {
  disposition = Disposition{};
  std::string rest = text;
  for (bool first = true;; first = false) {
    const std::size_t plus = rest.find('+');
    const std::string word = rest.substr(0, plus);
    if (first ? !parse_handling(word, disposition) : !add_word(word, disposition)) return false;
    if (plus == std::string::npos) return true;
    rest.erase(0, plus + 1);
  }
}

void install(const Disposition& disposition) {
  struct sigaction action {};
  switch (disposition.handling) {
    case Disposition::Handling::standard: action.sa_handler = SIG_DFL; break;
    case Disposition::Handling::ignore: action.sa_handler = SIG_IGN; break;
    case Disposition::Handling::plain: action.sa_handler = &plain_handler; break;
    case Disposition::Handling::siginfo: action.sa_sigaction = &siginfo_handler; break;
  }
  action.sa_flags = disposition.flags;
  if (disposition.handling == Disposition::Handling::siginfo) action.sa_flags |= SA_SIGINFO;
  if (disposition.masks_more) {
    ::sigaddset(&action.sa_mask, SIGUSR2);
    ::sigaddset(&action.sa_mask, SIGTERM);
    ::sigaddset(&action.sa_mask, SIGRTMIN + 3);
  }
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL}) ::sigaction(signal, &action, nullptr);
}

void set_alternate_stack(const Disposition& disposition) {
  stack_t stack{};
  stack.ss_flags = SS_DISABLE;
  // Where there is no handler the kernel does not use it, but libcow's handler does, which could
  // not run otherwise when a stack has overflowed.
  if ((disposition.flags & SA_ONSTACK) != 0 || !disposition.has_handler()) {
    stack.ss_sp = ::mmap(nullptr, alternate_stack_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack.ss_size = alternate_stack_bytes;
    stack.ss_flags = 0;
  }
  ::sigaltstack(&stack, nullptr);
}

}  // namespace foreign
