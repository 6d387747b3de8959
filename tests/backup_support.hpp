// What the tests of backups have in common: what the kernel counts, a gate for the backup's thread,
// and a storm of stores whose moment can be told from what was saved.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace support {

/// Memory of this process by the kernel's count: blocks of its memfds, and RssAnon.
std::size_t kernel_bytes();

/// Whether a thread of this process sleeps, and not for a lock, which is had at once; or has ended.
bool is_asleep(pid_t thread_id);

/// A progress function that lets the backup's thread go on step by step.
class Gate {
 public:
  /// For BackupOptions::progress. Holds the thread at its call number `stop_at`, from 1 on.
  [[nodiscard]] std::function<bool(const cow::BackupProgress&)> progress(unsigned stop_at);
  /// Until the thread is held.
  void wait_until_held() const;
  void open() { is_open_.store(true); }

 private:
  std::atomic<unsigned> calls_{0};
  std::atomic<bool> is_held_{false};
  std::atomic<bool> is_open_{false};
};

/// Threads that store to a region, each to pages of its own, in an order that is known: from what
/// pages show it can be told which store of the thread was the last one, and what all must show
/// then.
class Storm {
 public:
  Storm(cow::Region& region, std::size_t threads);
  ~Storm() { stop(); }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  /// Until each thread has stored so often.
  void wait_for_stores(std::uint64_t each) const;
  void stop();
  /// Empty if `bytes` are what the region showed at some moment of each thread, else a sentence.
  [[nodiscard]] std::string check(std::span<const std::byte> bytes) const;

 private:
  [[nodiscard]] std::size_t page_of(std::size_t thread, std::uint64_t store) const;
  void run(std::size_t thread);

  cow::Region& region_;
  std::size_t count_;
  std::size_t pages_each_;
  std::atomic<bool> stops_{false};
  std::vector<std::atomic<std::uint64_t>> stores_;
  std::vector<std::thread> threads_;
};

/// Samples kernel_bytes() on a thread of its own and keeps the most it saw.
class MemoryWatch {
 public:
  MemoryWatch();
  /// The most that there was beyond the count when it began.
  std::size_t most_extra();

 private:
  std::size_t before_;
  std::atomic<bool> stops_{false};
  std::atomic<std::size_t> most_{0};
  std::thread thread_;
};

}  // namespace support
