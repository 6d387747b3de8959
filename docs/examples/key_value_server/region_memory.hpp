#pragma once

// The database in a region. Saving is Region::backup: the image is the moment of the call, a page
// that has been saved is not kept, and where the limit would be passed a store waits for its page.

#include <chrono>
#include <exception>
#include <filesystem>
#include <optional>
#include <utility>

#include "memory.hpp"

class RegionMemory : public Memory {
 public:
  /// The image, or where there is none an empty segment that may grow to `most_bytes`. Those are
  /// addresses: memory is taken as it is stored to.
  RegionMemory(const std::filesystem::path& image, std::size_t most_bytes,
               const cow::RegionOptions& options)
      : region_(std::filesystem::exists(image)
                    ? cow::ManagedRegion::open(
                          cow::Region::load(image, {cow::LoadMode::copied, options}))
                    : cow::ManagedRegion::create(std::size_t{1} << 20, most_bytes, options)) {}

  cow::SegmentManager& segment() override { return *region_.get_segment_manager(); }

  void start_save(const std::filesystem::path& image, std::size_t most_extra_bytes) override {
    cow::BackupOptions options;
    options.most_extra_bytes = most_extra_bytes;
    saving_ = region_.region().backup(image, options);
  }
  /// Where the kernel copies what is stored to (Mechanism::kernel) it asks nobody before.
  [[nodiscard]] std::optional<std::size_t> least_limit() const override {
    const cow::Region& bytes = region_.region();
    if (bytes.stats().mechanism == cow::Mechanism::kernel) return {};
    return bytes.estimate_backup().least_extra_bytes;
  }
  [[nodiscard]] bool is_saving() const override { return saving_.has_value(); }

  std::optional<SaveResult> finished(bool wait) override {
    if (!wait && !saving_->done()) return {};
    SaveResult result;
    try {
      const cow::BackupReport report = saving_->wait();
      const auto seconds = [](auto time) { return std::chrono::duration<double>(time).count(); };
      result.duration = seconds(report.duration);
      result.peak_extra_bytes = report.peak_extra_bytes;
      result.waits = report.waits.count;
      result.wait_p99 = seconds(report.waits.p99);
      result.wait_max = seconds(report.waits.max);
    } catch (const std::exception& error) {  // a full disk, say: stores went on, and go on
      result.error = error.what();
    }
    saving_.reset();
    return result;
  }

  void trim() override {
    region_.shrink_to_fit();
    cow::Region& bytes = region_.region();
    const std::size_t page = bytes.page_bytes();
    const std::size_t used = region_.get_size();
    const std::size_t first = (used + page - 1) / page * page;
    if (first < bytes.size()) bytes.discard(first, (bytes.size() - first) / page * page);
  }

 private:
  cow::ManagedRegion region_;
  std::optional<cow::Backup> saving_;
};
