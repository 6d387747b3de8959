// Writes the inputs that the fuzzer starts from: image_seeds FOLDER

#include <fcntl.h>
#include <unistd.h>

#include <cow/cow.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "folder.hpp"
#include "image_input.hpp"
#include "support.hpp"

namespace {

namespace fs = std::filesystem;

/// A full image and two deltas: pages that come, change and become zeros.
std::vector<fuzz::Bytes> images(const support::Folder& folder, std::size_t pages) {
  cow::Region region = cow::Region::create(pages * support::page_bytes() - 7);
  const auto store = [&](std::size_t page, unsigned value) {
    support::store(region, page % pages, value, page % 100);
  };
  for (const std::size_t page : {0u, 1u, 5u, 6u}) store(page, 7);
  const cow::Snapshot first = region.snapshot();
  store(1, 8);
  store(5, 0);
  const cow::Snapshot second = region.snapshot();
  store(2, 9);
  first.save(folder / "0");
  second.save_delta(first, folder / "1");
  region.snapshot().save_delta(second, folder / "2");
  std::vector<fuzz::Bytes> files;
  for (const char* const name : {"0", "1", "2"}) files.push_back(support::read_file(folder / name));
  return files;
}

/// What a backup writes to a descriptor.
fuzz::Bytes stream(const support::Folder& folder) {
  cow::Region region = cow::Region::create(9 * support::page_bytes() - 7);
  for (const std::size_t page : {0u, 1u, 5u}) support::store(region, page, 7);
  const int file = ::open((folder / "stream").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  region.backup(file).wait();
  ::close(file);
  return support::read_file(folder / "stream");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: image_seeds FOLDER\n", stderr);
    return 2;
  }
  const fs::path target = argv[1];
  fs::create_directories(target);
  const support::Folder folder;
  int number = 0;
  for (const std::size_t pages : {1u, 9u, 600u}) {
    const std::vector<fuzz::Bytes> files = images(folder, pages);
    for (const unsigned choices :
         {fuzz::right_size + 0u, fuzz::right_size + 0u + fuzz::mapped,
          fuzz::right_size + 0u + fuzz::right_checksums + fuzz::right_pages + fuzz::right_chain,
          fuzz::right_checksums + 0u + fuzz::mapped + fuzz::right_pages + fuzz::right_size,
          fuzz::right_size + 0u + fuzz::attached,
          fuzz::right_checksums + 0u + fuzz::attached + fuzz::right_pages + fuzz::right_size,
          fuzz::raw + 0u}) {
      for (std::size_t count = 1; count <= files.size(); ++count) {
        for (const unsigned mechanism : {0u, fuzz::kernel_copies + 0u}) {
          fuzz::Bytes input{static_cast<std::byte>(choices + mechanism)};
          for (std::size_t i = 0; i < count; ++i) {
            fuzz::append_file(input, fuzz::parts_of(files[i]));
          }
          support::write_file(target / std::to_string(number++), input);
        }
      }
    }
  }
  fuzz::Bytes input{static_cast<std::byte>(fuzz::raw)};
  fuzz::append_file(input, stream(folder));
  support::write_file(target / std::to_string(number++), input);
  return 0;
}
