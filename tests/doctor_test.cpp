// What cow doctor says of what it found: from findings alone, of systems that are not this one.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"
#include "tool/doctor/advice.hpp"
#include "tool/doctor/text.hpp"

namespace {

using cow::measure::Call;
using cow::measure::Findings;
using cow::measure::NeededBy;
using cow::measure::SignalAction;
using cow::measure::Trial;
using cow::tool::advise;
using cow::tool::Level;
using cow::tool::Line;
using cow::tool::verdict;

Trial worked() { return {true, true, 0, 0, ""}; }
Trial refused(int error) { return {true, false, error, 0, ""}; }
Trial killed() { return {true, false, 0, SIGSYS, ""}; }

SignalAction unhandled(const char* signal) {
  SignalAction action;
  action.signal = signal;
  return action;
}

/// A machine on which there is nothing to say but that all is well.
Findings healthy() {
  Findings found;
  found.fork = worked();
  found.regions.handler = {worked(), "handler"};
  found.regions.kernel = {worked(), "kernel"};
  found.regions.automatic = {worked(), "kernel"};
  found.regions.large_bytes = std::uint64_t{8} << 30;
  found.regions.large = worked();
  found.calls = {{"memfd_create", "bytes", NeededBy::regions, worked()},
                 {"rt_sigaction", "handler", NeededBy::handler, worked()},
                 {"userfaultfd", "marks", NeededBy::kernel, worked()},
                 {"open(/proc/self/pagemap)", "marks", NeededBy::kernel, worked()},
                 {"fallocate", "memory", NeededBy::some_uses, worked()}};
  found.memory.max_map_count = 65'530;
  found.memory.mappings_used = 60;
  found.memory.overcommit_memory = 0;
  found.memory.descriptors = 1024;
  found.memory.huge_pages = worked();
  found.memory.has_proc = true;
  found.memory.has_dev_shm = true;
  found.userfault.of_user_mode = worked();
  found.userfault.of_all_faults = worked();
  found.userfault.asynchronous_write = worked();
  found.userfault.features = cow::measure::kUserfaultAsynchronous;
  found.signals.actions = {unhandled("SIGSEGV"), unhandled("SIGBUS")};
  found.signals.least_stack_bytes = 3000;
  found.signals.usual_stack_bytes = 16'000;
  found.rules.seccomp_mode = 0;
  found.rules.core_bytes = 0;
  found.rules.perf_events = worked();
  return found;
}

Call& call_of(Findings& findings, const std::string& name) {
  return *std::find_if(findings.calls.begin(), findings.calls.end(),
                       [&](const Call& call) { return call.name == name; });
}

/// The line about it that is not "ok", or one that says there is none.
Line line_about(const Findings& findings, const std::string& subject) {
  for (const Line& line : advise(findings)) {
    if (line.subject == subject && line.level != Level::ok) return line;
  }
  return {Level::ok, "no line about " + subject, "", ""};
}

bool says(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

struct Bad {
  std::string subject;
  Level level;
  std::string word;  ///< of its meaning or remedy
  void (*spoil)(Findings&);
};

const std::vector<Bad>& bad_findings() {
  static const std::vector<Bad> bad = {
      {"memfd_create", Level::refuses, "seccomp",
       [](Findings& f) {
         call_of(f, "memfd_create").trial = killed();
         f.regions.automatic = {killed(), ""};
         f.regions.handler = {killed(), ""};
         f.regions.kernel = {killed(), ""};
       }},
      {"rt_sigaction", Level::refuses, "audit",
       [](Findings& f) {
         call_of(f, "rt_sigaction").trial = refused(EPERM);
         f.regions.handler = {refused(EPERM), ""};
       }},
      {"userfaultfd", Level::limits, "newer",
       [](Findings& f) { call_of(f, "userfaultfd").trial = refused(ENOSYS); }},
      {"open(/proc/self/pagemap)", Level::limits, "mount -t proc",
       [](Findings& f) {
         call_of(f, "open(/proc/self/pagemap)").trial = refused(ENOENT);
         f.memory.has_proc = false;
       }},
      {"open(/proc/self/pagemap)", Level::limits, "PR_SET_DUMPABLE",
       [](Findings& f) { call_of(f, "open(/proc/self/pagemap)").trial = refused(EACCES); }},
      {"fallocate", Level::limits, "SystemCallFilter",
       [](Findings& f) {
         call_of(f, "fallocate").trial = refused(EPERM);
         f.rules.seccomp_mode = 2;
       }},
      {"fork", Level::limits, "pids.max",
       [](Findings& f) {
         f.has_children = false;
         f.fork = refused(EAGAIN);
       }},
      {"handler", Level::limits, "COW_MECHANISM=automatic",
       [](Findings& f) {
         f.regions.handler = {refused(EPERM), ""};
       }},
      {"kernel mechanism", Level::limits, "6.7",
       [](Findings& f) {
         f.regions.kernel = {refused(EINVAL), ""};
       }},
      {"COW_MECHANISM", Level::limits, "'magic'", [](Findings& f) { f.regions.asked = "magic"; }},
      {"userfaultfd", Level::limits, "asynchronous",
       [](Findings& f) { f.userfault.asynchronous_write = refused(EINVAL); }},
      {"userfaultfd, full", Level::note, "CAP_SYS_PTRACE",
       [](Findings& f) { f.userfault.of_all_faults = refused(EPERM); }},
      {"mappings", Level::limits, "vm.max_map_count",
       [](Findings& f) { f.memory.max_map_count = 1000; }},
      {"mappings", Level::note, "65,530", [](Findings& f) { f.memory.max_map_count.reset(); }},
      {"overcommit", Level::limits, "vm.overcommit_ratio",
       [](Findings& f) { f.memory.overcommit_memory = 2; }},
      {"a large region", Level::limits, "ulimit -v",
       [](Findings& f) { f.regions.large = refused(ENOMEM); }},
      {"huge pages", Level::note, "shmem_enabled",
       [](Findings& f) {
         f.memory.huge_pages = refused(ENODATA);
         f.memory.shmem_huge_pages = "never";
       }},
      {"/proc", Level::limits, "mount", [](Findings& f) { f.memory.has_proc = false; }},
      {"/dev/shm", Level::note, "mount", [](Findings& f) { f.memory.has_dev_shm = false; }},
      {"RLIMIT_AS", Level::limits, "2 GiB",
       [](Findings& f) { f.memory.address_space_bytes = std::uint64_t{2} << 30; }},
      {"RLIMIT_DATA", Level::limits, "ulimit -d",
       [](Findings& f) { f.memory.data_bytes = 1 << 20; }},
      {"RLIMIT_FSIZE", Level::limits, "ulimit -f", [](Findings& f) { f.memory.file_bytes = 0; }},
      {"RLIMIT_NOFILE", Level::limits, "ulimit -n", [](Findings& f) { f.memory.descriptors = 20; }},
      {"control group", Level::limits, "memory.max",
       [](Findings& f) {
         f.memory.cgroup = {{"memory_bytes", 64 << 20, "/sys/fs/cgroup/memory.max"}};
       }},
      {"control group", Level::note, "fork",
       [](Findings& f) {
         f.memory.cgroup = {{"pids", 10, "/sys/fs/cgroup/pids.max"}};
       }},
      {"SIGSEGV", Level::note, "libcrash.so",
       [](Findings& f) {
         f.signals.actions[0].is_default = false;
         f.signals.actions[0].object = "/usr/lib/libcrash.so";
       }},
      {"SIGSEGV", Level::note, "ignored",
       [](Findings& f) {
         f.signals.actions[0].is_default = false;
         f.signals.actions[0].is_ignored = true;
       }},
      {"SIGBUS", Level::note, "on_bus in /usr/lib/libcrash.so",
       [](Findings& f) {
         f.signals.actions[1].is_default = false;
         f.signals.actions[1].object = "/usr/lib/libcrash.so";
         f.signals.actions[1].symbol = "on_bus";
       }},
      {"SIGSEGV, blocked", Level::limits, "pthread_sigmask",
       [](Findings& f) { f.signals.is_segv_blocked = true; }},
      {"signal stack", Level::limits, "_SC_SIGSTKSZ",
       [](Findings& f) { f.signals.alternate_stack_bytes = 5000; }},
      {"signal stack", Level::note, "SIGSTKSZ",
       [](Findings& f) { f.signals.usual_stack_bytes = 6000; }},
      {"seccomp", Level::note, "Filters", [](Findings& f) { f.rules.seccomp_mode = 2; }},
      {"core dumps", Level::note, "keep_out_of_cores",
       [](Findings& f) { f.rules.core_bytes.reset(); }},
      {"debuggers", Level::note, "ptrace_scope", [](Findings& f) { f.rules.ptrace_scope = 1; }},
      {"not dumpable", Level::limits, "PR_SET_DUMPABLE",
       [](Findings& f) { f.rules.is_dumpable = false; }},
      {"perf events", Level::note, "perf_event_paranoid",
       [](Findings& f) { f.rules.perf_events = refused(EACCES); }},
      {"emulation", Level::note, "qemu-user", [](Findings& f) { f.rules.emulated = "qemu-user"; }},
      {"container", Level::note, "podman", [](Findings& f) { f.rules.container = "podman"; }},
      {"not known", Level::note, "dmesg", [](Findings& f) { f.unknown = {"memory"}; }},
  };
  return bad;
}

}  // namespace

TEST_CASE("of a system that allows everything the doctor has nothing but good to say", "[tool]") {
  const Findings findings = healthy();
  CHECK(verdict(findings).can_make_regions);
  CHECK(verdict(findings).mechanism == "kernel");
  for (const Line& line : advise(findings)) {
    INFO(line.subject << ": " << line.meaning);
    CHECK(line.level == Level::ok);
  }
}

TEST_CASE("whatever the doctor finds amiss has a line that says what it means and what to do",
          "[tool]") {
  for (const Bad& bad : bad_findings()) {
    Findings findings = healthy();
    bad.spoil(findings);
    const Line line = line_about(findings, bad.subject);
    INFO(bad.subject << " (" << bad.word << "): " << line.meaning << " -> " << line.remedy);
    CHECK(line.level == bad.level);
    CHECK(says(line.meaning + " " + line.remedy, bad.word));
    for (const Line& each : advise(findings)) {
      INFO(each.subject << ": " << each.meaning << " -> " << each.remedy);
      CHECK(support::is_sentence(each.meaning));
      CHECK(each.meaning.back() == '.');
      CHECK((each.level == Level::ok) == each.remedy.empty());
      CHECK((each.remedy.empty() || each.remedy.back() == '.'));
    }
  }
}

TEST_CASE("the doctor's text is 80 columns wide, the worst first, and each group has one heading",
          "[tool]") {
  Findings findings = healthy();
  for (const Bad& bad : bad_findings()) {
    if (bad.subject != "RLIMIT_NOFILE") bad.spoil(findings);  // so that something is well
  }
  const std::vector<Line> lines = advise(findings);
  CHECK(std::is_sorted(lines.begin(), lines.end(),
                       [](const Line& a, const Line& b) { return a.level < b.level; }));
  const std::string text = cow::tool::doctor_text(verdict(findings), lines);
  std::size_t begin = 0;
  std::vector<std::string> headings;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    INFO(line);
    CHECK(line.size() <= 80);
    for (const Level level : {Level::refuses, Level::limits, Level::note, Level::ok}) {
      if (line == cow::tool::word_of(level)) headings.push_back(line);
    }
    begin = end + 1;
  }
  CHECK(headings == std::vector<std::string>{"refuses", "limits", "note", "ok"});
}

