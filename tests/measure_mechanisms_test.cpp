// The ways to have memory whose bytes can be had again (src/measure/mechanisms), each held against
// a plain copy, in a process of its own; and the workloads made of them.

#include "call_filter.hpp"
#include "catch.hpp"
#include "measure/experiments.hpp"
#include "measure/experiments/stores.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using cow::measure::Mechanism;
using cow::measure::Memory;
using cow::measure::MemoryOptions;

namespace {

constexpr std::size_t kPages = 24;

/// The body for each mechanism that can be had here, in a process of its own: handlers are the
/// process's. A store that nobody answers waits for ever, and ends it.
template <typename Body>
void in_process_of_each(const Body& body) {
  for (const Mechanism& mechanism : cow::measure::mechanisms()) {
    CAPTURE(mechanism.name);
    const auto result = support::run_in_child([&]() -> std::string {
      ::alarm(120);
      const std::string why = mechanism.why_not();
      return why.empty() ? body(mechanism) : "skipped: " + why;
    });
    CAPTURE(result.wait_status);
    if (result.exited() && result.complaint.starts_with("skipped: ")) {
      WARN(result.complaint << " (" << mechanism.name << ")");
    } else {
      CHECK(result.exited());
      CHECK(result.complaint == "");
    }
  }
}

std::span<std::uint64_t> words_of(std::span<std::byte> bytes) {
  return {reinterpret_cast<std::uint64_t*>(bytes.data()), bytes.size() / sizeof(std::uint64_t)};
}

/// One memory, and the bytes that it should have.
class Model {
 public:
  Model(const Mechanism& mechanism, const MemoryOptions& options, std::uint64_t seed)
      : mechanism_(mechanism),
        memory_(mechanism.make(options)),
        expected_(support::plain_copy(memory_->bytes())),
        random_(seed) {}

  void do_something() {
    if (has_begun_) {
      if (!random_.one_in(6)) return store();
      memory_->end();
      has_begun_ = false;
      if (!mechanism_.keeps_stores) expected_ = before_;
    } else if (mechanism_.rolls_back && random_.one_in(2)) {
      try_out();
    } else if (!has_tried_ && random_.one_in(2)) {
      store();
    } else {
      before_ = expected_;
      memory_->begin();
      has_begun_ = true;
      has_tried_ = false;
    }
  }

  /// Empty if they are what they should be.
  [[nodiscard]] std::string difference() const {
    return support::difference(expected_, memory_->bytes());
  }

 private:
  void store() {
    const std::uint64_t value = random_.word();
    const std::size_t word = random_.below(expected_.size() / sizeof value);
    words_of(memory_->bytes())[word] = value;
    words_of(expected_)[word] = value;
  }

  // In a process of its own, where it is fork(): what is thrown there is thrown here.
  void try_out() {
    memory_->try_out([&](std::span<std::byte> bytes) {
      if (!support::same_bytes(bytes, expected_)) {
        throw std::runtime_error("try_out starts from other bytes");
      }
      for (std::size_t i = random_.below(2 * kPages); i > 0; --i) {
        std::uint64_t& word = words_of(bytes)[random_.below(bytes.size() / sizeof(std::uint64_t))];
        word = word + i;
        if (word == 0) throw std::runtime_error("a store is not seen");
      }
    });
    has_tried_ = true;
  }

  const Mechanism& mechanism_;
  std::unique_ptr<Memory> memory_;
  std::vector<std::byte> expected_;
  std::vector<std::byte> before_;
  support::Random random_;
  bool has_begun_ = false;
  bool has_tried_ = false;  ///< nothing may store between two trials
};

std::string follow_model(const Mechanism& mechanism, const MemoryOptions& options,
                         std::size_t steps) {
  Model model(mechanism, options, support::seed());
  for (std::size_t step = 0; step < steps; ++step) {
    model.do_something();
    if (const std::string difference = model.difference(); !difference.empty()) {
      return "step " + std::to_string(step) + ": " + difference;
    }
  }
  return {};
}

}  // namespace

TEST_CASE(
    "every mechanism has the bytes of a plain copy, whatever begins, stores, ends and is tried out",
    "[measure]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  in_process_of_each([](const Mechanism& mechanism) {
    return follow_model(mechanism, {.bytes = kPages * cow::measure::host_page_bytes()},
                        support::scaled(3000));
  });
}

