// A consistent cut while threads store, against a copy that is made page by page.

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/content.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

constexpr std::size_t writers = 2;
constexpr std::size_t cuts = 50;

// Ordered and whole, as an aligned word is, but nothing that ThreadSanitizer does by itself: it
// holds a lock of its own while it makes an atomic store, and libcow's handler would wait for that.
[[gnu::noinline]] __attribute__((no_sanitize("thread"))) void store_number(std::byte* place,
                                                                           std::uint64_t number) {
  std::atomic_thread_fence(std::memory_order_release);
  *reinterpret_cast<volatile std::uint64_t*>(place) = number;
}

[[gnu::noinline]] __attribute__((no_sanitize("thread"))) std::uint64_t load_number(
    const std::byte* place) {
  const std::uint64_t number = *reinterpret_cast<const volatile std::uint64_t*>(place);
  std::atomic_thread_fence(std::memory_order_acquire);
  return number;
}

/// Threads that store a number to one of their pages after the other, then the next number. At
/// every moment a thread's pages have one number up to some page, and from there on the one before.
class Writers {
 public:
  explicit Writers(Region& region) : pages_(page_count(region) / writers) {
    for (std::size_t i = 0; i < writers; ++i) {
      std::byte* const first = region.data() + i * pages_ * region.page_bytes();
      threads_.emplace_back([this, first, bytes = region.page_bytes()] { run(first, bytes); });
    }
    while (rounds_ < 2 * writers) std::this_thread::yield();
  }
  ~Writers() { stop(); }
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  void stop() {
    stops_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }

  /// Whether memory like the region's could be of one moment.
  [[nodiscard]] bool is_one_moment(const std::byte* bytes, std::size_t page_bytes) const {
    for (std::size_t i = 0; i < writers; ++i) {
      const std::byte* const first = bytes + i * pages_ * page_bytes;
      for (std::size_t page = 1; page < pages_; ++page) {
        const std::uint64_t before = number_at(first + (page - 1) * page_bytes);
        const std::uint64_t after = number_at(first + page * page_bytes);
        if (after > before || number_at(first) - after > 1) return false;
      }
    }
    return true;
  }

 private:
  static std::uint64_t number_at(const std::byte* place) {
    std::uint64_t number = 0;
    std::memcpy(&number, place, sizeof number);
    return number;
  }

  void run(std::byte* first, std::size_t page_bytes) {
    for (std::uint64_t number = 1; !stops_; ++number) {
      for (std::size_t page = 0; page < pages_; ++page) {
        store_number(first + page * page_bytes, number);
      }
      ++rounds_;
    }
  }

  std::size_t pages_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stops_{false};
  std::atomic<std::uint64_t> rounds_{0};
};

// A copy as a program makes it that has no snapshots: page by page, while the threads go on.
void copy_words(const Region& region, std::vector<std::byte>& copy) {
  for (std::size_t offset = 0; offset < region.size(); offset += region.page_bytes()) {
    const std::uint64_t number = load_number(region.data() + offset);
    std::memcpy(copy.data() + offset, &number, sizeof number);
    std::this_thread::yield();  // whoever copies is not alone on the machine
  }
}

}  // namespace

void run_snapshot(Recorder& recorder, const ChapterOptions& options) {
  Scene& scene = recorder.scene();
  // The threads' numbers are what is in it.
  Region& region = add_letters(recorder, options, "A", options.pages_shown / 2);
  for (std::size_t offset = 0; offset < region.size(); offset += region.page_bytes()) {
    std::memset(region.data() + offset, 0, sizeof(std::uint64_t));
  }
  Step intro;
  intro.focus = Focus::overview;
  intro.title = "Threads store all the time";
  intro.sentence =
      "Each of two threads has half of the pages. It stores a number to them in order, "
      "then the next number, and never stops. At no moment has a page a larger number "
      "than the one before it.";
  recorder.show(std::move(intro));
  const Question question{
      "Somebody copies the region page by page while the threads go on. Can a page of the copy "
      "have a larger number than the one before it, which never happened?",
      "Yes: the copy is of no one moment. A snapshot is."};
  recorder.ask(question);

  std::size_t torn_copies = 0;
  std::size_t torn_snapshots = 0;
  std::uint64_t rounds = 0;
  {
    Writers threads(region);
    std::vector<std::byte> copy(region.size());
    for (std::size_t i = 0; i < cuts; ++i) {
      copy_words(region, copy);
      if (!threads.is_one_moment(copy.data(), region.page_bytes())) ++torn_copies;
      const Snapshot snapshot = region.snapshot();
      if (!threads.is_one_moment(snapshot.bytes().data(), region.page_bytes())) ++torn_snapshots;
    }
    threads.stop();
    rounds = threads.rounds();
  }
  Step table;
  table.focus = Focus::table;
  table.title = "Of one moment, or not";
  table.sentence = "Both were made in turn while the threads stored.";
  table.table = {"                     made   of no one moment",
                 fmt::format("copy, page by page {:>6} {:>18}", cuts, torn_copies),
                 fmt::format("snapshot           {:>6} {:>18}", cuts, torn_snapshots)};
  table.facts = {{"rounds", fmt::format("{} by {} threads", tool::with_commas(rounds), writers)}};
  table.answered = question;
  recorder.show(std::move(table));

  scene.add("S", region.snapshot());
  Step kept;
  kept.focus = Focus::event;
  kept.title = "S = A.snapshot(), with the threads at rest";
  kept.sentence =
      "A snapshot shows the frames of this moment. A's pages are protected: that is the "
      "cut.";
  recorder.show(std::move(kept));
  recorder.store_at_once({"A", options.pages_shown / 2, "",
                          "The store moved A to another frame. S keeps the old one, for as long as "
                          "anybody has S."});
}

}  // namespace cow::demo
