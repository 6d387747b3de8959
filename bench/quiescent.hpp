#pragma once

// A snapshot whose caller promises that no thread stores meanwhile.

#include <cow/cow.hpp>

#include <type_traits>

namespace cow_bench {

/// Becomes whatever mode `Region::snapshot` takes, once it takes one.
struct QuiescentMode {
  template <typename Mode>
  requires std::is_enum_v<Mode>
  operator Mode() const { return Mode::quiescent; }
};

template <typename AnyRegion>
inline constexpr bool has_quiescent_snapshots = requires(const AnyRegion& region) {
  region.snapshot(QuiescentMode{});
};

template <typename AnyRegion>
[[nodiscard]] auto quiescent_snapshot(const AnyRegion& region) {
  if constexpr (has_quiescent_snapshots<AnyRegion>) {
    return region.snapshot(QuiescentMode{});
  } else {
    return region.snapshot();
  }
}

}  // namespace cow_bench
