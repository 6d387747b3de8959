// A descriptor's number is not a file: programs close numbers that they do not know, open files of
// their own under them, and give threads tables of their own. Nothing of another file is changed.

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cow/cow.hpp>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "child_words.hpp"
#include "folder.hpp"
#include "process_view.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 600;  // more than one leaf

/// A file of the program's own, and what it says to whoever looks: nothing was done to it.
class OwnFile {
 public:
  OwnFile() : number_(::memfd_create("own", MFD_CLOEXEC)), bytes_(std::size_t{4} << 20) {
    support::fill(bytes_, 5);
    REQUIRE(::pwrite(number_, bytes_.data(), bytes_.size(), 0) ==
            static_cast<ssize_t>(bytes_.size()));
    REQUIRE(::lseek(number_, 17, SEEK_SET) == 17);
  }
  ~OwnFile() { ::close(number_); }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] std::string complaint() const {
    std::vector<std::byte> now(bytes_.size() + 1);
    const ssize_t length = ::pread(number_, now.data(), now.size(), 0);
    if (length != static_cast<ssize_t>(bytes_.size())) return "it has another size";
    now.pop_back();
    if (!support::same_bytes(now, bytes_)) return "its bytes are destroyed";
    if (::lseek(number_, 0, SEEK_CUR) != 17) return "its position is another";
    return mapped();
  }

 private:
  [[nodiscard]] static std::string mapped() {
    for (const process_view::Line& line : process_view::lines()) {
      if (line.name.find("memfd:own") != std::string::npos) return "it is mapped";
    }
    return "";
  }

  int number_;
  std::vector<std::byte> bytes_;
};

/// What becomes of the numbers of all frame files.
enum class Fate { closed, reused };

void lose_descriptors(Fate fate, const OwnFile& own) {
  for (const int number : process_view::frame_files()) {
    fate == Fate::reused ? ::dup2(own.number(), number) : ::close(number);
  }
}

/// A region, clones and snapshots of it, in every state that a page can have.
struct Stage {
  std::optional<Region> region = made();
  std::optional<Region> clone = region->clone();
  std::optional<Snapshot> past;
  std::optional<Snapshot> unread;
  std::optional<cow::WriteLease> lease;

  Stage() {
    support::fill(clone->bytes().first(clone->size() / 3), 2);
    for (std::size_t page = 3; page < pages; page += 50) support::store(*clone, page, 9);
    past.emplace(clone->snapshot());
    (void)past->bytes();
    unread.emplace(clone->snapshot());
    lease.emplace(clone->write_lease(0, 2 * support::page_bytes()));
    support::store(*clone, 5, 3);
    { const Region gone = clone->clone(); }
    (void)Region::create(pages * support::page_bytes(), support::options());
  }

  static Region made() {
    Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
    support::fill(region.bytes().first(region.size() / 2), 1);
    return region;
  }
};

std::string refused_with_ebadf(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::system_error& error) {
    if (error.code().value() != EBADF) return error.what();
    return support::is_sentence(error.what()) ? "" : error.what();
  }
  return "it was not refused";
}

/// In a child process, whose frame file is new: the one it inherited is neither counted nor closed.
std::string give_up_what_was_inherited(Stage& stage) {
  const auto own_ones = [] {
    std::size_t count = 0;
    for (const int number : process_view::descriptors()) {
      if (process_view::target_of(number).find("memfd:own") != std::string::npos) ++count;
    }
    return count;
  };
  const std::size_t before = own_ones();
  if (cow::process_stats().bytes_inherited != 0) return "another file is counted";
  support::fill(stage.region->bytes(), 4);
  stage.clone.reset();
  stage.past.reset();
  stage.unread.reset();
  cow::trim();
  if (!support::shows(stage.region->bytes(), 4)) return "the stores are lost";
  return own_ones() == before ? "" : "another file is closed";
}

struct Use {
  const char* name;
  bool ends_the_process;
  std::function<std::string(Stage&)> act;
};

