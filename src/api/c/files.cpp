#include <cow/c/files.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <cow/image.hpp>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"
#include "api/c/structs.hpp"

using cow::c::call;
using cow::c::make_handle;
using cow::c::need;
using cow::c::options_of;

namespace {

cow::SaveOptions save_options(const cow_save_options* given, const char* name) {
  const cow_save_options from = options_of(given, name);
  cow::SaveOptions options;
  if (from.progress != nullptr) {
    options.progress = [from](const cow::SaveProgress& progress) {
      const cow_save_progress in_c{sizeof(cow_save_progress), progress.pages_done,
                                   progress.pages_total, progress.bytes_written};
      return from.progress(from.context, &in_c) == 0;
    };
  }
  return options;
}

cow::LoadOptions load_options(const cow_load_options* given, const char* name) {
  const cow_load_options from = options_of(given, name);
  cow::LoadOptions options;
  options.region = cow::c::region_options(from.region, name);
  if (from.reserved != 0) {
    cow::throw_invalid_argument(std::string(name) + ": cow_load_options::reserved is not 0");
  }
  if (from.mode == COW_LOAD_MAPPED) {
    options.mode = cow::LoadMode::mapped;
  } else if (from.mode != COW_LOAD_COPIED) {
    cow::throw_invalid_argument(std::string(name) + ": cow_load_options::mode is " +
                                std::to_string(from.mode) + "; take one of enum cow_load_mode");
  }
  return options;
}

}  // namespace

int cow_snapshot_save(const cow_snapshot* snapshot, const char* path,
                      const cow_save_options* options) {
  constexpr const char* name = "cow_snapshot_save";
  return call(name, [&] {
    const cow::Snapshot& from = need(snapshot, name, "the snapshot").value;
    from.save(&need(path, name, "the path"), save_options(options, name));
  });
}

int cow_snapshot_save_delta(const cow_snapshot* snapshot, const cow_snapshot* base,
                            const char* path, const cow_save_options* options) {
  constexpr const char* name = "cow_snapshot_save_delta";
  return call(name, [&] {
    const cow::Snapshot& from = need(snapshot, name, "the snapshot").value;
    from.save_delta(need(base, name, "the base").value, &need(path, name, "the path"),
                    save_options(options, name));
  });
}

int cow_region_load(const char* const* paths, size_t path_count, const cow_load_options* options,
                    cow_region** region) {
  constexpr const char* name = "cow_region_load";
  return call(name, [&] {
    need(region, name, "the pointer for the result");
    if (path_count != 0) need(paths, name, "the array of paths");
    std::vector<std::filesystem::path> chain;
    chain.reserve(path_count);
    for (std::size_t i = 0; i < path_count; ++i) {
      chain.emplace_back(&need(paths[i], name, "one of the paths"));
    }
    auto loaded = cow::Region::load(chain, load_options(options, name));
    *region = make_handle<cow_region>(std::move(loaded)).release();
  });
}
