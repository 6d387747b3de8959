#pragma once

#include "os/descriptor.hpp"

namespace cow::os {

// Names of objects in shared memory, by way of Boost.Interprocess: what shm_open(3) says of them.
// The name has no slash. Each returns 0 or an errno value.

/// Makes a new one that this user alone may open, for reading and writing.
int create_object(const char* name, Descriptor& opened) noexcept;

/// Takes the name away. Who has the object open keeps it.
int remove_object(const char* name) noexcept;

}  // namespace cow::os
