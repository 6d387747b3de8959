#include "base/error.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace cow {

void throw_system_error(int error, const char* call, const std::string& sentence) {
  throw std::system_error(error, std::generic_category(), std::string(call) + ": " + sentence);
}

int error_of(const std::exception& failure) noexcept {
  const auto* const refusal = dynamic_cast<const std::system_error*>(&failure);
  return refusal != nullptr ? refusal->code().value() : ENOMEM;
}

void throw_invalid_argument(const std::string& sentence) { throw std::invalid_argument(sentence); }

void throw_misuse(const std::string& sentence) { throw std::logic_error(sentence); }

}  // namespace cow
