#pragma once

// What the trackers have in common: pages are protected, and whoever is told of the first store to
// one saves its bytes to a log and opens it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "measure/mechanisms/noted_times.hpp"

namespace cow::measure {

/// Some pages, one after the other.
struct TrackedRun {
  std::size_t first_page = 0;
  std::size_t page_count = 0;
};

/// The bytes of pages before they were stored to. All its memory is there from the start: a handler
/// allocates nothing.
class PageLog {
 public:
  PageLog(std::span<std::byte> bytes, std::size_t page_bytes);

  [[nodiscard]] std::size_t pages() const { return pages_; }
  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }
  /// The page of an address; nothing if it is none of ours. Async-signal-safe, as all below here.
  [[nodiscard]] std::optional<std::size_t> page_of(const void* address) const noexcept;

  /// Whether the caller is the first, who has to save() the page and to open it. Others wait until
  /// it is saved, and try their store again: it faults until the page is open.
  [[nodiscard]] bool claim(std::size_t page) noexcept;
  void save(std::size_t page) noexcept;

  /// Those that were saved, in the order in which they were.
  [[nodiscard]] std::span<const std::uint32_t> saved_pages() const;
  void put_back() const;
  void clear();

 private:
  enum State : std::uint8_t { untouched, being_saved, is_saved };

  [[nodiscard]] std::byte* address_of(std::size_t page) const noexcept {
    return bytes_.data() + page * page_bytes_;
  }
  [[nodiscard]] std::byte* slot(std::size_t index) const noexcept {
    return copies_.bytes().data() + index * page_bytes_;
  }

  std::span<std::byte> bytes_;
  std::size_t page_bytes_;
  std::size_t pages_;
  Mapping copies_;  ///< stored to from end to end beforehand
  std::unique_ptr<std::atomic<std::uint8_t>[]> states_;
  std::unique_ptr<std::uint32_t[]> order_;
  std::atomic<std::size_t> count_ = 0;
  /// Whoever saves may be another thread than who asks what was saved: of count_, those whose place
  /// in order_ is written.
  std::atomic<std::size_t> noted_ = 0;
};

/// Memory whose pages one of the trackers protects.
class TrackedMemory : public Memory {
 public:
  explicit TrackedMemory(const MemoryOptions& options);

  [[nodiscard]] std::span<std::byte> bytes() override { return memory_.bytes(); }
  void begin() override;
  void end() override;
  void try_out(const std::function<void(std::span<std::byte>)>& stores) override;
  [[nodiscard]] std::optional<std::uint64_t> faults_answered() override;

  /// From now on it is noted when each step of an answer ended: the answer began, the page was
  /// found, saved, and opened. Null: no longer. Not between begin() and end().
  void note_times(NotedTimes* into) { times_ = into; }

 protected:
  /// The next store to any of these pages is told to answer_store. Throws if the kernel refuses.
  virtual void protect(std::span<std::byte> pages) = 0;
  /// Opens a page; ends the process where the kernel refuses. Async-signal-safe.
  virtual void open(std::span<std::byte> page) noexcept = 0;
  /// The same in two steps, where open() lets another thread's store go on, so that the time
  /// between them can be told.
  virtual void open_quietly(std::span<std::byte> page) noexcept { open(page); }
  virtual void let_go_on(std::span<std::byte>) noexcept {}

  /// Saves the page and opens it; false if the address is none of ours. Async-signal-safe.
  [[nodiscard]] bool answer_store(const void* address) noexcept;

 private:
  [[nodiscard]] std::span<std::byte> span_of(TrackedRun run) const;
  void save_and_note(std::size_t page, std::uint64_t entered_ns, NotedTimes& into) noexcept;

  Mapping memory_;
  PageLog log_;
  std::atomic<bool> is_active_ = false;
  std::atomic<NotedTimes*> times_ = nullptr;
  std::atomic<std::uint64_t> faults_ = 0;
  std::atomic<bool> must_protect_all_ = true;  ///< pages were opened that the log knows nothing of
};

}  // namespace cow::measure
