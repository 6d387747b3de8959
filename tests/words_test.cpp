// Errors in words: whatever the kernel says, the sentence is about that and nothing else.

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "base/refusal.hpp"
#include "call_filter.hpp"
#include "catch.hpp"
#include "child_words.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::CloneMode;
using cow::Region;

namespace {

/// What a sentence may say only of some errors.
struct Claim {
  const char* words;
  std::vector<int> true_of;
};

const std::vector<Claim>& claims() {
  static const std::vector<Claim> all = {{"memory is left", {ENOMEM, ENOSPC}},
                                         {"not enough memory", {ENOMEM, ENOSPC}},
                                         {"addresses or mappings", {ENOMEM}},
                                         {"vm.max_map_count", {ENOMEM}},
                                         {"ulimit -v", {ENOMEM}},
                                         {"ulimit -l", {EAGAIN}},
                                         {"cannot be read", {EFAULT}},
                                         {"become shorter", {EFAULT, EIO}},
                                         {"ulimit -f", {EFBIG}},
                                         {"ulimit -n", {EMFILE}},
                                         {"fs.file-max", {ENFILE}},
                                         {"was closed by the program", {EBADF}},
                                         {"a rule of this system", {EPERM, EACCES}},
                                         {"allows no userfaultfd", {EPERM, EACCES, ENOSYS}},
                                         {"mount /proc", {ENOENT}},
                                         {"PR_SET_DUMPABLE", {EACCES}},
                                         {"this kernel cannot watch", {EINVAL}}};
  return all;
}

/// The words in `sentence` that are not true of `error`; empty if all are.
std::string untrue_words(const std::string& sentence, int error) {
  for (const Claim& claim : claims()) {
    const bool holds =
        std::find(claim.true_of.begin(), claim.true_of.end(), error) != claim.true_of.end();
    if (!holds && sentence.find(claim.words) != std::string::npos) return claim.words;
  }
  return "";
}

constexpr int errors[] = {EAGAIN, EACCES, EPERM,  EFAULT, ENOMEM, ENOSPC, EIO,
                          EFBIG,  EMFILE, ENFILE, EBADF,  ENODEV, EBUSY};

/// What a deed is done to; made before anything is refused.
struct World {
  support::Folder folder;
  Region region = Region::create(support::page_bytes() * 64, support::options());
  cow::Snapshot past = region.snapshot();
};

struct Deed {
  const char* name;
  std::function<void(World&)> run;
};

const std::vector<Deed>& deeds() {
  static const std::vector<Deed> all = {
      {"create", [](World& world) { (void)Region::create(world.region.size()); }},
      {"create with reserved frames",
       [](World& world) {
         cow::RegionOptions options;
         options.reserve_frames = true;
         (void)Region::create(world.region.size(), options);
       }},
      {"create where the kernel copies",
       [](World& world) {
         cow::RegionOptions options;
         options.mechanism = cow::Mechanism::kernel;
         (void)Region::create(world.region.size(), options);
       }},
      {"clone", [](World& world) { (void)world.region.clone(); }},
      {"eager clone", [](World& world) { (void)world.region.clone(CloneMode::eager); }},
      {"snapshot", [](World& world) { (void)world.region.snapshot(); }},
      {"bytes", [](World& world) { (void)world.past.bytes(); }},
      {"diff", [](World& world) { (void)cow::diff(world.past, world.region.snapshot()); }},
      {"lease",
       [](World& world) { const auto lease = world.region.write_lease(0, world.region.size()); }},
      {"save", [](World& world) { world.past.save(world.folder / "image"); }},
      // The last one: where it can go neither forth nor back, the process ends.
      {"restore", [](World& world) { world.region.restore(world.past); }},
  };
  return all;
}

/// Every deed with `call` refused: it works, or throws in words that are true of its error. A
/// complaint, empty if there is none.
std::string complaint_about(long call, int error) {
  std::vector<World> worlds(deeds().size());
  for (World& world : worlds) support::fill(world.region.bytes(), 1);
  support::CallFilter filter;
  if (!filter.refuse(call, {}, static_cast<unsigned>(error)).install_allowing()) return "no filter";
  for (std::size_t i = 0; i < worlds.size(); ++i) {
    try {
      deeds()[i].run(worlds[i]);
    } catch (const std::system_error& refusal) {
      const std::string words = std::string(deeds()[i].name) + ": " + refusal.what();
      if (!support::is_sentence(words)) return words;
      const std::string untrue = untrue_words(words, refusal.code().value());
      if (!untrue.empty()) return words + " (" + untrue + ")";
    } catch (const std::bad_alloc&) {
      continue;  // the program's own allocator was refused
    }
  }
  return "";
}

/// What `code` is refused with; nothing if it is not.
std::string refusal_of(int expected_error, const std::function<void()>& code) {
  try {
    code();
  } catch (const std::system_error& refusal) {
    if (refusal.code().value() == expected_error) return refusal.what();
    return "another errno: " + std::string(refusal.what());
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("every reason that an error is given fits the error", "[base]") {
  for (const char* call : {"mmap", "mprotect", "madvise", "pwrite", "pread", "fallocate",
                           "memfd_create", "ftruncate", "fcntl", "fstat", "pthread_atfork"}) {
    for (const int error : errors) {
      const std::string why(cow::why_refused(error, call));
      CAPTURE(call, error, why);
      CHECK(untrue_words(why, error) == "");
    }
  }
  CHECK(cow::why_refused(EBUSY, "mmap").empty());
  CHECK(cow::why_refused(ENOMEM, "mmap") != cow::why_refused(ENOMEM, "pwrite"));
}

TEST_CASE("whatever error a call is refused with, the sentence is about that error", "[base]") {
  if (!support::has_call_filters()) {
    WARN("skipped: this system has no filters for system calls");
    return;
  }
  for (const long call :
       {SYS_mmap, SYS_mprotect, SYS_pwrite64, SYS_pwritev, SYS_pread64, SYS_fallocate,
        SYS_memfd_create, SYS_ftruncate, SYS_fcntl, SYS_userfaultfd, SYS_openat}) {
    if (support::has_sanitizer && call == SYS_mmap) continue;  // its runtime needs it
    for (const int error : errors) {
      CAPTURE(call, error);
      const support::ChildResult result =
          support::run_in_child([&] { return complaint_about(call, error); });
      CHECK((result.exited() || result.died_of(SIGBUS)));
      CHECK(result.complaint == "");
    }
  }
}

TEST_CASE("a region that may not be locked in memory is refused because of that limit", "[base]") {
  if (support::has_sanitizer || support::is_emulated()) {
    WARN("skipped: what runs this program needs memory that may not be locked either");
    return;
  }
  std::string words;
  const support::ChildResult result = support::run_in_child([&]() -> std::string {
    Region before = Region::create(support::page_bytes());
    if (::getuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return "still root";
    support::stay_readable();
    const rlimit limit{1 << 20, 1 << 20};
    if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return "no limit";
    if (::mlockall(MCL_FUTURE) != 0) return "no mlockall";
    const std::string refused =
        refusal_of(EAGAIN, [] { (void)Region::create(std::size_t{64} << 20); });
    const bool fits = refused.find("ulimit -l") != std::string::npos;
    return fits && untrue_words(refused, EAGAIN).empty() ? "" : refused;
  });
  CHECK(result.exited());
  CHECK(result.complaint == "");
}

TEST_CASE("a save of a file that was cut off meanwhile is refused because of the file", "[base]") {
  const support::Folder folder;
  const std::size_t bytes = 256 * support::page_bytes();
  support::write_file(folder / "cut", std::vector<std::byte>(bytes, std::byte{1}));
  const Region opened = Region::open(folder / "cut");
  std::filesystem::resize_file(folder / "cut", support::page_bytes());
  std::string refused;
  try {
    opened.snapshot().save(folder / "image");
  } catch (const std::system_error& refusal) {
    refused = refusal.what();
    CHECK(untrue_words(refused, refusal.code().value()) == "");
  }
  CAPTURE(refused);
  CHECK(refused.find("shorter") != std::string::npos);
}

TEST_CASE("a child that was refused its regions says with which error, and so does its end",
          "[base]") {
  if (support::has_sanitizer) {
    WARN("skipped: a sanitizer's runtime needs descriptors");
    return;
  }
  support::ChildWords words_of_child;
  const support::ChildResult result = support::run_in_child([&]() -> std::string {
    Region region = Region::create(support::page_bytes() * 8, support::options());
    words_of_child.listen();  // before there is none to be had
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return "no limit";
    const pid_t child = ::fork();
    if (child != 0) {
      int status = 0;
      ::waitpid(child, &status, 0);
      return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS ? "" : "the child did not die of it";
    }
    support::die_silently_of_faults();
    std::string words = refusal_of(EMFILE, [&] { (void)region.snapshot(); }) + "\n";
    if (untrue_words(words, EMFILE).empty() && words.find("ulimit -n") != std::string::npos) {
      words = "right\n";
    }
    support::ChildWords::say(words);
    support::store(region, 1, 1);
    ::_exit(1);
  });
  const std::string said = words_of_child.heard();
  CAPTURE(said);
  CHECK(result.complaint == "");
  CHECK(said.starts_with("right\nlibcow: "));
  CHECK(said.find("errno " + std::to_string(EMFILE)) != std::string::npos);
}
