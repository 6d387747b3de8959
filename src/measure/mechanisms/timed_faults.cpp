// What all first stores have in common, and those that are not taken apart.

#include "measure/mechanisms/timed_faults.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cow/region.hpp>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "measure/experiment.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "measure/mechanisms/tracked_memory.hpp"

namespace cow::measure {

std::uint64_t* TimedFaults::word(std::size_t page) {
  const std::span<std::byte> memory = bytes();
  if (memory.empty()) return nullptr;
  const std::size_t page_bytes = host_page_bytes();
  return reinterpret_cast<std::uint64_t*>(&memory[page * page_bytes + page_bytes / 2]);
}

void TimedFaults::store(std::uint64_t* word, std::uint64_t value) {
  *static_cast<volatile std::uint64_t*>(word) = value;
}

namespace {

class Whole : public TimedFaults {
 public:
  [[nodiscard]] std::span<const std::string_view> steps() const final { return {}; }
  [[nodiscard]] std::optional<StepTimes> times() final { return std::nullopt; }
};

class OfMechanism final : public Whole {
 public:
  explicit OfMechanism(std::unique_ptr<Memory> memory) : memory_(std::move(memory)) {}
  std::span<std::byte> bytes() override { return memory_->bytes(); }
  void begin() override { memory_->begin(); }
  void end() override { memory_->end(); }
  [[nodiscard]] std::optional<std::uint64_t> faults_answered() override {
    return memory_->faults_answered();
  }

 private:
  std::unique_ptr<Memory> memory_;
};

/// What a tracker notes of its answers.
class OfTracker final : public TimedFaults {
 public:
  /// Throws std::bad_cast if it is the memory of no tracker.
  explicit OfTracker(std::unique_ptr<Memory> memory)
      : memory_(std::move(memory)), tracked_(dynamic_cast<TrackedMemory&>(*memory_)) {
    tracked_.note_times(&noted_);
  }
  OfTracker(const OfTracker&) = delete;
  OfTracker& operator=(const OfTracker&) = delete;
  ~OfTracker() override { tracked_.note_times(nullptr); }

  std::span<std::byte> bytes() override { return memory_->bytes(); }
  void begin() override {
    noted_.forget();
    memory_->begin();
  }
  void end() override { memory_->end(); }
  [[nodiscard]] std::span<const std::string_view> steps() const override {
    static constexpr std::array<std::string_view, 4> names = {"delivery", "lookup", "copy", "map"};
    return names;
  }
  [[nodiscard]] std::optional<StepTimes> times() override { return noted_.take(); }

 private:
  NotedTimes noted_;
  std::unique_ptr<Memory> memory_;
  TrackedMemory& tracked_;
};

class OfPlainMemory final : public Whole {
 public:
  OfPlainMemory(PlainPage page, std::size_t bytes)
      : page_(page), memory_(plain_memory({.bytes = bytes})) {}
  std::span<std::byte> bytes() override { return memory_.bytes(); }
  void begin() override {
    if (page_ == PlainPage::upgraded) share_for_a_moment();
    if (page_ != PlainPage::untouched && page_ != PlainPage::zero_page) return;
    if (::madvise(bytes().data(), bytes().size(), MADV_DONTNEED) != 0) refused("madvise");
    if (page_ == PlainPage::zero_page) read_every_page();
  }
  void end() override { store_to_every_page(bytes()); }

 private:
  static void share_for_a_moment() {
    const pid_t child = ::fork();
    if (child < 0) refused("fork");
    if (child == 0) ::_exit(0);
    while (::waitpid(child, nullptr, 0) < 0) {
      if (errno != EINTR) refused("waitpid");
    }
  }
  void read_every_page() const {
    const std::span<const std::byte> all = memory_.bytes();
    for (std::size_t at = 0; at < all.size(); at += host_page_bytes()) {
      static_cast<void>(*static_cast<const volatile std::byte*>(&all[at]));
    }
  }

  PlainPage page_;
  Mapping memory_;
};

class OfSoleOwner final : public Whole {
 public:
  explicit OfSoleOwner(std::size_t bytes)
      : region_(cow::Region::create(
            bytes, {.max_window_pages = 1, .mechanism = cow::Mechanism::handler})) {
    store_to_every_page(region_.bytes());
  }
  std::span<std::byte> bytes() override { return region_.bytes(); }
  void begin() override { static_cast<void>(region_.snapshot()); }
  void end() override {}

 private:
  cow::Region region_;
};

std::unique_ptr<Memory> make(std::string_view mechanism, std::size_t bytes) {
  const Mechanism& chosen = measure::mechanism(mechanism);
  if (const std::string reason = chosen.why_not(); !reason.empty()) throw Unavailable(reason);
  return chosen.make({.bytes = bytes});
}

}  // namespace

std::unique_ptr<TimedFaults> whole_faults(std::string_view mechanism, std::size_t bytes) {
  return std::make_unique<OfMechanism>(make(mechanism, bytes));
}

std::unique_ptr<TimedFaults> timed_tracker(std::string_view mechanism, std::size_t bytes) {
  return std::make_unique<OfTracker>(make(mechanism, bytes));
}

std::unique_ptr<TimedFaults> plain_faults(PlainPage page, std::size_t bytes) {
  return std::make_unique<OfPlainMemory>(page, bytes);
}

std::unique_ptr<TimedFaults> handler_upgrades(std::size_t bytes) {
  return std::make_unique<OfSoleOwner>(bytes);
}

}  // namespace cow::measure