TEST_CASE("the verdict names the call that is to blame, and the mechanism that is left", "[tool]") {
  Findings findings = healthy();
  call_of(findings, "userfaultfd").trial = refused(EPERM);
  findings.regions.kernel = {refused(EPERM), ""};
  findings.regions.automatic = {worked(), "handler"};
  CHECK(verdict(findings).can_make_regions);
  CHECK(verdict(findings).mechanism == "handler");
  CHECK(says(verdict(findings).why, "userfaultfd was refused (EPERM)"));

  // A filter that kills leaves Mechanism::automatic no time to take the handler.
  call_of(findings, "userfaultfd").trial = killed();
  findings.regions.automatic = {killed(), ""};
  CHECK(verdict(findings).can_make_regions);
  CHECK(says(verdict(findings).why, "Take Mechanism::handler"));
  CHECK(says(verdict(findings).why, "userfaultfd ended the process that made it (SIGSYS)"));

  call_of(findings, "memfd_create").trial = refused(ENOSYS);
  findings.regions.handler = {refused(ENOSYS), ""};
  findings.regions.handler.trial.said = "memfd_create: no frame file could be opened";
  CHECK_FALSE(verdict(findings).can_make_regions);
  CHECK(verdict(findings).why.find("memfd_create was refused (ENOSYS)") == 0);
  CHECK(says(verdict(findings).why, "no frame file could be opened"));
}

TEST_CASE("without a call to blame the verdict says what libcow said", "[tool]") {
  Findings findings = healthy();
  Trial trial = refused(EFBIG);
  trial.said = "ftruncate: this process may not make files so large";
  findings.regions.handler = {trial, ""};
  findings.regions.automatic = {trial, ""};
  findings.regions.kernel = {trial, ""};
  CHECK(says(verdict(findings).why, "may not make files so large"));
  CHECK(line_about(findings, "regions").level == Level::refuses);
}

TEST_CASE("names from outside cannot move the cursor of who asks the doctor", "[tool]") {
  Findings findings = healthy();
  findings.signals.actions[0].is_default = false;
  findings.signals.actions[0].object = "/tmp/\x1b[2Jlib.so";
  findings.rules.core_bytes.reset();
  findings.rules.core_pattern = "|/bin/\x1b]0;x\x07";
  const std::string text = cow::tool::doctor_text(verdict(findings), advise(findings));
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find('\x07') == std::string::npos);
}
