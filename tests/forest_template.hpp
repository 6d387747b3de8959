// The templates of a forest: what a snapshot shows, in a family of its own, by way of a descriptor.
#pragma once

#include <unistd.h>

#include <cow/cow.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "forest_image.hpp"
#include "support.hpp"

namespace support {

/// A region of the new family `family` with the bytes of `past`. The descriptor is closed at once,
/// also where attaching is refused. Throws as publish and attach do.
inline LiveRegion attached_copy(const LiveSnapshot& past, std::size_t family) {
  const int template_of_past = cow::publish(past.snapshot);
  const std::shared_ptr<const int> closed(&template_of_past,
                                          [](const int* file) { ::close(*file); });
  Region region = cow::attach(template_of_past, support::options());
  // What was attached is published like any other.
  if (family % 2 == 0) {
    const int again = cow::publish(region.snapshot());
    const std::shared_ptr<const int> also(&again, [](const int* file) { ::close(*file); });
    region = cow::attach(again, support::options());
  }
  return {std::move(region), *past.image, family};
}

/// A clone of the past, or one by a template, which is the first of a new family.
inline LiveRegion region_of(Random& random, const LiveSnapshot& past, std::size_t& last_family,
                            std::string& operation) {
  if (!random.one_in(4)) return {Region::from_snapshot(past.snapshot), *past.image, past.family};
  operation += ", by a template";
  return attached_copy(past, ++last_family);
}

}  // namespace support
