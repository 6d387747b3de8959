#include <cow/cow.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel_rows.hpp"
#include "machine.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace {

struct AddressSpan {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

AddressSpan addresses_of(const cow::Region& region) {
  const auto begin = reinterpret_cast<std::uintptr_t>(region.data());
  return {begin, begin + region.size()};
}

/// What the kernel has for some addresses.
struct KernelUse {
  std::size_t mappings = 0;
  std::size_t copied_bytes = 0;  ///< memory without a file: pages that the kernel has copied
};

/// From /proc/self/smaps, as the tool for processes' memory does.
KernelUse use_of(std::vector<AddressSpan> spans) {
  std::sort(spans.begin(), spans.end(),
            [](AddressSpan a, AddressSpan b) { return a.begin < b.begin; });
  std::ifstream smaps("/proc/self/smaps");
  if (!smaps) throw std::runtime_error("/proc/self/smaps cannot be read");
  KernelUse use;
  bool wanted = false;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream words(line);
    AddressSpan mapping;
    char dash = 0;
    if (words >> std::hex >> mapping.begin >> dash >> mapping.end && dash == '-') {
      const auto after =
          std::upper_bound(spans.begin(), spans.end(), mapping.begin,
                           [](std::uintptr_t at, AddressSpan span) { return at < span.begin; });
      wanted = after != spans.begin() && mapping.begin < (after - 1)->end;
      use.mappings += wanted ? 1 : 0;
    } else if (wanted && line.starts_with("Anonymous:")) {
      use.copied_bytes += std::stoull(line.substr(line.find(':') + 1)) * kib;
    }
  }
  return use;
}

Samples one(std::size_t value) { return Samples({static_cast<double>(value)}); }

/// `clones` of one region, stores to 1 % of the pages of each; what is in use before and after a
/// snapshot of every clone.
class CrowdOfCopies {
 public:
  CrowdOfCopies(std::size_t clones, std::size_t bytes)
      : bytes_before_(cow::process_stats().bytes_in_use),
        original_(protected_region(bytes, copied_by(cow::Mechanism::kernel))) {
    const std::size_t pages = pages_of(original_).count;
    const std::size_t count = share_of(pages, 10);
    stored_bytes_ = clones * count * original_.page_bytes();
    least_bytes_ = pages * original_.page_bytes() + stored_bytes_;
    for (std::size_t i = 0; i < clones; ++i) {
      clones_.push_back(original_.clone());
      const Pages clone = pages_of(clones_.back());
      time_stores(clone, choose_pages(pages, count, Order::random, i), i);
    }
  }

  [[nodiscard]] KernelUse kernels() const {
    std::vector<AddressSpan> spans = {addresses_of(original_)};
    for (const cow::Region& clone : clones_) spans.push_back(addresses_of(clone));
    return use_of(std::move(spans));
  }
  [[nodiscard]] std::size_t mappings_of_clones() const {
    return kernels().mappings - use_of({addresses_of(original_)}).mappings;
  }
  /// Frames and what the kernel has copied, as libcow says, and what they need at least.
  [[nodiscard]] std::size_t bytes() const {
    return cow::process_stats().bytes_in_use - bytes_before_;
  }
  [[nodiscard]] std::size_t least_bytes() const { return least_bytes_; }
  [[nodiscard]] std::size_t stored_bytes() const { return stored_bytes_; }
  [[nodiscard]] const std::vector<cow::Region>& clones() const { return clones_; }

 private:
  std::size_t bytes_before_;
  cow::Region original_;
  std::size_t stored_bytes_ = 0;
  std::size_t least_bytes_ = 0;
  std::vector<cow::Region> clones_;
};

}  // namespace

Group kernel_crowd() {
  const std::size_t clones = full_or_quick<std::size_t>(100, 5);
  const CrowdOfCopies crowd(clones, full_or_quick(256 * mib, 4 * mib));
  const std::string what = "100 clones of 256 MiB, 1 % of each written: single random pages";
  Row memory{.what = what,
             .ours = "frames and what the kernel has copied",
             .theirs = "the least possible",
             .unit = Unit::bytes,
             .our_samples = one(crowd.bytes()),
             .their_samples = one(crowd.least_bytes()),
             .most = 1.01};
  Row mappings{.what = what,
               .ours = "all clones",
               .theirs = "one for each clone",
               .unit = Unit::mappings,
               .our_samples = one(crowd.mappings_of_clones()),
               .their_samples = one(clones),
               .most = 3};
  Row copied{.what = what,
             .ours = "what the kernel says it has copied (smaps)",
             .theirs = "pages stored to",
             .unit = Unit::bytes,
             .our_samples = one(crowd.kernels().copied_bytes),
             .their_samples = one(crowd.stored_bytes())};
  std::vector<cow::Snapshot> snapshots;
  for (const cow::Region& clone : crowd.clones()) snapshots.push_back(clone.snapshot());
  Row twice = memory;
  twice.what = "the same, and a snapshot of every clone";
  twice.our_samples = one(crowd.bytes());
  twice.most.reset();
  twice.note = "a page that a snapshot copied exists twice until it is stored to or put back";
  return {.rows = {memory, copied, mappings, twice}};
}

}  // namespace cow_bench