const std::vector<Use>& uses() {
  const auto refused = [](const char* name, std::function<void(Stage&)> call) {
    return Use{name, false, [call = std::move(call)](Stage& stage) {
                 return refused_with_ebadf([&] { call(stage); });
               }};
  };
  const auto store = [](const char* name, bool ends, std::size_t page) {
    return Use{name, ends, [page](Stage& stage) -> std::string {
                 support::store(*stage.clone, page, 7);
                 return support::load(stage.clone->bytes(), page) == 7 ? "" : "the store is lost";
               }};
  };
  static const std::vector<Use> all{
      store("a store to a shared page", true, pages / 2 - 40),
      store("a store to a zero page", true, pages - 20),
      store("a store to a page that a snapshot shares", true, 11),
      store("a store to a private page", false, 5),
      store("a store to a leased page", false, 1),
      {"trim", false, [](Stage&) { return cow::trim() == 0 ? "" : "it gave something back"; }},
      {"region.stats()", false,
       [](Stage& stage) { return stage.clone->stats().pages == pages ? "" : "wrong"; }},
      refused("process_stats()", [](Stage&) { (void)cow::process_stats(); }),
      refused("snapshot", [](Stage& stage) { (void)stage.clone->snapshot(); }),
      refused("a quiescent snapshot",
              [](Stage& stage) { (void)stage.clone->snapshot(cow::SnapshotMode::quiescent); }),
      refused("clone", [](Stage& stage) { (void)stage.region->clone(); }),
      refused("eager clone",
              [](Stage& stage) { (void)stage.region->clone(cow::CloneMode::eager); }),
      refused("from_snapshot", [](Stage& stage) { (void)Region::from_snapshot(*stage.past); }),
      refused("restore", [](Stage& stage) { stage.clone->restore(*stage.past); }),
      refused("diff", [](Stage& stage) { (void)cow::diff(*stage.past, *stage.past); }),
      refused("bytes of a snapshot", [](Stage& stage) { (void)stage.unread->bytes(); }),
      refused("discard", [](Stage& stage) { stage.clone->discard(0, 4 * support::page_bytes()); }),
      refused("apply",
              [](Stage& stage) {
                stage.clone->apply({{11, 1}}, *stage.past);
              }),
      refused("merge",
              [](Stage& stage) { (void)cow::merge(*stage.past, *stage.past, *stage.past); }),
      refused("save",
              [](Stage& stage) {
                const support::Folder folder;
                stage.past->save(folder / "image");
              }),
      refused("save_delta",
              [](Stage& stage) {
                const support::Folder folder;
                stage.past->save_delta(*stage.past, folder / "image");
              }),
      refused("write_lease", [](Stage& stage) { (void)stage.clone->write_lease(0, 1); }),
      refused("write_lease by address",
              [](Stage& stage) {
                (void)cow::write_lease(stage.clone->data() + 11 * support::page_bytes(), 1);
              }),
      {"the end of a lease", false,
       [](Stage& stage) {
         stage.lease.reset();
         return "";
       }},
      {"the end of a snapshot", false,
       [](Stage& stage) {
         stage.past.reset();
         return "";
       }},
      {"the end of everything", false,
       [](Stage& stage) {
         stage.lease.reset();
         stage.clone.reset();
         stage.past.reset();
         stage.unread.reset();
         stage.region.reset();
         return "";
       }},
      {"a region made afterwards", false,
       [](Stage&) {
         Region later = Region::create(pages * support::page_bytes(), support::options());
         support::fill(later.bytes(), 4);
         const Region clone = later.clone();
         support::fill(later.bytes(), 6);
         return support::shows(clone.bytes(), 4) ? "" : "wrong";
       }},
      {"fork", false,
       [](Stage& stage) {
         stage.lease.reset();  // a child gets a copy of what is leased, which there is no place for
         return support::run_in_child([&]() -> std::string {
                  support::store(*stage.region, 3, 8);  // a child has a frame file of its own
                  return support::load(stage.region->bytes(), 3) == 8 ? "" : "the store is lost";
                })
             .complaint;
       }},
      {"what a child process has inherited", false,
       [](Stage& stage) {
         stage.lease.reset();
         return support::run_in_child([&] { return give_up_what_was_inherited(stage); }).complaint;
       }},
  };
  return all;
}

void check_use(const Use& use, Fate fate, rlim_t descriptors) {
  CAPTURE(use.name, fate == Fate::reused, descriptors);
  // Where the kernel copies, a store needs no descriptor.
  const bool ends_the_process = use.ends_the_process && !support::kernel_copies();
  const OwnFile own;
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    if (ends_the_process) {
      ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    }
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (descriptors != 0) limit.rlim_cur = descriptors;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    Stage stage;
    lose_descriptors(fate, own);
    std::string complaint = use.act(stage);
    if (complaint.empty()) complaint = own.complaint();
    return complaint.empty() && ends_the_process ? "it went on" : complaint;
  });
  CHECK(result.complaint == "");
  CHECK((ends_the_process ? result.died_of(SIGBUS) : result.exited()));
  CHECK(own.complaint() == "");
}

}  // namespace

TEST_CASE("whatever uses a frame file leaves a file of the program's under its number alone",
          "[os]") {
  const std::size_t index = GENERATE(range(std::size_t{0}, uses().size()));
  check_use(uses()[index], Fate::reused, 0);
}

TEST_CASE("the same where the number is nobody's, and with few descriptors to be had", "[os]") {
  const std::size_t index = GENERATE(range(std::size_t{0}, uses().size()));
  check_use(uses()[index], Fate::closed, 0);
  constexpr rlim_t kFew = 24;
  check_use(uses()[index], Fate::reused, kFew);
}

namespace {

/// A thread with a descriptor table of its own stores to a clone that was made before or after.
std::string store_with_own_table(bool made_before, const OwnFile* own) {
  std::atomic<int> step{0};
  std::string complaint;
  std::optional<Stage> stage;
  if (made_before) stage.emplace();
  std::thread worker([&] {
    if (::unshare(CLONE_FILES) != 0) complaint = "unshare failed";
    step = 1;
    while (step != 2) std::this_thread::yield();
    if (own != nullptr) {
      for (const int number : process_view::frame_files()) ::dup2(own->number(), number);
    }
    if (complaint.empty()) support::store(*stage->clone, pages / 2 - 40, 7);
  });
  while (step != 1) std::this_thread::yield();
  if (!made_before) stage.emplace();
  step = 2;
  worker.join();
  if (!complaint.empty()) return complaint;
  return support::load(stage->clone->bytes(), pages / 2 - 40) == 7 ? "" : "the store is lost";
}

}  // namespace

TEST_CASE("a thread with its own descriptor table stores to regions that it has descriptors of",
          "[os]") {
  const auto result = support::run_in_child([] { return store_with_own_table(true, nullptr); });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a thread that lacks the descriptor ends the process with a line and changes nothing",
          "[os][handler]") {
  const bool has_own_file = GENERATE(false, true);
  CAPTURE(has_own_file);
  const OwnFile own;
  support::ChildWords words_of_child;
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    words_of_child.listen();
    return store_with_own_table(false, has_own_file ? &own : nullptr);
  });
  const std::string said = words_of_child.heard();
  CAPTURE(said);
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGBUS));
  CHECK(said.find("libcow: the store to 0x") == 0);
  CHECK(said.find("errno 9") != std::string::npos);
  // An emulator adds lines of its own.
  if (!support::is_emulated()) CHECK(said.find('\n') == said.size() - 1);
  CHECK(own.complaint() == "");
}
