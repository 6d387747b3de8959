// Names of templates of a test's own, /dev/shm as a whole, and a /dev/shm of a child's own.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cow/cow.hpp>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "support.hpp"

namespace support {

inline std::vector<std::string> shared_memory_that_begins_with(const std::string& words) {
  std::vector<std::string> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", none)) {
    const std::string object = entry.path().filename();
    if (object.starts_with(words)) found.push_back(object);
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// What libcow has in /dev/shm under this name or one that begins with it, and what somebody has
/// begun to fill and left. What the test of another process is filling just now is gone soon.
inline std::vector<std::string> shared_objects(const std::string& name) {
  std::vector<std::string> left = shared_memory_that_begins_with(".libcow.");
  const auto is_gone = [](const std::string& object) {
    return !std::filesystem::exists("/dev/shm/" + object);
  };
  (void)eventually([&] {
    std::erase_if(left, is_gone);
    return left.empty();
  });
  for (std::string& object : shared_memory_that_begins_with("libcow." + name))
    left.push_back(std::move(object));
  return left;
}

/// A name that no other test has. What is published under it is gone at the end.
class TemplateName {
 public:
  TemplateName() {
    static int last = 0;
    name_ = "test-" + std::to_string(::getpid()) + "-" + std::to_string(++last);
  }
  ~TemplateName() { (void)::unlink(path().c_str()); }
  TemplateName(const TemplateName&) = delete;
  TemplateName& operator=(const TemplateName&) = delete;

  [[nodiscard]] const std::string& text() const { return name_; }
  operator const std::string&() const { return name_; }  // NOLINT(*-explicit-*): a name
  [[nodiscard]] std::string path() const { return "/dev/shm/libcow." + name_; }
  [[nodiscard]] bool is_published() const {
    return !shared_memory_that_begins_with("libcow." + name_).empty();
  }

 private:
  std::string name_;
};

/// With the options of the tests.
inline cow::Region attach(const std::string& name) { return cow::attach(name, options()); }

/// What is wrong with a region that should be filled so; empty if nothing is.
inline std::string complaint_about(const cow::Region& region, std::uint64_t pattern) {
  return shows(region.bytes(), pattern) ? broken_invariant(region) : "it shows something else";
}

/// A descriptor of a template, closed at the end.
class SentTemplate {
 public:
  explicit SentTemplate(const cow::Snapshot& snapshot) : number_(cow::publish(snapshot)) {}
  explicit SentTemplate(int number) : number_(number) {}
  ~SentTemplate() { ::close(number_); }
  SentTemplate(const SentTemplate&) = delete;
  SentTemplate& operator=(const SentTemplate&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// For a child: mounts of its own. False where that is not allowed.
inline bool has_mounts_of_its_own() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// For such a child: an empty /dev/shm of so many bytes.
inline bool has_shared_memory_of_its_own(std::size_t bytes) {
  const std::string size = "size=" + std::to_string(bytes) + ",mode=1777";
  return has_mounts_of_its_own() &&
         ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) == 0;
}

/// The errno value of what `code` throws, and what it says; 0 if it throws nothing.
struct Refusal {
  int error = 0;
  std::string words;

  [[nodiscard]] bool says(const char* part) const {
    return is_sentence(words) && words.find(part) != std::string::npos;
  }
};

template <class Code>
Refusal refusal_of(const Code& code) {
  try {
    code();
  } catch (const std::system_error& error) {
    return {error.code().value(), error.what()};
  } catch (const std::exception& other) {
    return {-1, other.what()};
  }
  return {};
}

}  // namespace support