TEST_CASE("mechanisms with granules have the same bytes with larger ones, and libcow's with clones",
          "[measure]") {
  in_process_of_each([](const Mechanism& mechanism) -> std::string {
    const std::size_t page_bytes = cow::measure::host_page_bytes();
    std::string complaint;
    if (mechanism.has_granules) {
      complaint =
          follow_model(mechanism, {.bytes = kPages * page_bytes, .granule_bytes = 4 * page_bytes},
                       support::scaled(1000));
    }
    if (!complaint.empty() || mechanism.name == "kernel") return complaint;
    Mechanism cloned = mechanism;
    if (mechanism.name == "handler") cloned.keeps_stores = false;
    return follow_model(cloned, {.bytes = kPages * page_bytes, .is_cloned = true},
                        support::scaled(1000));
  });
}

TEST_CASE("a tracker answers one fault for the first store to a page, and none for the second",
          "[measure]") {
  in_process_of_each([](const Mechanism& mechanism) -> std::string {
    const auto memory = mechanism.make({.bytes = kPages * cow::measure::host_page_bytes()});
    const auto faults_before = memory->faults_answered();
    if (!faults_before || mechanism.name == "handler") return {};  // which takes pages along
    std::uint64_t expected = *faults_before;
    for (std::size_t round = 1; round < 6; ++round) {
      const auto pages = cow::measure::distinct_pages(kPages, 3 * round, round);
      const auto stores = [&](std::span<std::byte> bytes) {
        for (int times = 0; times < 2; ++times) {
          cow::measure::store_to_each(bytes, pages, cow::measure::host_page_bytes(), round);
        }
      };
      if (round % 2 == 0) {
        memory->try_out(stores);
      } else {
        memory->begin();
        stores(memory->bytes());
        memory->end();
      }
      expected += pages.size();
      if (memory->faults_answered() != expected) {
        return "round " + std::to_string(round) + ": " +
               std::to_string(*memory->faults_answered()) + " faults for " +
               std::to_string(expected) + " first stores";
      }
    }
    return {};
  });
}

namespace {

/// Two threads count in one word of every page, and each in one of its own.
void count_together(std::span<std::byte> bytes, std::size_t page_words) {
  const auto words = words_of(bytes);
  std::atomic<int> ready = 0;
  const auto count = [&](std::size_t own) {
    ++ready;
    while (ready < 2) std::this_thread::yield();
    for (std::size_t page = 0; page < kPages; ++page) {
      std::atomic_ref(words[page * page_words]).fetch_add(1, std::memory_order_relaxed);
      ++words[page * page_words + own];
    }
  };
  std::thread other(count, 1);
  count(2);
  other.join();
}

std::string store_from_two_threads(const Mechanism& mechanism) {
  const std::size_t page_bytes = cow::measure::host_page_bytes();
  const std::size_t page_words = page_bytes / sizeof(std::uint64_t);
  const auto memory = mechanism.make({.bytes = kPages * page_bytes});
  auto expected = support::plain_copy(memory->bytes());
  for (std::size_t round = 0; round < support::scaled(200); ++round) {
    const auto before = expected;
    memory->begin();
    count_together(memory->bytes(), page_words);
    for (std::size_t page = 0; page < kPages; ++page) {
      words_of(expected)[page * page_words] += 2;
      words_of(expected)[page * page_words + 1] += 1;
      words_of(expected)[page * page_words + 2] += 1;
    }
    if (!support::same_bytes(expected, memory->bytes())) return "a store was lost";
    memory->end();
    if (!mechanism.keeps_stores) expected = before;
    if (!support::same_bytes(expected, memory->bytes())) return "other bytes after the end";
    if (mechanism.name == "fork") continue;  // whose child has one thread
    memory->try_out([&](std::span<std::byte> bytes) { count_together(bytes, page_words); });
    if (!support::same_bytes(expected, memory->bytes())) return "other bytes after going back";
  }
  return {};
}

}  // namespace

TEST_CASE("two threads that store to the same pages lose nothing under any mechanism",
          "[measure]") {
  in_process_of_each(store_from_two_threads);
}

TEST_CASE("mechanisms that take a file show its bytes, and never write it", "[measure]") {
  const std::size_t page_bytes = cow::measure::host_page_bytes();
  const cow::measure::Descriptor file = cow::measure::make_memory_file(8 * page_bytes);
  const cow::measure::Mapping view = cow::measure::Mapping::shared(file, 8 * page_bytes);
  support::fill(view.bytes(), 7);
  const std::string name = "/proc/self/fd/" + std::to_string(file.number());
  in_process_of_each([&](const Mechanism& mechanism) -> std::string {
    if (!mechanism.has_files) return {};
    const auto memory = mechanism.make({.bytes = 8 * page_bytes, .file = name});
    if (!support::shows(memory->bytes(), 7)) return "other bytes than the file's";
    memory->begin();
    support::fill(memory->bytes(), 9);
    if (!support::shows(memory->bytes(), 9)) return "a store was lost";
    memory->end();
    return support::shows(memory->bytes(), mechanism.keeps_stores ? 9 : 7) ? "" : "other bytes";
  });
  CHECK(support::shows(view.bytes(), 7));
}

