#pragma once

#include <memory>
#include <utility>

#include "api/control_call.hpp"
#include "mm/resources/metadata_heap.hpp"

namespace cow::detail {

/// Memory for a state, outside of all regions; and what was made in it is destroyed on a stack
/// outside of all regions, as a destructor cannot refuse to run on another one.
template <class State>
struct StateAllocator : MetadataAllocator<State> {
  template <class Other>
  struct rebind {  // NOLINT(readability-identifier-naming): the standard's name
    using other = StateAllocator<Other>;
  };

  StateAllocator() noexcept = default;
  template <class Other>
  explicit(false) StateAllocator(const StateAllocator<Other>& /*other*/) noexcept {}

  template <class Object>
  void destroy(Object* object) noexcept {
    away_from_regions([&] { object->~Object(); });
  }
};

/// What the handles of one region or snapshot share.
template <class State, class... Arguments>
[[nodiscard]] std::shared_ptr<State> make_state(Arguments&&... arguments) {
  return std::allocate_shared<State>(StateAllocator<State>{},
                                     std::forward<Arguments>(arguments)...);
}

}  // namespace cow::detail
