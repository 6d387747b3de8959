// What holds of regions whose stores the kernel copies, whatever the environment says: claims that
// count, and the same meaning as the other mechanism's.

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::CloneMode;
using cow::Mechanism;
using cow::PageRange;
using cow::Region;
using cow::RegionOptions;
using cow::Snapshot;
using support::Folder;
using support::kernel_can_be_had;
using support::kernel_region;
using Bytes = std::vector<std::byte>;

namespace {

constexpr std::size_t kPages = 600;  // of two leaves, the second of which is not whole

RegionOptions asking_for(Mechanism mechanism) {
  RegionOptions options = support::options();
  options.mechanism = mechanism;
  return options;
}

Region filled(std::size_t pages, std::uint64_t pattern) {
  Region region = kernel_region(pages);
  support::fill(region.bytes(), pattern);
  return region;
}

/// The environment variable for as long as this lives.
class Environment {
 public:
  explicit Environment(const char* value) {
    if (const char* const old = std::getenv(kName)) before_ = old;
    value == nullptr ? ::unsetenv(kName) : ::setenv(kName, value, 1);
  }
  ~Environment() { before_ ? ::setenv(kName, before_->c_str(), 1) : ::unsetenv(kName); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static constexpr const char* kName = "COW_MECHANISM";
  std::optional<std::string> before_;
};

Mechanism mechanism_of(const RegionOptions& options) {
  return Region::create(1, options).stats().mechanism;
}

/// Empty if `region` shows `expected` and its books are in order.
std::string complaint_about(const Region& region, const Bytes& expected) {
  const std::string wrong = support::difference(expected, region.bytes());
  return wrong.empty() ? support::broken_invariant(region) : wrong;
}

/// A region and the bytes that it has to show.
struct Twin {
  Region region;
  Bytes plain;

