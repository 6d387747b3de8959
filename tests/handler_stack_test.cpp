// Handlers of other libraries before and after libcow's: three deep, each with faults of its own,
// each passing on what it does not know to what it had found, removed in any order.

#include "catch.hpp"
#include "support.hpp"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

using cow::Region;

namespace {

constexpr int endless_exit = 77;

/// Which handlers were asked about a fault, in order. A child's is read when the child is dead.
struct Asked {
  std::atomic<std::size_t> count;
  std::array<char, 40> names;
};

Asked& asked() {
  static auto* const shared = static_cast<Asked*>(
      ::mmap(nullptr, sizeof(Asked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  return *shared;
}

void note(char name) {
  const std::size_t index = asked().count.fetch_add(1);
  if (index >= asked().names.size()) ::_exit(endless_exit);
  asked().names[index] = name;
}

std::string names_asked() { return {asked().names.data(), asked().count.load()}; }

std::byte* new_page() {
  return static_cast<std::byte*>(
      ::mmap(nullptr, support::page_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void store_to(std::byte* page) { *static_cast<volatile std::byte*>(page) = std::byte{1}; }

sigjmp_buf before_store;

/// A store after which a handler jumps.
void store_and_come_back(std::byte* page) {
  if (sigsetjmp(before_store, 1) == 0) store_to(page);
}

/// Does with a fault what `action` would: what a library does to be polite.
void pass_on(const struct sigaction& action, int signal, siginfo_t* info, void* context) {
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signal, info, context);
  } else if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
    ::sigaction(signal, &action, nullptr);  // the instruction faults again
  } else {
    action.sa_handler(signal);
  }
}

/// A library with a page that it protects, and makes accessible when somebody touches it.
struct Client {
  struct sigaction found {};
  std::byte* page = nullptr;
};
constexpr std::size_t client_count = 3;
std::array<Client, client_count> clients;

template <std::size_t index>
void handle(int signal, siginfo_t* info, void* context) {
  note(static_cast<char>('A' + index));
  Client& client = clients[index];
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (at - reinterpret_cast<std::uintptr_t>(client.page) < support::page_bytes()) {
    ::mprotect(client.page, support::page_bytes(), PROT_READ | PROT_WRITE);
  } else {
    pass_on(client.found, signal, info, context);
  }
}

void install(char name, int extra_flags = 0) {
  constexpr void (*handlers[])(int, siginfo_t*, void*) = {handle<0>, handle<1>, handle<2>};
  const auto index = static_cast<std::size_t>(name - 'A');
  struct sigaction action {};
  action.sa_sigaction = handlers[index];
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | extra_flags;
  Client& client = clients[index];
  if (client.page == nullptr) client.page = new_page();
  struct sigaction found {};
  ::sigaction(SIGSEGV, &action, &found);
  if (found.sa_sigaction != action.sa_sigaction) client.found = found;
}

void remove(char name) {
  ::sigaction(SIGSEGV, &clients[static_cast<std::size_t>(name - 'A')].found, nullptr);
}

/// No libcow and no framework in front or behind, and no core file.
void start_with_default_action() {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(SIGSEGV, SIG_DFL);
  // libcow looks once, so that it does not take what earlier tests had there for what a handler
  // that comes now will find.
  cow::reinstall_handler();
  ::signal(SIGSEGV, SIG_DFL);
}

/// libcow at work: every store() is a fault on a region.
class Stores {
 public:
  Stores() {
    support::fill(region_.bytes(), 1);
    past_ = region_.snapshot();
  }

  /// Says what is wrong.
  std::string store() {
    const std::size_t before = region_.stats().faults;
    support::flip(region_, page_++);
    if (region_.stats().faults != before + 1) return "a store to the region was no fault";
    return support::shows(past_->bytes(), 1) ? "" : "the snapshot changed";
  }

 private:
  Region region_ = Region::create(40 * support::page_bytes(), support::single_page_options());
  std::optional<cow::Snapshot> past_;
  std::size_t page_ = 0;
};

/// A, B and C are installed and removed in the order of these letters; L is a control call.
struct Scenario {
  std::string installed;
  std::string removed;
  char touched = '-';  ///< whose page is stored to in the end; '-': nobody's
};

std::string play(const Scenario& scenario, bool with_library) {
  start_with_default_action();
  std::optional<Stores> stores;
  std::string complaint;
  const auto control_call = [&] {
    if (!with_library) return;
    if (!stores) stores.emplace();
    cow::reinstall_handler();
    if (!cow::owns_sigsegv()) complaint = "libcow is not in front after a control call";
  };
  const auto store = [&] {
    if (stores && complaint.empty()) complaint = stores->store();
  };
  for (const char name : scenario.installed) {
    if (name == 'L') {
      control_call();
    } else {
      install(name);
    }
    store();
  }
  for (const char name : scenario.removed) {
    remove(name);
    control_call();
    store();
  }
  if (!complaint.empty()) return complaint;
  asked().count = 0;
  store_to(scenario.touched == '-'
               ? new_page()
               : clients[static_cast<std::size_t>(scenario.touched - 'A')].page);
  const std::string order = names_asked();
  store();
  return complaint.empty() ? "asked " + order + ", mended" : complaint;
}

std::string outcome(const Scenario& scenario, bool with_library) {
  asked().count = 0;
  const auto result = support::run_in_child([&] { return play(scenario, with_library); });
  if (result.died_of(SIGSEGV)) return "asked " + names_asked() + ", died of SIGSEGV";
  if (result.wait_status == endless_exit << 8) return "asked without end";
  return result.exited() ? result.complaint : "wait status " + std::to_string(result.wait_status);
}

/// Compares with a process without libcow, for the page of each handler and for nobody's.
void compare_with_control(const std::string& removed) {
  for (const char touched : {'A', 'B', 'C', '-'}) {
    const std::string expected = outcome({"ABC", removed, touched}, false);
    for (const char* const installed : {"LABC", "ALBC", "ABLC", "ABCL", "ALBLCL", "LALBLCL"}) {
      CAPTURE(installed, removed, touched);
      CHECK(outcome({installed, removed, touched}, true) == expected);
    }
  }
}

}  // namespace

TEST_CASE("without libcow the handlers of these tests are asked as they should be",
          "[fault][handler]") {
  CHECK(outcome({"ABC", "", 'A'}, false) == "asked CBA, mended");
  CHECK(outcome({"ABC", "", 'C'}, false) == "asked C, mended");
  CHECK(outcome({"ABC", "", '-'}, false) == "asked CBA, died of SIGSEGV");
  CHECK(outcome({"ABC", "C", 'A'}, false) == "asked BA, mended");
  CHECK(outcome({"ABC", "C", 'C'}, false) == "asked BA, died of SIGSEGV");
  CHECK(outcome({"ABC", "CBA", 'A'}, false) == "asked , died of SIGSEGV");
  CHECK(outcome({"ABC", "A", 'B'}, false) == "asked , died of SIGSEGV");
  CHECK(outcome({"ABC", "AB", 'A'}, false) == "asked A, mended");
}

TEST_CASE("three handlers around libcow's are asked as without it, and each mends its own faults",
          "[fault][handler]") {
  compare_with_control("");
}

TEST_CASE("handlers that leave last in, first out leave each other and the regions alone",
          "[fault][handler]") {
  for (const char* const removed : {"C", "CB", "CBA"}) compare_with_control(removed);
}

TEST_CASE("handlers that leave first in, first out do no more harm than without libcow",
          "[fault][handler]") {
  for (const char* const removed : {"A", "AB", "ABC"}) compare_with_control(removed);
}

TEST_CASE("a handler that leaves from the middle does no more harm than without libcow",
          "[fault][handler]") {
  for (const char* const removed : {"B", "BC", "BAC"}) compare_with_control(removed);
}

TEST_CASE("a handler that goes in front again and again is asked once, and makes no circle",
          "[fault][handler]") {
  for (const char* const installed : {"ALAL", "ALALAL", "LALAL", "ALBLBL", "LALBLBL"}) {
    CAPTURE(installed);
    const bool has_b = std::string(installed).find('B') != std::string::npos;
    const std::string order = has_b ? "BA" : "A";
    CHECK(outcome({installed, "", 'A'}, true) == "asked " + order + ", mended");
    CHECK(outcome({installed, "", '-'}, true) == "asked " + order + ", died of SIGSEGV");
  }
}

TEST_CASE("a handler that goes in front again, with no control call after it, makes no circle",
          "[fault][handler]") {
  for (const char* const installed : {"ALA", "LALA", "ALBLAB"}) {
    CAPTURE(installed);
    CHECK(outcome({installed, "", 'A'}, true).find(", mended") != std::string::npos);
    CHECK(outcome({installed, "", '-'}, true).find(", died of SIGSEGV") != std::string::npos);
  }
}

TEST_CASE("a handler that was left by a jump is asked again, in front of whom it may be",
          "[fault][handler]") {
  const auto result = support::run_in_child([]() -> std::string {
    static struct sigaction found {};
    static std::atomic<int> calls{0};
    // On an alternate stack every signal finds its frame in the same place.
    static std::array<std::byte, 1 << 16> alternate;
    stack_t stack{};
    stack.ss_sp = alternate.data();
    stack.ss_size = alternate.size();
    ::sigaltstack(&stack, nullptr);
    start_with_default_action();

    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    action.sa_sigaction = [](int, siginfo_t*, void*) {
      ++calls;
      siglongjmp(before_store, 1);
    };
    ::sigaction(SIGSEGV, &action, nullptr);
    Stores stores;
    std::byte* const page = new_page();
    for (int round = 0; round < 3; ++round) {
      store_and_come_back(page);
    }
    if (calls != 3) return "the handler was passed over behind libcow";
    action.sa_sigaction = [](int signal, siginfo_t* info, void* context) {
      pass_on(found, signal, info, context);
    };
    ::sigaction(SIGSEGV, &action, &found);
    for (int round = 0; round < 3; ++round) {
      store_and_come_back(page);
    }
    if (calls != 6) return "the handler was passed over behind one in front of libcow";
    return stores.store();
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a handler that raises again what it was given gets it, or what it had found does",
          "[fault][handler]") {
  const auto result = support::run_in_child([]() -> std::string {
    start_with_default_action();
    static std::atomic<int> first_calls{0};
    static std::atomic<int> second_calls{0};
    static struct sigaction found {};
    struct sigaction first {};
    first.sa_handler = [](int) { ++first_calls; };
    ::sigaction(SIGSEGV, &first, nullptr);
    Stores stores;
    struct sigaction second {};
    // Catch2 2 does so: it takes itself out, and raises the signal for whom it had found.
    second.sa_handler = [](int signal) {
      if (++second_calls == 2) ::sigaction(SIGSEGV, &found, nullptr);
      ::raise(signal);
    };
    ::sigaction(SIGSEGV, &second, &found);
    cow::reinstall_handler();
    ::raise(SIGSEGV);
    if (second_calls != 2) return "the second handler did not get what it raised";
    if (first_calls != 1) return "the first handler did not get what the second one gave back";
    ::raise(SIGSEGV);
    if (second_calls != 2) return "a handler that took itself out was asked";
    if (first_calls != 2) return "the handler that is left was not asked";
    return stores.store();
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a handler behind libcow's that leaves SIGSEGV open may store to a region",
          "[fault][handler]") {
  const auto result = support::run_in_child([]() -> std::string {
    constexpr std::size_t rounds = 5;
    start_with_default_action();
    static std::byte* const page = new_page();
    static std::byte* to = nullptr;
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    action.sa_sigaction = [](int, siginfo_t*, void*) {
      store_to(to);
      ::mprotect(page, support::page_bytes(), PROT_READ | PROT_WRITE);
    };
    ::sigaction(SIGSEGV, &action, nullptr);
    Region region = Region::create(rounds * support::page_bytes(), support::single_page_options());
    support::fill(region.bytes(), 1);
    const cow::Snapshot past = region.snapshot();
    const std::size_t faults = region.stats().faults;
    for (std::size_t round = 0; round < rounds; ++round) {
      ::mprotect(page, support::page_bytes(), PROT_NONE);
      to = region.data() + round * support::page_bytes();
      store_to(page);
      if (support::load(region.bytes(), round) != 1) return "the handler's store is lost";
    }
    if (region.stats().faults != faults + rounds) return "a store of the handler was no fault";
    return support::shows(past.bytes(), 1) ? "" : "the snapshot changed";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
