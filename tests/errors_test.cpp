// What is refused, by which exception, in which words; and that everything is as it was before.

#include "catch.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <exception>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using cow::CloneMode;
using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// How a call ended, in a form that can be compared.
struct Refusal {
  enum class Kind { none, invalid_argument, logic_error, system_error, other };
  Kind kind = Kind::none;
  int error = 0;
  std::string what;
};

Refusal refusal_of(const std::function<void()>& call) {
  Refusal result;
  try {
    call();
    return result;
  } catch (const std::invalid_argument& error) {
    result = {Refusal::Kind::invalid_argument, 0, error.what()};
  } catch (const std::logic_error& error) {
    result = {Refusal::Kind::logic_error, 0, error.what()};
  } catch (const std::system_error& error) {
    result = {Refusal::Kind::system_error, error.code().value(), error.what()};
  } catch (const std::exception& error) {
    result = {Refusal::Kind::other, 0, error.what()};
  }
  return result;
}

/// Empty if `call` throws std::system_error with `error` and a sentence.
std::string complaint_unless_refused(const std::string& name, int error,
                                     const std::function<void()>& call) {
  const Refusal refusal = refusal_of(call);
  if (refusal.kind == Refusal::Kind::none) return name + " was not refused";
  if (refusal.kind != Refusal::Kind::system_error) {
    return name + " threw something else: " + refusal.what;
  }
  if (refusal.error != error) {
    return name + " threw errno " + std::to_string(refusal.error) + ": " + refusal.what;
  }
  if (!support::is_sentence(refusal.what)) return name + " says only: " + refusal.what;
  return "";
}

/// What must not change when a call is refused.
struct Held {
  explicit Held(const cow::ProcessStats& stats)
      : regions(stats.regions),
        families(stats.families),
        bytes(stats.bytes_in_use),
        mappings(stats.mappings_in_use) {}
  friend bool operator==(const Held&, const Held&) = default;

  std::size_t regions;
  std::size_t families;
  std::size_t bytes;
  std::size_t mappings;
};

Held held_now() { return Held(cow::process_stats()); }

std::size_t address_space_in_use() {
  std::ifstream statm("/proc/self/statm");
  std::size_t host_pages = 0;
  statm >> host_pages;
  return host_pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void set_soft_limit(decltype(RLIMIT_AS) resource, std::size_t value) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  limit.rlim_cur = limit.rlim_max;
  if (value < limit.rlim_cur) limit.rlim_cur = value;
  ::setrlimit(resource, &limit);
}

constexpr std::size_t no_limit = SIZE_MAX;

/// The checks of a region that has seen a refusal: same bytes, and every operation still works.
std::string complaint_about_survivor(Region& region, const Snapshot& snapshot,
                                     const std::vector<std::byte>& expected) {
  std::string complaint = support::difference(expected, region.bytes());
  if (!complaint.empty()) return complaint;
  Region clone = region.clone();
  support::fill(clone.bytes(), 77);
  if (!support::shows(clone.bytes(), 77)) return "a clone made afterwards does not keep its bytes";
  complaint = support::difference(expected, region.bytes());
  if (!complaint.empty()) return complaint;
  support::fill(region.bytes(), 78);
  region.restore(snapshot);
  if (!support::same_bytes(region.bytes(), snapshot.bytes())) return "restore does not restore";
  return "";
}

}  // namespace

TEST_CASE("a region of no bytes is refused with a sentence", "[api]") {
  const Held before = held_now();
  const Refusal refusal = refusal_of([] { (void)Region::create(0, support::options()); });
  CHECK(refusal.kind == Refusal::Kind::invalid_argument);
  CAPTURE(refusal.what);
  CHECK(support::is_sentence(refusal.what));
  CHECK(held_now() == before);
}

TEST_CASE("a size that no address space can hold is refused, whatever rounding does to it",
          "[api]") {
  const Held before = held_now();
  for (const std::size_t size :
       {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - support::page_bytes() + 1,
        SIZE_MAX - support::page_bytes(), SIZE_MAX / 2 + 2, SIZE_MAX / 2 - 1, std::size_t{1} << 62,
        (std::size_t{1} << 48) + 1}) {
    CAPTURE(size);
    const Refusal refusal = refusal_of([&] { (void)Region::create(size, support::options()); });
    CAPTURE(refusal.what, refusal.error);
    const bool misuse = refusal.kind == Refusal::Kind::invalid_argument;
    const bool no_room = refusal.kind == Refusal::Kind::system_error && refusal.error == ENOMEM;
    CHECK((misuse || no_room));
    CHECK(support::is_sentence(refusal.what));
    CHECK(held_now() == before);
  }
}

