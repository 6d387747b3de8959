// libcow itself, with either of its mechanisms: begin() is a snapshot of a region, or a clone of
// it.

#include <cow/region.hpp>
#include <cow/snapshot.hpp>

#include <exception>
#include <optional>

#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/table.hpp"

namespace cow::measure {

namespace {

cow::Region region_of(const MemoryOptions& options, cow::Mechanism mechanism) {
  cow::RegionOptions choices{.granule_bytes = options.granule_bytes, .mechanism = mechanism};
  if (options.max_window_pages != 0) choices.max_window_pages = options.max_window_pages;
  if (!options.file.empty()) return cow::Region::open(options.file, choices);
  cow::Region region = cow::Region::create(options.bytes, choices);
  store_to_every_page(region.bytes());
  return region;
}

class RegionMemory : public Memory {
 public:
  RegionMemory(const MemoryOptions& options, cow::Mechanism mechanism)
      : region_(region_of(options, mechanism)) {}

  std::span<std::byte> bytes() override { return region_.bytes(); }

  void begin() override {
    forget_trials();
    snapshot_ = region_.snapshot();
  }

  void end() override { snapshot_.reset(); }

  // One snapshot for all calls in a row: a loop that restores the same one is what libcow sees.
  void try_out(const std::function<void(std::span<std::byte>)>& stores) override {
    if (!before_trials_) before_trials_ = region_.snapshot();
    stores(bytes());
    region_.restore(*before_trials_);
  }

  std::optional<std::uint64_t> faults_answered() override { return faults_of(region_); }

 protected:
  [[nodiscard]] const cow::Region& region() const { return region_; }
  void forget_trials() { before_trials_.reset(); }

  static std::optional<std::uint64_t> faults_of(const cow::Region& region) {
    const cow::RegionStats stats = region.stats();
    if (stats.mechanism == cow::Mechanism::kernel) return std::nullopt;
    return stats.faults;
  }

 private:
  cow::Region region_;
  std::optional<cow::Snapshot> snapshot_;
  std::optional<cow::Snapshot> before_trials_;
};

/// Clones in place of snapshots. try_out is the same: it needs no second region.
class ClonedMemory : public RegionMemory {
 public:
  using RegionMemory::RegionMemory;

  std::span<std::byte> bytes() override { return clone_ ? clone_->bytes() : RegionMemory::bytes(); }

  void begin() override {
    forget_trials();
    clone_ = region().clone();
  }

  void end() override { clone_.reset(); }

  std::optional<std::uint64_t> faults_answered() override {
    return clone_ ? faults_of(*clone_) : RegionMemory::faults_answered();
  }

 private:
  std::optional<cow::Region> clone_;
};

std::unique_ptr<Memory> make_region(const MemoryOptions& options, cow::Mechanism mechanism) {
  if (options.is_cloned) return std::make_unique<ClonedMemory>(options, mechanism);
  return std::make_unique<RegionMemory>(options, mechanism);
}

std::string why_no_region(cow::Mechanism mechanism) {
  try {
    static_cast<void>(region_of({.bytes = host_page_bytes()}, mechanism).snapshot());
  } catch (const std::exception& error) {
    return std::string("a region of one page cannot be had: ") + error.what();
  }
  return {};
}

}  // namespace

const Mechanism table::handler = {
    .name = "handler",
    .title = "libcow, its own handler",
    .what = "A snapshot of a region: its pages are read-only, and the first store to one is a "
            "SIGSEGV that libcow's handler answers by copying the page.",
    .keeps_stores = true,
    .rolls_back = true,
    .has_granules = true,
    .has_files = true,
    .why_not = [] { return why_no_region(cow::Mechanism::handler); },
    .make =
        [](const MemoryOptions& options) { return make_region(options, cow::Mechanism::handler); }};

const Mechanism table::kernel = {
    .name = "kernel",
    .title = "libcow, the kernel copies",
    .what = "A snapshot of a region whose pages the kernel copies by itself when they are stored "
            "to; libcow asks afterwards which these were.",
    .keeps_stores = true,
    .rolls_back = true,
    .has_granules = false,
    .has_files = true,
    .why_not = [] { return why_no_region(cow::Mechanism::kernel); },
    .make =
        [](const MemoryOptions& options) { return make_region(options, cow::Mechanism::kernel); }};

}  // namespace cow::measure
