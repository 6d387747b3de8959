#include "backup_support.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "sanitizer.hpp"
#include "support.hpp"

namespace support {

namespace {

std::size_t bytes_of_memfds() {
  std::size_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const std::filesystem::path target = std::filesystem::read_symlink(entry.path(), ignored);
    struct stat status {};
    if (target.string().find("memfd:") == std::string::npos) continue;
    if (::stat(entry.path().c_str(), &status) == 0)
      bytes += static_cast<std::size_t>(status.st_blocks) * 512;
  }
  return bytes;
}

std::size_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::size_t kib = 0;
  while (status >> word) {
    if (word == "RssAnon:") status >> kib;
  }
  return kib * 1024;
}

std::uint64_t mixed(std::uint64_t number) {
  number = (number ^ (number >> 31)) * 0x9e3779b97f4a7c15U;
  return number ^ (number >> 29);
}

}  // namespace

std::size_t kernel_bytes() { return bytes_of_memfds() + anonymous_bytes(); }

bool is_asleep(pid_t thread_id) {
  for (int look = 0; look < 5; ++look) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread_id) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return true;
    if (text[name_end + 2] != 'S') return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::function<bool(const cow::BackupProgress&)> Gate::progress(unsigned stop_at) {
  return [this, stop_at](const cow::BackupProgress&) {
    if (++calls_ != stop_at) return true;
    is_held_.store(true);
    while (!is_open_.load()) std::this_thread::yield();
    return true;
  };
}

void Gate::wait_until_held() const {
  while (!is_held_.load()) std::this_thread::yield();
}

Storm::Storm(cow::Region& region, std::size_t threads)
    : region_(region),
      count_(threads),
      pages_each_(region.size() / region.page_bytes() / threads),
      stores_(threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, i] { run(i); });
}

void Storm::stop() {
  stops_.store(true);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Storm::wait_for_stores(std::uint64_t each) const {
  for (const std::atomic<std::uint64_t>& stores : stores_) {
    while (stores.load() < each) std::this_thread::yield();
  }
}

// The pages of threads lie among each other.
std::size_t Storm::page_of(std::size_t thread, std::uint64_t store) const {
  return mixed(store * 64 + thread) % pages_each_ * count_ + thread;
}

void Storm::run(std::size_t thread) {
  for (std::uint64_t store = 1; !stops_.load(std::memory_order_relaxed); ++store) {
    std::atomic_ref<std::uint64_t>(word_at(region_, page_of(thread, store)))
        .store(store, release_order);
    stores_[thread].store(store, std::memory_order_relaxed);
  }
}

std::string Storm::check(std::span<const std::byte> bytes) const {
  const std::size_t page_bytes = region_.page_bytes();
  for (std::size_t thread = 0; thread < count_; ++thread) {
    const auto shown = [&](std::size_t i) {
      return read_word(bytes, (i * count_ + thread) * page_bytes);
    };
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < pages_each_; ++i) last = std::max(last, shown(i));
    std::vector<std::uint64_t> expected(pages_each_);
    for (std::uint64_t store = 1; store <= last; ++store) {
      expected[page_of(thread, store) / count_] = store;
    }
    for (std::size_t i = 0; i < pages_each_; ++i) {
      if (shown(i) == expected[i]) continue;
      return "page " + std::to_string(i * count_ + thread) + " shows store " +
             std::to_string(shown(i)) + " of its thread and not " + std::to_string(expected[i]) +
             ", and the last one of all is " + std::to_string(last);
    }
  }
  return "";
}

MemoryWatch::MemoryWatch() : before_(kernel_bytes()) {
  if (has_sanitizer) return;  // its own memory is counted, too
  thread_ = std::thread([this] {
    while (!stops_.load()) {
      const std::size_t now = kernel_bytes();
      if (now > most_.load()) most_.store(now);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
}

std::size_t MemoryWatch::most_extra() {
  stops_.store(true);
  if (thread_.joinable()) thread_.join();
  return most_.load() > before_ ? most_.load() - before_ : 0;
}

}  // namespace support
