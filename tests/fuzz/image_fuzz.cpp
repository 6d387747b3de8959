// Whatever bytes are in the files of a chain, Region::load makes a region that works, or throws a
// std::system_error with a sentence, and leaves nothing behind; so does attach with those of one.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "image_input.hpp"

namespace {

void require(bool condition, const std::string& otherwise) {
  if (condition) return;
  std::fprintf(stderr, "image_fuzz: %s\n", otherwise.c_str());
  std::abort();
}

/// As publish() leaves it: small files have no holes, those of larger ones are refused.
void make_template(int file) {
  constexpr off_t kSmall = off_t{1} << 20;
  struct stat status {};
  require(::fstat(file, &status) == 0, "a file in memory cannot be looked at");
  std::vector<char> bytes(static_cast<std::size_t>(std::min(status.st_size, kSmall)));
  if (status.st_size <= kSmall) {
    require(::pread(file, bytes.data(), bytes.size(), 0) == status.st_size &&
                ::pwrite(file, bytes.data(), bytes.size(), 0) == status.st_size,
            "a file in memory cannot be written");
  }
  const int sealed = ::fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
  require(sealed == 0, "a file in memory cannot be sealed");
}

/// Loads, reads and stores a few pages, compares with a snapshot.
void use(cow::Region& region) {
  constexpr std::size_t kMostPages = 2000;
  const std::size_t page = region.page_bytes();
  const std::size_t pages = (region.size() + page - 1) / page;
  const cow::Snapshot before = region.snapshot();
  unsigned sum = 0;
  const std::size_t step = pages / 64 + 1;
  for (std::size_t i = 0; i < pages; i += step) {
    sum += static_cast<unsigned>(region.bytes()[i * page]);
    region.bytes()[i * page] ^= std::byte{1};
  }
  volatile unsigned seen = sum;
  static_cast<void>(seen);
  if (pages <= kMostPages) {
    const std::string wrong = cow::detail::check_invariants(region);
    require(wrong.empty(), wrong);
  }
  region.restore(before);
  require(region.size() <= 64 * page || cow::diff(before, region.snapshot()).empty(),
          "a restore is not complete");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const fuzz::Files files({reinterpret_cast<const std::byte*>(input), size});
  std::vector<std::filesystem::path> paths;
  for (const int file : files.descriptors()) {
    paths.push_back("/proc/self/fd/" + std::to_string(file));
  }
  if (paths.empty()) return 0;
  const bool kernel_copies = (files.choices() & fuzz::kernel_copies) != 0;
  ::setenv("COW_MECHANISM", kernel_copies ? "automatic" : "handler", 1);
  const cow::ProcessStats before = cow::process_stats();
  cow::LoadOptions options;
  if ((files.choices() & fuzz::mapped) != 0) options.mode = cow::LoadMode::mapped;
  try {
    const bool attached = (files.choices() & fuzz::attached) != 0;
    if (attached) make_template(files.descriptors().front());
    cow::Region region = attached ? cow::attach(files.descriptors().front(), options.region)
                                  : cow::Region::load(paths, options);
    use(region);
  } catch (const std::system_error& error) {
    require(error.code().value() > 0 && std::string(error.what()).size() > 20, error.what());
  }
  const cow::ProcessStats after = cow::process_stats();
  require(after.regions == before.regions && after.families == before.families &&
              after.bytes_in_use == before.bytes_in_use &&
              after.mappings_in_use == before.mappings_in_use,
          "something is left behind");
  return 0;
}
