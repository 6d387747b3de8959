// The limits on the memory of a forest's families, each with a function that libcow's thread calls
// while the forest goes on.
#pragma once

#include <atomic>
#include <chrono>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "forest_image.hpp"
#include "support.hpp"

namespace support {

class ForestLimits {
 public:
  /// Sets a limit on the family of `live`, which may have one, or removes it. A limit that is
  /// passed for certain has to be told. Empty, or what is wrong.
  std::string step(Random& random, LiveRegion& live, std::uint64_t& last_version) {
    if (random.one_in(4)) {
      live.region.limit_family_bytes(0, nullptr);
      return complaint();
    }
    const std::size_t most = random.one_in(3) ? 1 : random.between(2, 64 * page_bytes());
    const auto told = std::make_shared<Told>();
    told_.push_back(told);
    live.region.limit_family_bytes(most, [told, most](std::size_t bytes) {
      if (bytes < most) told->is_wrong = true;
      told->has_come = true;
    });
    if (most > 1) return complaint();
    live.region.bytes()[0] = live.image.bytes[0];
    mark_stored(live.image, live.region.page_bytes(), 0, 1, last_version);
    (void)live.region.snapshot();  // where the kernel copies, a control call looks
    if (!comes([&] { return told->has_come.load(); })) return "a limit was passed and nobody told";
    return complaint();
  }

  /// When all of the forest has gone: libcow's thread may have been the last that had a family.
  std::string end() {
    (void)comes([this] {
      const cow::ProcessStats now = cow::process_stats();
      return now.families == before_.families && now.mappings_in_use == before_.mappings_in_use &&
             now.bytes_metadata == before_.bytes_metadata;
    });
    return complaint();
  }

 private:
  struct Told {
    std::atomic<bool> has_come{false};
    std::atomic<bool> is_wrong{false};
  };

  /// Waits for what another thread does: far longer than that can take.
  template <typename IsThere>
  static bool comes(const IsThere& is_there) {
    for (int left = 60'000; left > 0; --left) {
      if (is_there()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  [[nodiscard]] std::string complaint() const {
    for (const auto& told : told_) {
      if (told->is_wrong) return "a limit was told of that was not passed";
    }
    return "";
  }

  cow::ProcessStats before_ = cow::process_stats();
  std::vector<std::shared_ptr<Told>> told_;
};

}  // namespace support