TEST_CASE("a granule that is no power of two from the host's page to 2 MiB is refused", "[api]") {
  const auto host_page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const Held before = held_now();
  for (const std::size_t granule :
       {std::size_t{1}, std::size_t{3}, host_page / 2, host_page - 1, host_page + 1, 3 * host_page,
        4 * mebibyte, std::size_t{1} << 40, std::size_t{1} << 63, SIZE_MAX}) {
    CAPTURE(granule);
    cow::RegionOptions options;
    options.granule_bytes = granule;
    const Refusal refusal = refusal_of([&] { (void)Region::create(100, options); });
    CHECK(refusal.kind == Refusal::Kind::invalid_argument);
    CAPTURE(refusal.what);
    CHECK(support::is_sentence(refusal.what));
  }
  CHECK(held_now() == before);
}

TEST_CASE("a snapshot of another family is refused, and the region stays as it was", "[api]") {
  Region region = Region::create(10 * support::page_bytes(), support::options());
  Region stranger = Region::create(10 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  support::fill(stranger.bytes(), 2);
  const Snapshot own = region.snapshot();
  const Snapshot strange = stranger.snapshot();
  support::store(region, 3, 0xff);
  const std::vector<std::byte> expected = support::plain_copy(region.bytes());
  const Held before = held_now();

  const std::vector<std::function<void()>> calls{
      [&] { region.restore(strange); },
      [&] { stranger.restore(own); },
      [&] { (void)cow::diff(own, strange); },
      [&] { (void)cow::diff(strange, own); },
  };
  for (const auto& call : calls) {
    const Refusal refusal = refusal_of(call);
    CAPTURE(refusal.what);
    CHECK(refusal.kind == Refusal::Kind::invalid_argument);
    CHECK(support::is_sentence(refusal.what));
  }
  CHECK(held_now() == before);
  CHECK(support::difference(expected, region.bytes()) == "");
  CHECK(support::shows(stranger.bytes(), 2));
  region.restore(own);
  CHECK(support::shows(region.bytes(), 1));
}

// NOLINTBEGIN(bugprone-use-after-move): what a moved-from object does is the subject.

TEST_CASE("every member of a moved-from region says that it was moved from", "[api]") {
  Region region = Region::create(10 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  const Snapshot snapshot = region.snapshot();
  Region taker = std::move(region);
  const Region& constant = region;

  const std::vector<std::function<void()>> calls{
      [&] { (void)region.data(); },     [&] { (void)constant.data(); },
      [&] { (void)region.size(); },     [&] { (void)region.bytes(); },
      [&] { (void)constant.bytes(); },  [&] { (void)region.page_bytes(); },
      [&] { (void)region.clone(); },    [&] { (void)region.clone(CloneMode::eager); },
      [&] { (void)region.snapshot(); }, [&] { region.restore(snapshot); },
      [&] { (void)region.stats(); },
  };
  for (std::size_t call = 0; call < calls.size(); ++call) {
    CAPTURE(call);
    const Refusal refusal = refusal_of(calls[call]);
    CAPTURE(refusal.what);
    CHECK((refusal.kind == Refusal::Kind::logic_error ||
           refusal.kind == Refusal::Kind::invalid_argument));
    CHECK(support::is_sentence(refusal.what));
  }
  CHECK(support::shows(taker.bytes(), 1));

  region = std::move(taker);
  CHECK(support::shows(region.bytes(), 1));
  CHECK_THROWS_AS(taker.snapshot(), std::logic_error);
}

TEST_CASE("a moved-from snapshot says so, to every call that is given it", "[api]") {
  Region region = Region::create(10 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  Snapshot empty = region.snapshot();
  const Snapshot taker = std::move(empty);
  const std::vector<std::function<void()>> calls{
      [&] { (void)empty.size(); },
      [&] { (void)empty.page_bytes(); },
      [&] { (void)empty.bytes(); },
      [&] { region.restore(empty); },
      [&] { (void)Region::from_snapshot(empty); },
      [&] { (void)cow::diff(empty, taker); },
      [&] { (void)cow::diff(taker, empty); },
      [&] { (void)cow::diff(empty, empty); },
  };
  for (std::size_t call = 0; call < calls.size(); ++call) {
    CAPTURE(call);
    const Refusal refusal = refusal_of(calls[call]);
    CAPTURE(refusal.what);
    CHECK((refusal.kind == Refusal::Kind::logic_error ||
           refusal.kind == Refusal::Kind::invalid_argument));
    CHECK(support::is_sentence(refusal.what));
  }
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::shows(taker.bytes(), 1));
  empty = taker;
  CHECK(support::shows(empty.bytes(), 1));
}

// NOLINTEND(bugprone-use-after-move)

TEST_CASE("with the address space exhausted, what needs more of it throws and the rest works on",
          "[api]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region kept = Region::create(64 * support::page_bytes(), support::options());
    support::fill(kept.bytes(), 1);
    const Snapshot start = kept.snapshot();
    for (std::size_t page = 0; page < 64; page += 3) support::store(kept, page, 0xab);
    const std::vector<std::byte> expected = support::plain_copy(kept.bytes());
    Region large = Region::create(1024 * mebibyte, support::options());
    support::store(large, 7, 1);
    const Snapshot of_large = large.snapshot();
    const Held before = held_now();

    set_soft_limit(RLIMIT_AS, address_space_in_use() + 256 * mebibyte);
    void* probe = ::mmap(nullptr, 512 * mebibyte, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe != MAP_FAILED) return "";  // an emulator that knows no such limit

    const std::vector<std::pair<std::string, std::function<void()>>> calls{
        {"create", [&] { (void)Region::create(1024 * mebibyte, support::options()); }},
        {"lazy clone", [&] { (void)large.clone(); }},
        {"eager clone", [&] { (void)large.clone(CloneMode::eager); }},
        {"from_snapshot", [&] { (void)Region::from_snapshot(of_large); }},
        {"Snapshot::bytes", [&] { (void)of_large.bytes(); }},
    };
    for (const auto& [name, call] : calls) {
      const std::string complaint = complaint_unless_refused(name, ENOMEM, call);
      if (!complaint.empty()) return complaint;
      if (held_now() != before) return name + " left something behind";
    }
    support::store(large, 7, 2);
    support::store(large, 9, 2);
    std::string complaint = complaint_about_survivor(kept, start, expected);
    if (!complaint.empty()) return complaint;

    set_soft_limit(RLIMIT_AS, no_limit);
    const Region clone = large.clone();
    if (support::load(clone.bytes(), 7) != 2) return "the clone made afterwards is wrong";
    if (support::load(of_large.bytes(), 7) != 1) return "the snapshot changed";
    complaint = support::broken_invariant(large);
    return complaint.empty() ? support::broken_invariant(kept) : complaint;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("with no file descriptor left, create throws and existing regions work on", "[api]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region kept = Region::create(64 * support::page_bytes(), support::options());
    support::fill(kept.bytes(), 1);
    const Snapshot start = kept.snapshot();
    for (std::size_t page = 0; page < 64; page += 3) support::store(kept, page, 0xab);
    const std::vector<std::byte> expected = support::plain_copy(kept.bytes());
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(next);
    const Held before = held_now();

    // The exceptions are looked at later: a sanitizer that checks such calls opens a pipe for it.
    std::vector<std::exception_ptr> refusals;
    set_soft_limit(RLIMIT_NOFILE, static_cast<std::size_t>(next));
    for (int attempt = 0; attempt < 3; ++attempt) {
      try {
        (void)Region::create(5 * support::page_bytes(), support::options());
      } catch (...) {
        refusals.push_back(std::current_exception());
      }
    }
    const bool nothing_left_behind = held_now() == before;
    // To look at an object UndefinedBehaviorSanitizer opens a pipe, and takes a refusal for an
    // error.
    if (support::has_sanitizer) set_soft_limit(RLIMIT_NOFILE, no_limit);
    std::string complaint = complaint_about_survivor(kept, start, expected);
    set_soft_limit(RLIMIT_NOFILE, no_limit);
    if (!complaint.empty()) return complaint;
    if (!nothing_left_behind) return "create left something behind";
    if (refusals.size() != 3) return "create was not refused";
    for (const std::exception_ptr& refusal : refusals) {
      complaint =
          complaint_unless_refused("create", EMFILE, [&] { std::rethrow_exception(refusal); });
      if (!complaint.empty()) return complaint;
    }
    complaint = support::broken_invariant(kept);
    if (!complaint.empty()) return complaint;
    Region later = Region::create(5 * support::page_bytes(), support::options());
    support::fill(later.bytes(), 4);
    return support::shows(later.bytes(), 4) ? "" : "a region made afterwards is wrong";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("with a file-size limit in force, what would pass it throws and nothing is lost",
          "[api]") {
  const bool signal_ignored = GENERATE(true, false);
  CAPTURE(signal_ignored);
  const auto result = support::run_in_child([&]() -> std::string {
    if (signal_ignored) std::signal(SIGXFSZ, SIG_IGN);
    Region kept = Region::create(64 * support::page_bytes(), support::options());
    support::fill(kept.bytes(), 1);
    const Snapshot start = kept.snapshot();
    for (std::size_t page = 0; page < 64; page += 3) support::store(kept, page, 0xab);
    const std::vector<std::byte> expected = support::plain_copy(kept.bytes());
    const Held before = held_now();

    set_soft_limit(RLIMIT_FSIZE, 1);
    std::string complaint = complaint_unless_refused("create", EFBIG, [] {
      (void)Region::create(5 * support::page_bytes(), support::options());
    });
    if (complaint.empty()) {
      complaint = complaint_unless_refused("eager clone", EFBIG,
                                           [&] { (void)kept.clone(CloneMode::eager); });
    }
    const Refusal lazy = refusal_of([&] { (void)kept.clone(); });  // may do without a file
    set_soft_limit(RLIMIT_FSIZE, no_limit);
    if (!complaint.empty()) return complaint;
    if (lazy.kind != Refusal::Kind::none && lazy.kind != Refusal::Kind::system_error) {
      return "lazy clone threw something else: " + lazy.what;
    }
    if (held_now() != before) return "a refused call left something behind";
    complaint = complaint_about_survivor(kept, start, expected);
    return complaint.empty() ? support::broken_invariant(kept) : complaint;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
