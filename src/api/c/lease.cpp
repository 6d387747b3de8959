#include <cow/lease.hpp>

#include <cstddef>

#include <cow/c/region.h>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"

using cow::c::call;
using cow::c::make_handle;
using cow::c::need;

int cow_region_write_lease(cow_region* region, size_t offset, size_t length, cow_lease** lease) {
  constexpr const char* name = "cow_region_write_lease";
  return call(name, [&] {
    need(lease, name, "the pointer for the result");
    auto made = need(region, name, "the region").value.write_lease(offset, length);
    *lease = make_handle<cow_lease>(std::move(made)).release();
  });
}

int cow_write_lease(void* address, size_t length, cow_lease** lease) {
  constexpr const char* name = "cow_write_lease";
  return call(name, [&] {
    need(lease, name, "the pointer for the result");
    cow::WriteLease made = cow::write_lease(address, length);
    // Without a region there is nothing to hold, and so nothing to take memory for.
    const bool is_empty = made.data() == nullptr;
    *lease = is_empty ? nullptr : make_handle<cow_lease>(std::move(made)).release();
  });
}

void* cow_lease_data(const cow_lease* lease) {
  return lease == nullptr ? nullptr : lease->value.data();
}

size_t cow_lease_size(const cow_lease* lease) { return lease == nullptr ? 0 : lease->value.size(); }

void cow_lease_destroy(cow_lease* lease) { delete lease; }
