#include "counting_storm.hpp"

#include <algorithm>
#include <cstring>

#include "session.hpp"

namespace cow_bench {

namespace {

constexpr std::size_t words_in_page = CountingStorm::kPageBytes / sizeof(std::uint64_t);
constexpr std::uint64_t filler = 0x0101010101010101U * CountingStorm::kFiller;

/// The pages that a thread stores to, one after the other.
class PagesOfThread {
 public:
  PagesOfThread(std::size_t thread, std::size_t pages) : random_(thread), pages_(pages) {}
  std::size_t next() {
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    return (random_ >> 33) % pages_;
  }

 private:
  std::uint64_t random_;
  std::size_t pages_;
};

std::uint64_t word_at(std::span<const std::byte> image, std::size_t page, std::size_t word) {
  std::uint64_t value = 0;
  std::memcpy(&value, &image[page * CountingStorm::kPageBytes + word * sizeof value], sizeof value);
  return value;
}

/// How many stores of a thread are in an image: none has a larger number.
std::uint64_t stores_in(std::span<const std::byte> image, std::size_t pages, std::size_t thread) {
  std::uint64_t most = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    const std::uint64_t value = word_at(image, page, thread);
    if (value != filler) most = std::max(most, value);
  }
  return most;
}

}  // namespace

CountingStorm::CountingStorm(std::byte* data, std::size_t bytes) : pages_(bytes / kPageBytes) {
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads_.emplace_back([this, data, i] { run(data, i); });
  }
}

void CountingStorm::stop() {
  stops_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

CountingStorm::Counts CountingStorm::counts() const {
  Counts counts{};
  for (std::size_t i = 0; i < kThreads; ++i) counts[i] = done_[i];
  return counts;
}

void CountingStorm::run(std::byte* data, std::size_t thread) {
  PagesOfThread pages(thread, pages_);
  for (std::uint64_t number = 1; !stops_.load(std::memory_order_relaxed); ++number) {
    std::byte* const page = data + pages.next() * kPageBytes;
    auto& word = reinterpret_cast<std::uint64_t*>(page)[thread];
    const std::uint64_t start = now_ns();
    std::atomic_ref<std::uint64_t>(word).store(number, std::memory_order_release);
    times_.note(now_ns() - start);
    done_[thread].store(number, std::memory_order_release);
  }
}

std::size_t CountingStorm::wrong_pages(std::span<const std::byte> image, const Counts& before,
                                       const Counts& after) const {
  if (image.size() != pages_ * kPageBytes) return pages_;
  std::vector<bool> is_wrong(pages_, false);
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    const std::uint64_t stores = stores_in(image, pages_, thread);
    // The one after the last that was counted may have been done, or not.
    if (stores < before[thread] || stores > after[thread] + 1) return pages_;
    std::vector<std::uint64_t> expected(pages_, filler);
    PagesOfThread pages(thread, pages_);
    for (std::uint64_t number = 1; number <= stores; ++number) expected[pages.next()] = number;
    for (std::size_t page = 0; page < pages_; ++page) {
      if (word_at(image, page, thread) != expected[page]) is_wrong[page] = true;
    }
  }
  for (std::size_t page = 0; page < pages_; ++page) {
    for (std::size_t word = kThreads; word < words_in_page; ++word) {
      if (word_at(image, page, word) != filler) is_wrong[page] = true;
    }
  }
  return static_cast<std::size_t>(std::count(is_wrong.begin(), is_wrong.end(), true));
}

}  // namespace cow_bench