TEST_CASE("a kernel that does not know UFFD_USER_MODE_ONLY is asked without it", "[measure]") {
  if (!support::has_call_filters()) {
    WARN("not run: this system has no filters of system calls");
    return;
  }
  const Mechanism& mechanism = cow::measure::mechanism("uffd-signal");
  if (const std::string why = mechanism.why_not(); !why.empty()) {
    WARN("not run: " << why);
    return;
  }
  const support::ChildResult child = support::run_in_child([&]() -> std::string {
    // Without the flag it is another errno, which shows that it was asked; only the privileged get
    // it on a newer kernel.
    support::CallFilter filter;
    filter.refuse(SYS_userfaultfd, {support::is(0, O_CLOEXEC | 1)}, EINVAL);
    filter.refuse(SYS_userfaultfd, {support::is(0, O_CLOEXEC)}, ENOBUFS);
    if (!filter.install_allowing()) return "no filter";
    const std::string why = mechanism.why_not();
    return why.find(std::strerror(ENOBUFS)) != std::string::npos ? "" : "it says: " + why;
  });
  CHECK(child.exited());
  CHECK(child.complaint == "");
}

TEST_CASE("a mechanism that does not exist is refused with the names of those that do",
          "[measure]") {
  CHECK(cow::measure::mechanism("uffd-thread").name == "uffd-thread");
  try {
    static_cast<void>(cow::measure::mechanism("magic"));
    FAIL("it was found");
  } catch (const std::invalid_argument& error) {
    const std::string what = error.what();
    CHECK(what.find("'magic'") != std::string::npos);
    for (const Mechanism& mechanism : cow::measure::mechanisms()) {
      CHECK(what.find(mechanism.name) != std::string::npos);
    }
  }
}

TEST_CASE("a pattern of stores is an order of distinct pages, and a share is a beginning of it",
          "[measure]") {
  constexpr std::size_t pages = 1000;
  for (const auto pattern : cow::measure::every_pattern) {
    CAPTURE(name_of(pattern));
    const auto all = pages_of(pattern, pages, pages, 5);
    CHECK(all.size() == pages);
    CHECK(std::set(all.begin(), all.end()).size() == pages);
    CHECK(*std::ranges::max_element(all) == pages - 1);
    const auto some = pages_of(pattern, pages, cow::measure::share_of(pages, 0.1), 5);
    CHECK(some.size() == 100);
    CHECK(std::ranges::equal(some, std::span(all).first(100)));
  }
  CHECK(cow::measure::share_of(pages, 0.0001) == 1);
  CHECK(pages_of(cow::measure::Pattern::strided, pages, 3, 1) ==
        cow::measure::PageOrder{0, 16, 32});
}

TEST_CASE("pages drawn for a round are distinct, and the same for the same round", "[measure]") {
  for (const std::size_t count : {1U, 10U, 249U, 250U, 1000U}) {
    const auto drawn = cow::measure::distinct_pages(1000, count, 3);
    CHECK(drawn.size() == count);
    CHECK(std::set(drawn.begin(), drawn.end()).size() == count);
    CHECK(*std::ranges::max_element(drawn) < 1000);
    CHECK(drawn == cow::measure::distinct_pages(1000, count, 3));
    CHECK(drawn != cow::measure::distinct_pages(1000, count, 4));
  }
}

TEST_CASE("every side of clone, share, rounds and rollback is measured, or says why it cannot be",
          "[measure]") {
  cow::measure::Scale quick;
  quick.is_quick = true;
  for (const auto comparisons : {cow::measure::clones_by_size, cow::measure::share_written,
                                 cow::measure::snapshot_rounds, cow::measure::rollback_rounds}) {
    std::set<std::string> workloads;
    for (const auto& comparison : comparisons(quick)) {
      CAPTURE(comparison.workload);
      CHECK(workloads.insert(comparison.workload).second);
      std::set<std::string> names;
      for (const auto& side : comparison.sides) {
        CAPTURE(side.mechanism);
        CHECK(names.insert(side.mechanism).second);
        const auto result = support::run_in_child([&]() -> std::string {
          ::alarm(120);
          try {
            const cow::measure::Turn turn = side.prepare();
            for (std::uint64_t number = 0; number < 2; ++number) {
              const auto samples = turn(number).samples;
              if (samples.size() != 1 || samples[0] <= 0) return "no sample";
            }
          } catch (const cow::measure::Unavailable& why) {
            return support::is_sentence(why.what()) ? "" : "no sentence";
          }
          return {};
        });
        CHECK(result.exited());
        CHECK(result.complaint == "");
      }
      CHECK(names.contains(comparison.against));
    }
  }
}
