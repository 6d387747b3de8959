#pragma once

#include <memory>
#include <utility>

#include "api/control_call.hpp"
#include "mm/metadata_heap.hpp"

namespace cow::detail {

/// Destroys what it was used to make on a stack outside of all regions: a destructor cannot refuse
/// a call, as others do.
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
