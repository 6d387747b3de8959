// Leases across threads, beside snapshots and clones.

#include "catch.hpp"
#include "lease_support.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;
using cow::WriteLease;
using support::kernel_fills;
using support::lease_pages;

namespace {

/// What a reader of records finds wrong first.
class Complaint {
 public:
  void set(const std::string& what) {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (what_.empty()) what_ = what;
  }
  std::string get() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return what_;
  }

 private:
  std::mutex mutex_;
  std::string what_;
};

}  // namespace

TEST_CASE("a lease that one thread began is used by another and ended by a third", "[mm]") {
  Region region = Region::create(40 * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  const Snapshot past = region.snapshot();
  std::optional<WriteLease> lease;
  std::thread([&] { lease = lease_pages(region, 3, 30); }).join();
  const Snapshot during = region.snapshot();
  bool arrived = false;
  std::thread([&] { arrived = kernel_fills(lease->bytes(), 2); }).join();
  CHECK(arrived);
  CHECK(region.stats().pages_leased == 30);
  std::thread([taken = std::move(*lease)]() mutable {
    const WriteLease ended(std::move(taken));
  }).join();
  CHECK(region.stats().pages_leased == 0);
  CHECK(support::shows(past.bytes(), 1));
  CHECK(support::shows(during.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("the last lease of a region that is gone may end on any thread", "[mm]") {
  const cow::ProcessStats before = cow::process_stats();
  std::vector<WriteLease> leases;
  {
    Region region = Region::create(40 * support::page_bytes(), support::options());
    for (std::size_t i = 0; i < 8; ++i) leases.push_back(lease_pages(region, 5 * i, 5));
  }
  std::atomic<std::size_t> arrived{0};
  std::vector<std::thread> crew;
  for (WriteLease& each : leases) {
    crew.emplace_back([&arrived, lease = std::move(each)]() mutable {
      const WriteLease own(std::move(lease));
      arrived += kernel_fills(own.bytes(), 2) && support::shows(own.bytes(), 2);
    });
  }
  for (std::thread& thread : crew) thread.join();
  CHECK(arrived == 8);
  CHECK(cow::process_stats().regions == before.regions);
  CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
}

namespace {

/// Each thread has records of its own, spread over all pages, and keeps what they should hold.
/// The kernel writes a record in one piece of 16 bytes: the number of its writing, twice mixed.
class Records {
 public:
  static constexpr std::size_t bytes = 16;
  static constexpr std::size_t on_each_page = 4;

  Records(Region& region, std::size_t pages, std::size_t writers)
      : region_(region), pages_(pages), written_(writers) {
    for (auto& numbers : written_) numbers.resize(pages * on_each_page);
  }

  /// One after the other: leases a range and lets the kernel fill some records in it.
  std::string write_some(std::size_t writer, int file, support::Random& random) {
    const std::size_t first = random.below(pages_);
    const std::size_t last = random.between(first, std::min(pages_ - 1, first + 8));
    const WriteLease lease = lease_pages(region_, first, last - first + 1);
    for (std::size_t i = 0; i < 12; ++i) {
      const std::size_t page = random.between(first, last);
      const std::size_t slot = random.below(on_each_page);
      std::uint64_t& number = written_[writer][page * on_each_page + slot];
      ++number;
      const std::uint64_t words[2] = {number, ~number};
      std::byte* const target = lease.data() + place(writer, page, slot) - place(0, first, 0);
      if (::pwrite(file, words, bytes, 0) != bytes || ::pread(file, target, bytes, 0) != bytes) {
        return "the kernel refuses to write to a leased page";
      }
      if (std::memcmp(target, words, bytes) != 0) return "a write is lost";
    }
    return "";
  }

  /// Stores to pages in a row, leased by others or not, so that windows open beside leases.
  void store_some(std::size_t writer, support::Random& random) {
    const std::size_t first = random.below(pages_);
    const std::size_t slot = random.below(on_each_page);
    for (std::size_t page = first; page < std::min(pages_, first + 12); ++page) {
      const std::uint64_t number = ++written_[writer][page * on_each_page + slot];
      std::memcpy(region_.data() + place(writer, page, slot), &number, sizeof(number));
    }
  }

  /// What is wrong with the final bytes.
  std::string check_end() const {
    for (std::size_t writer = 0; writer < written_.size(); ++writer) {
      for (std::size_t i = 0; i < written_[writer].size(); ++i) {
        const std::size_t at = place(writer, i / on_each_page, i % on_each_page);
        const std::uint64_t number = written_[writer][i];
        if (support::read_word(std::as_const(region_).bytes(), at) != number) {
          return "record " + std::to_string(i) + " of writer " + std::to_string(writer) +
                 " is not the last one written";
        }
      }
    }
    return "";
  }

  [[nodiscard]] std::size_t place(std::size_t writer, std::size_t page, std::size_t slot) const {
    const std::size_t stride = support::page_bytes() / on_each_page;
    return page * support::page_bytes() + slot * stride + writer * bytes;
  }

 private:
  Region& region_;
  std::size_t pages_;
  std::vector<std::vector<std::uint64_t>> written_;
};

/// A cut of the region, whoever wrote meanwhile: no byte of it changes later.
template <class Cut>
std::string stays_as_it_is(const Cut& cut) {
  const std::vector<std::byte> first = support::plain_copy(cut.bytes());
  for (int i = 0; i < 3; ++i) {
    std::this_thread::yield();
    const std::string difference = support::difference(first, cut.bytes());
    if (!difference.empty()) return difference;
  }
  return "";
}

}  // namespace

TEST_CASE("eight threads lease and let the kernel write beside stores, snapshots and clones",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  constexpr std::size_t pages = 600;
  constexpr std::size_t writers = 8;
  constexpr std::size_t storers = 2;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  Records records(region, pages, writers + storers);
  Complaint complaint;
  std::atomic<std::size_t> running{writers};
  std::vector<std::thread> crew;
  for (std::size_t writer = 0; writer < writers; ++writer) {
    crew.emplace_back([&, writer] {
      support::Random random(seed + writer);
      const int file = ::memfd_create("record", MFD_CLOEXEC);
      for (std::size_t round = 0; round < support::scaled(300); ++round) {
        complaint.set(records.write_some(writer, file, random));
      }
      ::close(file);
      --running;
    });
  }
  for (std::size_t storer = writers; storer < writers + storers; ++storer) {
    crew.emplace_back([&, storer] {
      support::Random random(seed + storer);
      while (running.load() > 0) records.store_some(storer, random);
    });
  }
  std::size_t cuts = 0;
  for (std::vector<Snapshot> history; running.load() > 0 || cuts < 20; ++cuts) {
    history.push_back(region.snapshot());
    const std::string changed = stays_as_it_is(history.back());
    if (!changed.empty()) complaint.set("a snapshot changed: " + changed);
    if (cuts % 4 == 0) {
      const Region clone = region.clone(cuts % 8 == 0 ? cow::CloneMode::lazy  //
                                                      : cow::CloneMode::eager);
      const std::string differs = stays_as_it_is(clone);
      if (!differs.empty()) complaint.set("a clone changed: " + differs);
    }
    if (history.size() > 5) history.erase(history.begin(), history.begin() + 3);
  }
  for (std::thread& thread : crew) thread.join();
  CHECK(complaint.get() == "");
  CHECK(records.check_end() == "");
  CHECK(region.stats().pages_leased == 0);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("stores of threads to leased pages and beside them are not lost during snapshots",
          "[mm]") {
  constexpr std::size_t pages = 40;
  constexpr std::size_t threads = 4;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  const WriteLease lease = lease_pages(region, 10, 20);
  std::atomic<bool> stopping{false};
  std::vector<std::uint64_t> added(threads);
  std::vector<std::thread> crew;
  for (std::size_t i = 0; i < threads; ++i) {
    crew.emplace_back([&, i] {
      support::Random random(i);
      while (!stopping.load(std::memory_order_relaxed)) {
        auto& word = support::word_at(region, random.below(pages), 8 * i);
        std::atomic_ref<std::uint64_t>(word).fetch_add(1, std::memory_order_relaxed);
        ++added[i];
      }
    });
  }
  std::vector<std::uint64_t> before(threads * pages);
  std::size_t backwards = 0;
  for (std::size_t round = 0; round < support::scaled(300); ++round) {
    const Snapshot snapshot = region.snapshot();
    const auto bytes = snapshot.bytes();
    for (std::size_t at = 0; at < before.size(); ++at) {
      const std::size_t offset = at / threads * support::page_bytes() + at % threads * 8;
      const std::uint64_t now = support::read_word(bytes, offset);
      backwards += now < before[at];
      before[at] = now;
    }
  }
  stopping = true;
  for (std::thread& thread : crew) thread.join();
  CHECK(backwards == 0);
  for (std::size_t i = 0; i < threads; ++i) {
    std::uint64_t total = 0;
    for (std::size_t page = 0; page < pages; ++page) {
      total += support::word_at(region, page, 8 * i);
    }
    CHECK(total == added[i]);
  }
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("forks beside threads that lease neither hang nor mix up the bytes", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  constexpr std::size_t pages = 40;
  constexpr std::size_t writers = 4;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  Records records(region, pages, writers);
  Complaint complaint;
  std::atomic<bool> stopping{false};
  std::vector<std::thread> crew;
  for (std::size_t writer = 0; writer < writers; ++writer) {
    crew.emplace_back([&, writer] {
      support::Random random(seed + writer);
      const int file = ::memfd_create("record", MFD_CLOEXEC);
      while (!stopping.load()) complaint.set(records.write_some(writer, file, random));
      ::close(file);
    });
  }
  for (std::size_t round = 0; round < support::scaled(100); ++round) {
    const auto result = support::run_in_child([&]() -> std::string {
      const std::vector<std::byte> at_fork = support::plain_copy(region.bytes());
      const Snapshot own = region.snapshot();
      const WriteLease lease = lease_pages(region, 5, 30);
      if (!kernel_fills(lease.bytes(), round)) return "the kernel refuses in the child";
      std::this_thread::yield();
      if (!support::shows(lease.bytes(), round)) return "the child sees the parent's writes";
      const std::string difference = support::difference(at_fork, own.bytes());
      return difference.empty() ? support::broken_invariant(region) : difference;
    });
    if (!result.exited()) complaint.set("a child died");
    complaint.set(result.complaint);
  }
  stopping = true;
  for (std::thread& thread : crew) thread.join();
  CHECK(complaint.get() == "");
  CHECK(records.check_end() == "");
  CHECK(support::broken_invariant(region) == "");
}
