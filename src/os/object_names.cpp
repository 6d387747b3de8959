#include "os/object_names.hpp"

#include <fcntl.h>

#include <cerrno>
#include <exception>
#include <string>

// Boost under another name: a program may be linked with a static libcow and have another Boost,
// whose inline functions must not become these, nor these those.
#include <boost/config.hpp>
namespace cow_own_boost {
using namespace boost;  // the integer types of its configuration, which are of the compiler alone
}
#define boost cow_own_boost
#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/shared_memory_object.hpp>

namespace cow::os {

namespace {

namespace bip = boost::interprocess;

// The descriptor of Boost's object goes with it: this one stays.
int take_descriptor(const bip::shared_memory_object& object, Descriptor& opened) noexcept {
  const int number = ::fcntl(object.get_mapping_handle().handle, F_DUPFD_CLOEXEC, 0);
  if (number < 0) return errno;
  opened = Descriptor(number);
  return opened.is_open() ? 0 : errno;
}

int create_object_once(const char* name, Descriptor& opened) noexcept {
  try {
    const bip::shared_memory_object object(bip::create_only, name, bip::read_write,
                                           bip::permissions(S_IRUSR | S_IWUSR));
    const int error = take_descriptor(object, opened);
    if (error != 0) remove_object(name);  // it takes two descriptors, and the second may be missing
    return error;
  } catch (const bip::interprocess_exception& refused) {
    return refused.get_native_error() != 0 ? refused.get_native_error() : EINVAL;
  } catch (const std::exception&) {
    return ENOMEM;
  }
}

}  // namespace

int create_object(const char* name, Descriptor& opened) noexcept {
  int error = EINTR;
  while (error == EINTR) error = create_object_once(name, opened);  // a signal may interrupt it
  return error;
}

int remove_object(const char* name) noexcept {
  errno = 0;
  if (bip::shared_memory_object::remove(name)) return 0;
  return errno != 0 ? errno : ENOMEM;
}

}  // namespace cow::os