  explicit Twin(Region from)
      : region(std::move(from)), plain(support::plain_copy(region.bytes())) {}
  void store(std::size_t page, unsigned value) {
    support::store(region, page, value);
    plain[page * support::page_bytes()] = static_cast<std::byte>(value);
  }
  [[nodiscard]] std::string complaint() const { return complaint_about(region, plain); }
};

}  // namespace

TEST_CASE("who did not ask gets the mechanism that COW_MECHANISM names, or the handler", "[api]") {
  if (!kernel_can_be_had()) return;
  const RegionOptions unasked = support::options();
  for (const char* const value : {static_cast<const char*>(nullptr), "", "handler"}) {
    const Environment environment(value);
    CHECK(mechanism_of(unasked) == Mechanism::handler);
    CHECK(mechanism_of(asking_for(Mechanism::kernel)) == Mechanism::kernel);
    CHECK(mechanism_of(asking_for(Mechanism::automatic)) == Mechanism::kernel);
  }
  for (const char* const value : {"kernel", "automatic"}) {
    const Environment environment(value);
    CHECK(mechanism_of(unasked) == Mechanism::kernel);
    CHECK(mechanism_of(asking_for(Mechanism::handler)) == Mechanism::handler);
  }
}

TEST_CASE("a value of COW_MECHANISM that is none is refused by name, but not to who asked",
          "[api]") {
  for (const char* const value : {"Kernel", "kernel ", "fork", "1"}) {
    const Environment environment(value);
    CHECK_THROWS_AS(Region::create(1, support::options()), std::invalid_argument);
    CHECK(support::words_of<std::invalid_argument>([] {
            (void)Region::create(1, support::options());
          }).find("COW_MECHANISM is '" + std::string(value) + "'") != std::string::npos);
    CHECK(mechanism_of(asking_for(Mechanism::handler)) == Mechanism::handler);
  }
}

TEST_CASE("frames cannot be reserved where the kernel copies, and automatic takes the handler",
          "[api]") {
  RegionOptions options = asking_for(Mechanism::kernel);
  options.reserve_frames = true;
  CHECK_THROWS_AS(Region::create(1, options), std::invalid_argument);
  options.mechanism = Mechanism::automatic;
  CHECK(mechanism_of(options) == Mechanism::handler);
}

TEST_CASE(
    "without userfaultfd or /proc/self/pagemap the kernel mechanism says which, and automatic "
    "takes the handler",
    "[api]") {
  if (!kernel_can_be_had() || !support::has_call_filters()) return;
  struct Refusal {
    support::CallFilter filter;
    std::string said;
  };
  Refusal refusals[] = {{{}, "userfaultfd"}, {{}, "Linux 6.7"}, {{}, "/proc/self/pagemap"}};
  refusals[0].filter.refuse(SYS_userfaultfd, {}, EPERM);
  refusals[1].filter.refuse(SYS_ioctl, {support::is(1, UFFDIO_API)}, EINVAL);
  refusals[2].filter.refuse(SYS_openat, {}, EACCES);
  for (Refusal& refusal : refusals) {
    CAPTURE(refusal.said);
    const auto result = support::run_in_child([&]() -> std::string {
      if (!refusal.filter.install_allowing()) return "no filter";
      try {
        static_cast<void>(mechanism_of(asking_for(Mechanism::kernel)));
        return "it was not refused";
      } catch (const std::system_error& error) {
        const std::string what = error.what();
        const bool says_both = what.find(refusal.said) != std::string::npos &&
                               what.find("Mechanism::automatic") != std::string::npos;
        if (!says_both) return what;
      }
      const bool is_handler = mechanism_of(asking_for(Mechanism::automatic)) == Mechanism::handler;
      return is_handler ? "" : "automatic took the kernel's";
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

TEST_CASE("a process whose regions are all of the kernel mechanism gets no handler of SIGSEGV",
          "[fault]") {
  if (!kernel_can_be_had()) return;
  const auto result = support::run_in_child([]() -> std::string {
    std::signal(SIGSEGV, SIG_DFL);
    Region region = filled(kPages, 1);
    const Snapshot past = region.snapshot();
    Region clone = region.clone();
    for (Region* const each : {&region, &clone}) support::fill(each->bytes(), 2);
    const Snapshot later = region.snapshot();
    region.restore(past);
    clone.discard(0, clone.size());
    static_cast<void>(region.write_lease(0, 1));
    struct sigaction now {};
    ::sigaction(SIGSEGV, nullptr, &now);
    return now.sa_handler == SIG_DFL && !cow::owns_sigsegv() ? "" : "there is one";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("clones, and regions of a snapshot, have the mechanism of their family", "[api]") {
  if (!kernel_can_be_had()) return;
  const Environment environment("handler");
  const Region region = filled(4, 1);
  CHECK(region.clone().stats().mechanism == Mechanism::kernel);
  CHECK(region.clone(CloneMode::eager).stats().mechanism == Mechanism::kernel);
  CHECK(Region::from_snapshot(region.snapshot()).stats().mechanism == Mechanism::kernel);
}

TEST_CASE("where the kernel copies no store faults in libcow, whoever shares the page", "[mm]") {
  if (!kernel_can_be_had()) return;
  Region region = filled(kPages, 1);
  const Snapshot past = region.snapshot();
  Region clone = region.clone();
  Region eager = region.clone(CloneMode::eager);
  for (Region* const each : {&region, &clone, &eager}) {
    support::fill(each->bytes(), 2);
    CHECK(each->stats().faults == 0);
    CHECK(each->stats().pages_private == kPages);
    CHECK(support::broken_invariant(*each) == "");
  }
  CHECK(support::shows(past.bytes(), 1));
}

TEST_CASE("a thread that blocks every signal stores to shared pages", "[mm]") {
  if (!kernel_can_be_had()) return;
  const auto result = support::run_in_child([]() -> std::string {
    support::die_silently_of_faults();
    Region region = filled(20, 1);
    const Region clone = region.clone();
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    support::fill(region.bytes(), 2);
    return support::shows(region.bytes(), 2) && support::shows(clone.bytes(), 1) ? "" : "wrong";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("read() and pread() arrive in shared pages without a lease, in this region alone",
          "[mm]") {
  if (!kernel_can_be_had()) return;
  const Folder folder;
  const Bytes text(8 * support::page_bytes(), std::byte{'t'});
  support::write_file(folder / "text", text);
  const int file = ::open((folder / "text").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  Region region = filled(20, 1);
  const Snapshot past = region.snapshot();
  const Region clone = region.clone();
  Bytes expected = support::plain_copy(region.bytes());
  const std::size_t half = support::page_bytes() / 2;
  CHECK(::read(file, region.data() + half, text.size()) == static_cast<ssize_t>(text.size()));
  std::copy(text.begin(), text.end(), expected.begin() + static_cast<std::ptrdiff_t>(half));
  const std::size_t far = 15 * support::page_bytes();
  CHECK(::pread(file, region.data() + far, half, 0) == static_cast<ssize_t>(half));
  std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(far), half, std::byte{'t'});
  ::close(file);
  CHECK(complaint_about(region, expected) == "");
  CHECK(support::shows(past.bytes(), 1));
  CHECK(support::shows(clone.bytes(), 1));
  CHECK(cow::diff(past, region.snapshot()) == std::vector<PageRange>{{0, 9}, {15, 1}});
}

TEST_CASE("clones with many scattered stores take at most three mappings each", "[mm]") {
  if (!kernel_can_be_had()) return;
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  constexpr std::size_t pages = std::size_t{1} << 14;
  constexpr std::size_t stores = 1311;
  Region region = filled(pages, 1);
  (void)region.snapshot();
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  std::vector<Region> clones;
  for (unsigned i = 0; i < 20; ++i) {
    clones.push_back(region.clone());
    for (std::size_t k = 0; k < stores; ++k) support::store(clones[i], random.below(pages), i + 2);
  }
  for (const Region& clone : clones) {
    CHECK(clone.stats().mappings <= 3);
    CHECK(support::count_mappings(clone) <= 3);
  }
  clones.clear();
  CHECK(cow::process_stats().bytes_in_use == in_use);
}

TEST_CASE("n clones that store to a page each cost n frames, beside the kernel's n copies",
          "[mm]") {
  if (!kernel_can_be_had()) return;
  Region base = filled(256, 1);
  (void)base.snapshot();
  const std::size_t in_use = cow::process_stats().frames_in_use;
  std::vector<Region> clones;
  for (unsigned i = 0; i < 16; ++i) clones.push_back(base.clone());
  CHECK(cow::process_stats().frames_in_use == in_use);
  for (unsigned i = 0; i < 16; ++i) support::store(clones[i], 16 * i, 0);
  for (const Region& clone : clones) (void)clone.snapshot();
  CHECK(cow::process_stats().frames_in_use == in_use + 2 * 16);  // copied out, they exist twice
  for (const Region& clone : clones) CHECK(clone.stats().pages_copied == 1);
  clones.clear();
  CHECK(cow::process_stats().frames_in_use == in_use);
}

TEST_CASE("clones of clones, 64 deep, each show what was stored to them and to those before",
          "[mm]") {
  if (!kernel_can_be_had()) return;
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  std::vector<Twin> chain;
  chain.emplace_back(filled(kPages, 1));
  std::vector<std::pair<Snapshot, Bytes>> pasts;
  for (unsigned depth = 1; depth <= 64; ++depth) {
    chain.emplace_back(chain.back().region.clone());
    for (int i = 0; i < 5; ++i) chain.back().store(random.below(kPages), depth);
    chain[random.below(depth)].store(random.below(kPages), depth + 100);
    pasts.emplace_back(chain.back().region.snapshot(), chain.back().plain);
  }
  for (const Twin& twin : chain) CHECK(twin.complaint() == "");
  while (!chain.empty()) {
    chain.erase(chain.begin() + static_cast<std::ptrdiff_t>(random.below(chain.size())));
    if (chain.size() % 13 != 0) continue;
    for (const Twin& twin : chain) CHECK(twin.complaint() == "");
  }
  for (const auto& [past, bytes] : pasts) CHECK(support::difference(bytes, past.bytes()) == "");
}

TEST_CASE("what the kernel copied is restored, discarded, compared and cloned like any page",
          "[mm]") {
  if (!kernel_can_be_had()) return;
  Twin twin(filled(kPages, 1));
  const Snapshot past = twin.region.snapshot();
  const Bytes before = twin.plain;
  for (const std::size_t page : {std::size_t{0}, std::size_t{511}, std::size_t{512}, kPages - 1}) {
    twin.store(page, 0xee);
  }
  const std::vector<PageRange> changed{{0, 1}, {511, 2}, {kPages - 1, 1}};
  CHECK(cow::diff(past, twin.region.snapshot()) == changed);
  for (const CloneMode mode : {CloneMode::lazy, CloneMode::eager}) {
    Region clone = twin.region.clone(mode);
    CHECK(complaint_about(clone, twin.plain) == "");
    clone.restore(past);
    CHECK(complaint_about(clone, before) == "");
    CHECK(cow::diff(past, clone.snapshot()).empty());
    support::fill(clone.bytes(), 9);
    CHECK(twin.complaint() == "");
  }
  const std::size_t page = support::page_bytes();
  twin.region.discard(510 * page, 20 * page);
  std::fill_n(twin.plain.begin() + static_cast<std::ptrdiff_t>(510 * page), 20 * page,
              std::byte{0});
  CHECK(twin.complaint() == "");
  twin.region.restore(past);
  CHECK(complaint_about(twin.region, before) == "");
}

TEST_CASE("an image that a region of one mechanism saved loads as one of the other", "[api]") {
  if (!kernel_can_be_had()) return;
  const Folder folder;
  for (const Mechanism saving : {Mechanism::handler, Mechanism::kernel}) {
    Region region = Region::create(kPages * support::page_bytes(), asking_for(saving));
    support::fill(region.bytes().first(region.size() / 2), 1);
    const Snapshot full = region.snapshot();
    full.save(folder / "full");
    for (const std::size_t page : {std::size_t{3}, std::size_t{400}})
      support::store(region, page, 0xee);
    region.snapshot().save_delta(full, folder / "delta");
    for (const Mechanism loading : {Mechanism::handler, Mechanism::kernel}) {
      for (const cow::LoadMode mode : {cow::LoadMode::copied, cow::LoadMode::mapped}) {
        Region loaded = Region::load({folder / "full", folder / "delta"},
                                     {.mode = mode, .region = asking_for(loading)});
        CHECK(loaded.stats().mechanism == loading);
        CHECK(complaint_about(loaded, support::plain_copy(region.bytes())) == "");
        // It goes on from there: the next of the chain is based on what was loaded.
        const Snapshot base = loaded.snapshot();
        support::store(loaded, 5, 0x55);
        loaded.snapshot().save_delta(base, folder / "next");
        CHECK(support::same_bytes(
            Region::load({folder / "full", folder / "delta", folder / "next"}).bytes(),
            loaded.bytes()));
      }
    }
  }
}
