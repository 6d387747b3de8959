#include "soak/shortages.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cow/cow.hpp>
#include <cstddef>
#include <fstream>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "mm/resources/mapping_budget.hpp"
#include "support.hpp"

namespace soak {

namespace {

// The sanitizers' runtimes end the process when they cannot map memory, and need a pipe to look at
// an object before a member of it is called.
#if defined(COW_TEST_THREAD_SANITIZER)
constexpr bool has_sanitizer = true;
#elif defined(__SANITIZE_ADDRESS__)
constexpr bool has_sanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool has_sanitizer = true;
#else
constexpr bool has_sanitizer = false;
#endif
#else
constexpr bool has_sanitizer = false;
#endif

// Where there are many more mappings than this, eating them takes seconds.
constexpr std::size_t most_mappings_to_eat = std::size_t{1} << 18;

void let_others_run() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

/// What RLIMIT_AS counts.
rlim_t mapped_bytes() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

/// A soft limit of this process, lowered while this lives.
class LoweredLimit {
 public:
  LoweredLimit(int resource, rlim_t value) : resource_(resource) {
    ::getrlimit(kind(), &before_);
    const rlimit lowered{value, before_.rlim_max};
    ::setrlimit(kind(), &lowered);
  }
  ~LoweredLimit() { ::setrlimit(kind(), &before_); }
  LoweredLimit(const LoweredLimit&) = delete;
  LoweredLimit& operator=(const LoweredLimit&) = delete;

 private:
  [[nodiscard]] __rlimit_resource_t kind() const {
    return static_cast<__rlimit_resource_t>(resource_);
  }

  int resource_;
  rlimit before_{};
};

bool can_map() {
  const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) ::munmap(memory, bytes);
  return memory != MAP_FAILED;
}

constexpr const char* kCreated = "a region was created although the system had nothing left for it";

/// Empty if a new region is refused with this error.
std::string expect_refusal(int error) {
  try {
    const cow::Region region = cow::Region::create(1);
  } catch (const std::system_error& refusal) {
    if (refusal.code().value() == error) return "";
    return std::string("a region was refused for the wrong reason: ") + refusal.what();
  } catch (const std::bad_alloc&) {  // our own process's heap was first to need memory
    return "";
  }
  return kCreated;
}

/// The same where it is addresses that are lacking. The call begins by giving back what was kept
/// for children that have ended: then there are some, and it is to be tried again.
std::string expect_refusal_of_addresses() {
  constexpr int kMostChances = 64;
  std::string complaint = kCreated;
  for (int chance = 0; chance < kMostChances && complaint == kCreated; ++chance) {
    const LoweredLimit limit(RLIMIT_AS, mapped_bytes());
    if (!can_map()) complaint = expect_refusal(ENOMEM);
  }
  return complaint;
}

}  // namespace

/// From its construction to its destruction others can know of it.
class Shortages::Shortage {
 public:
  explicit Shortage(Shortages& all) : all_(all), guard_(all.limits) { ++all_.moment_; }
  ~Shortage() { ++all_.moment_; }
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;

 private:
  Shortages& all_;
  std::unique_lock<Gate> guard_;
};

std::string Shortages::of_descriptors() {
  const Shortage shortage(*this);
  const LoweredLimit limit(RLIMIT_NOFILE, 0);
  std::string complaint = expect_refusal(EMFILE);
  let_others_run();
  return complaint;
}

// Below what is mapped, the kernel would refuse to map anything anew in its place, which is what a
// fault does.
std::string Shortages::of_addresses(const std::function<void()>& resume) {
  const Shortage shortage(*this);
  const LoweredLimit limit(RLIMIT_AS, mapped_bytes());
  const bool is_limited = !can_map();  // an emulator may know no such limit
  const std::string complaint = is_limited ? expect_refusal_of_addresses() : "";
  resume();
  let_others_run();
  return complaint;
}

void Shortages::of_mappings(std::size_t spared) {
  const Shortage shortage(*this);
  const support::EatenMappings eaten(spared);
  for (int i = 0; i < 4; ++i) let_others_run();
}

void Shortages::begin_small_budget(std::size_t spared) {
  eaten_ = std::make_unique<support::EatenMappings>(spared);
  cow::mapping_budget::measure();
}

void Shortages::end_small_budget() { eaten_.reset(); }

bool Shortages::can_lack_descriptors() { return !has_sanitizer; }

bool Shortages::can_lack_addresses() { return !has_sanitizer; }

bool Shortages::can_lack_mappings() {
  return !has_sanitizer && support::max_map_count() <= most_mappings_to_eat;
}

}  // namespace soak
