#pragma once

// What the claims and the measurements stand on: a served disk, a folder that goes with it, bytes.

#include <stdlib.h>

#include <cow/cow.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../measured.hpp"
#include "disk.hpp"
#include "listener.hpp"
#include "nbd_client.hpp"

namespace examples {

using Bytes = std::vector<std::byte>;
using Random = std::mt19937_64;

/// A new folder, removed with all that is in it.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "block_device.XXXXXX").string();
    claim(::mkdtemp(name.data()) != nullptr, "there can be a folder " + name);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The mechanisms that this machine allows.
inline std::vector<cow::Mechanism> mechanisms() {
  std::vector<cow::Mechanism> found{cow::Mechanism::handler};
  cow::RegionOptions options;
  options.mechanism = cow::Mechanism::kernel;
  try {
    (void)cow::Region::create(1, options);
    found.push_back(cow::Mechanism::kernel);
  } catch (const std::system_error& error) {
    std::printf("Without the second mechanism: %s\n", error.what());
  }
  return found;
}

inline const char* name_of(cow::Mechanism mechanism) {
  return mechanism == cow::Mechanism::kernel ? "kernel" : "handler";
}

/// A disk of zeros that is served.
class Stage {
 public:
  Stage(std::size_t size_bytes, cow::Mechanism mechanism)
      : disk(make_region(size_bytes, mechanism)), listener_(socket(), disk, nullptr) {}

  [[nodiscard]] nbd::Client connect(const std::string& name = "disk") const {
    return {socket(), name};
  }
  [[nodiscard]] std::filesystem::path socket() const { return folder.path() / "nbd"; }

  const Folder folder;
  Disk disk;

 private:
  static cow::Region make_region(std::size_t size_bytes, cow::Mechanism mechanism) {
    cow::RegionOptions options;
    options.mechanism = mechanism;
    return cow::Region::create(size_bytes, options);
  }

  Listener listener_;
};

inline Bytes random_bytes(std::size_t length, Random& random) {
  Bytes bytes(length);
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= length; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  for (; at < length; ++at) bytes[at] = static_cast<std::byte>(random());
  return bytes;
}

inline bool same(std::span<const std::byte> left, std::span<const std::byte> right) {
  return left.size() == right.size() && std::memcmp(left.data(), right.data(), left.size()) == 0;
}

/// `count` different numbers below `limit`, in no order.
inline std::vector<std::size_t> choose(std::size_t count, std::size_t limit, Random& random) {
  std::vector<std::size_t> all(limit);
  for (std::size_t i = 0; i < limit; ++i) all[i] = i;
  std::shuffle(all.begin(), all.end(), random);
  all.resize(count);
  return all;
}

}  // namespace examples
