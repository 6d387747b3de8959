#pragma once

// The database: a store in a memory, its image on the disk, and what is known of the saves.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "../command_line.hpp"
#include "memory.hpp"
#include "store.hpp"

class Database {
 public:
  Database(std::unique_ptr<Memory> memory, std::filesystem::path image)
      : memory_(std::move(memory)),
        image_(std::move(image)),
        store_(memory_->segment()),
        limit_text_(memory_->least_limit() ? "10%" : "none") {}

  [[nodiscard]] Store& store() { return store_; }

  static constexpr const char* kLimits = "bytes, a share of the data from 0% to 100%, or none";

  /// The most memory that a save may take: bytes, or, with a '%' behind, a share of what the data
  /// take (or the least that can be kept, if that is more), or "none". False, and as it was, if it
  /// is none of them.
  bool set_limit(const std::string& text) {
    if (text != "none") {
      const bool is_share = text.ends_with('%');
      const std::string_view digits(text.data(), text.size() - (is_share ? 1 : 0));
      constexpr std::size_t any = std::numeric_limits<std::size_t>::max();
      const auto limit = examples::number_of(digits, 0, is_share ? 100 : any);
      if (!limit) return false;
      limit_ = *limit;
    }
    limit_text_ = text;
    return true;
  }
  [[nodiscard]] const std::string& limit_text() const { return limit_text_; }

  [[nodiscard]] std::size_t used_bytes() {
    cow::SegmentManager& segment = memory_->segment();
    return segment.get_size() - segment.get_free_memory();
  }

  [[nodiscard]] bool is_saving() const { return memory_->is_saving(); }
  [[nodiscard]] pid_t saving_process() const { return memory_->saving_process(); }
  [[nodiscard]] std::uint64_t saves() const { return saves_; }
  [[nodiscard]] std::time_t last_save() const { return last_save_; }
  [[nodiscard]] const SaveResult& last_result() const { return last_result_; }
  /// In bytes, the limit of the last one.
  [[nodiscard]] std::size_t last_limit() const { return last_limit_; }
  /// How long the last start_save() kept the server.
  [[nodiscard]] double start_seconds() const { return start_seconds_; }

  /// The image is to be that of this moment. Precondition: !is_saving().
  void start_save() {
    std::size_t limit = limit_;
    if (limit_text_ == "none") limit = std::numeric_limits<std::size_t>::max();
    if (limit_text_.ends_with('%')) {
      limit = std::max(used_bytes() / 100 * limit_, memory_->least_limit().value_or(0));
    }
    const auto begin = std::chrono::steady_clock::now();
    memory_->start_save(image_, limit);
    last_limit_ = limit;
    start_seconds_ =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  /// Takes note of a save that has ended. True if none is left.
  bool finish_save(bool wait = false) {
    if (!memory_->is_saving()) return true;
    std::optional<SaveResult> result = memory_->finished(wait);
    if (!result) return false;
    last_result_ = std::move(*result);
    if (last_result_.error.empty()) {
      ++saves_;
      last_save_ = std::time(nullptr);
    }
    return true;
  }

  void clear() {
    store_.clear();
    memory_->trim();
  }

 private:
  std::unique_ptr<Memory> memory_;
  std::filesystem::path image_;
  Store store_;
  std::size_t limit_ = 10;
  std::string limit_text_;
  std::size_t last_limit_ = 0;
  std::uint64_t saves_ = 0;
  std::time_t last_save_ = std::time(nullptr);
  double start_seconds_ = 0;
  SaveResult last_result_;
};
