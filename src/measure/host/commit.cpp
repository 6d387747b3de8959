#include "measure/host/commit.hpp"

#include <cow/version.hpp>

#include <cow_commit.hpp>  // made when the program is built: src/commit.cmake

namespace cow::measure {

nlohmann::ordered_json libcow_commit() {
  nlohmann::ordered_json object = {{"version", COW_VERSION_STRING}, {"commit", COW_COMMIT}};
#if defined(COW_COMMIT_MODIFIED)
  object["modified"] = COW_COMMIT_MODIFIED != 0;
#endif
  return object;
}

}  // namespace cow::measure
