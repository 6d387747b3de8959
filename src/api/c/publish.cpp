#include <cow/publish.hpp>

#include <cow/c/publish.h>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"
#include "api/c/structs.hpp"

using cow::c::call;
using cow::c::make_handle;
using cow::c::need;
using cow::c::region_options;

namespace {

constexpr const char* kTheName = "the name";
constexpr const char* kTheSnapshot = "the snapshot";
constexpr const char* kTheResult = "the pointer for the result";

cow::PublishOptions publish_options(const cow_publish_options* given, const char* name) {
  const cow_publish_options from = cow::c::options_of(given, name);
  cow::PublishOptions options;
  if (from.mode != 0) options.mode = from.mode;
  options.reserve_zeros = from.leave_zeros_holes == 0;
  return options;
}

}  // namespace

int cow_publish(const char* name, const cow_snapshot* snapshot,
                const cow_publish_options* options) {
  constexpr const char* function = "cow_publish";
  return call(function, [&] {
    const char* const as = &need(name, function, kTheName);
    const cow::Snapshot& what = need(snapshot, function, kTheSnapshot).value;
    cow::publish(as, what, publish_options(options, function));
  });
}

int cow_publish_fd(const cow_snapshot* snapshot, int* descriptor) {
  constexpr const char* function = "cow_publish_fd";
  return call(function, [&] {
    need(descriptor, function, kTheResult);
    *descriptor = cow::publish(need(snapshot, function, kTheSnapshot).value);
  });
}

int cow_attach(const char* name, const cow_region_options* options, cow_region** region) {
  constexpr const char* function = "cow_attach";
  return call(function, [&] {
    need(region, function, kTheResult);
    const char* const what = &need(name, function, kTheName);
    auto attached = cow::attach(what, region_options(options, function));
    *region = make_handle<cow_region>(std::move(attached)).release();
  });
}

int cow_attach_fd(int descriptor, const cow_region_options* options, cow_region** region) {
  constexpr const char* function = "cow_attach_fd";
  return call(function, [&] {
    need(region, function, kTheResult);
    auto attached = cow::attach(descriptor, region_options(options, function));
    *region = make_handle<cow_region>(std::move(attached)).release();
  });
}

int cow_unpublish(const char* name) {
  constexpr const char* function = "cow_unpublish";
  return call(function, [&] { cow::unpublish(&need(name, function, kTheName)); });
}
