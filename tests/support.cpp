#include "support.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "api/invariants.hpp"

namespace support {

namespace {

constexpr std::size_t gibibyte = std::size_t{1} << 30;

std::size_t host_page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

double factor_from(const char* variable) {
  const char* text = std::getenv(variable);
  const double value = text != nullptr ? std::strtod(text, nullptr) : 1.0;
  return value > 0.0 ? value : 1.0;
}

double scale() {
  static const double factor = factor_from("COW_TEST_SCALE") * factor_from("COW_TEST_SHARE");
  return factor;
}

std::size_t available_memory() {
  std::ifstream meminfo("/proc/meminfo");
  std::string label;
  std::size_t kibibytes = 0;
  while (meminfo >> label >> kibibytes) {
    if (label == "MemAvailable:") return kibibytes * 1024;
    meminfo.ignore(1024, '\n');
  }
  return gibibyte;
}

/// A good mix of all bits, so that neighbouring words have nothing in common.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Calls `visit(offset, word, length)` for every word of the pattern; the last may be cut short.
template <typename Visit>
bool each_word(std::size_t bytes, std::uint64_t pattern, Visit visit) {
  for (std::size_t offset = 0; offset < bytes; offset += sizeof(std::uint64_t)) {
    const std::uint64_t word = mix(pattern * 0x100000001b3u + offset);
    if (!visit(offset, word, std::min(sizeof(word), bytes - offset))) return false;
  }
  return true;
}

std::string read_whole_file(const char* path) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::system_error(errno, std::generic_category(), path);
  std::string text;
  std::vector<char> buffer(std::size_t{1} << 16);
  for (;;) {
    const ssize_t count = ::read(file, buffer.data(), buffer.size());
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(file);
  return text;
}

/// Calls `visit(Mapping)` for every line of /proc/self/maps.
template <typename Visit>
void each_mapping(Visit visit) {
  const std::string text = read_whole_file("/proc/self/maps");
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* line_end = std::find(at, end, '\n');
    Mapping mapping;
    const auto begin = std::from_chars(at, line_end, mapping.begin, 16);
    const auto limit = std::from_chars(begin.ptr + 1, line_end, mapping.end, 16);
    mapping.writable = limit.ptr[2] == 'w';  // " rw-s"
    visit(mapping);
    at = line_end == end ? end : line_end + 1;
  }
}

}  // namespace

// ---- Choices of this run ------------------------------------------------------------------------

cow::RegionOptions options() {
  static const std::size_t granule = [] {
    const char* text = std::getenv("COW_TEST_GRANULE");
    return text != nullptr ? static_cast<std::size_t>(std::strtoull(text, nullptr, 0)) : 0;
  }();
  cow::RegionOptions result;
  result.granule_bytes = granule;
  return result;
}

cow::RegionOptions single_page_options() {
  cow::RegionOptions result = options();
  result.max_window_pages = 1;
  return result;
}

std::size_t page_bytes() {
  const std::size_t granule = options().granule_bytes;
  return granule != 0 ? granule : host_page_bytes();
}

double copies_of_a_page() { return static_cast<double>(page_bytes()) / 4096; }

std::size_t longest_window() {
  return std::max<std::size_t>(1, (std::size_t{256} << 10) / page_bytes());
}

std::size_t scaled(std::size_t n) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(n) * scale()));
}

std::size_t large_region_bytes(std::size_t copies) {
  const std::size_t smallest = 64 * page_bytes();
  std::size_t bytes = std::min(gibibyte, scaled(gibibyte));
  while (bytes * copies > available_memory() / 4 * 3 && bytes > smallest) bytes /= 2;
  return std::max(bytes / page_bytes() * page_bytes(), smallest);
}

std::uint64_t seed() {
  static const std::uint64_t value = [] {
    const char* text = std::getenv("COW_TEST_SEED");
    if (text != nullptr) return static_cast<std::uint64_t>(std::strtoull(text, nullptr, 0));
    return static_cast<std::uint64_t>(std::random_device{}());
  }();
  return value;
}

std::vector<std::size_t> Random::permutation(std::size_t n) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), engine_);
  return order;
}

// ---- Contents -----------------------------------------------------------------------------------

void fill(std::span<std::byte> bytes, std::uint64_t pattern) {
  each_word(bytes.size(), pattern, [&](std::size_t at, std::uint64_t word, std::size_t length) {
    std::memcpy(bytes.data() + at, &word, length);
    return true;
  });
}

cow::Region filled(std::size_t pages, std::uint64_t pattern, const cow::RegionOptions& with) {
  cow::Region region = cow::Region::create(pages * page_bytes(), with);
  fill(region.bytes(), pattern);
  return region;
}

std::vector<std::byte> filled_bytes(std::size_t count, std::uint64_t pattern) {
  std::vector<std::byte> bytes(count);
  fill(bytes, pattern);
  return bytes;
}

bool shows(std::span<const std::byte> bytes, std::uint64_t pattern) {
  return each_word(bytes.size(), pattern,
                   [&](std::size_t at, std::uint64_t word, std::size_t length) {
                     return std::memcmp(bytes.data() + at, &word, length) == 0;
                   });
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::vector<std::byte> plain_copy(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

bool same_bytes(std::span<const std::byte> left, std::span<const std::byte> right) {
  return left.size() == right.size() && std::memcmp(left.data(), right.data(), left.size()) == 0;
}

std::string difference(std::span<const std::byte> expected, std::span<const std::byte> seen) {
  if (expected.size() != seen.size()) {
    return "expected " + std::to_string(expected.size()) + " bytes, saw " +
           std::to_string(seen.size());
  }
  if (same_bytes(expected, seen)) return "";
  const auto [wanted, found] = std::mismatch(expected.begin(), expected.end(), seen.begin());
  const auto at = static_cast<std::size_t>(wanted - expected.begin());
  return "byte " + std::to_string(at) + " of " + std::to_string(seen.size()) + " (page " +
         std::to_string(at / page_bytes()) + ") should be " +
         std::to_string(std::to_integer<unsigned>(*wanted)) + " and is " +
         std::to_string(std::to_integer<unsigned>(*found));
}

void store(cow::Region& region, std::size_t page, unsigned value, std::size_t offset) {
  volatile std::byte* target = region.data() + page * region.page_bytes() + offset;
  *target = static_cast<std::byte>(value);
}

void flip(cow::Region& region, std::size_t page, std::size_t offset) {
  store(region, page, load(region.bytes(), page, offset) ^ 0xffu, offset);
}

unsigned load(std::span<const std::byte> bytes, std::size_t page, std::size_t offset) {
  const volatile std::byte* source = bytes.data() + page * page_bytes() + offset;
  return std::to_integer<unsigned>(*source);
}

std::uint64_t& word_at(cow::Region& region, std::size_t page, std::size_t offset) {
  return *reinterpret_cast<std::uint64_t*>(region.data() + page * region.page_bytes() + offset);
}

std::uint64_t read_word(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof(word));
  return word;
}

// ---- State --------------------------------------------------------------------------------------

std::string broken_invariant(const cow::Region& region) {
  const cow::RegionStats stats = region.stats();
  const std::size_t pages = (region.size() + stats.page_bytes - 1) / stats.page_bytes;
  if (stats.page_bytes != region.page_bytes()) return "stats() tells another page size";
  if (stats.pages != pages) return "stats().pages is not the region's size in pages";
  if (stats.pages_zero + stats.pages_shared + stats.pages_private != stats.pages) {
    return "a page is not exactly one of zero, shared and private: " +
           std::to_string(stats.pages_zero) + " + " + std::to_string(stats.pages_shared) + " + " +
           std::to_string(stats.pages_private) + " of " + std::to_string(stats.pages);
  }
  if (stats.pages_writable > stats.pages_private) return "a page is writable but not private";
  if (stats.mappings == 0) return "a region without a mapping";
  const std::string complaint = cow::detail::check_invariants(region);
  return complaint.empty() ? "" : complaint + "\n" + cow::describe(region);
}

std::vector<Mapping> mappings(const void* begin, std::size_t length) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  std::vector<Mapping> found;
  each_mapping([&](const Mapping& mapping) {
    if (mapping.end > first && mapping.begin < first + length) found.push_back(mapping);
  });
  return found;
}

std::size_t count_mappings(const cow::Region& region) { return count_mappings(region.bytes()); }

std::size_t count_mappings(std::span<const std::byte> bytes) {
  return mappings(bytes.data(), bytes.size()).size();
}

std::size_t count_process_mappings() {
  std::istringstream maps(read_whole_file("/proc/self/maps"));
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("[heap]") == std::string::npos) ++count;
  }
  return count;
}

std::size_t max_map_count() {
  std::ifstream file("/proc/sys/vm/max_map_count");
  std::size_t count = 65530;
  file >> count;
  return count;
}

bool is_emulated() {
#if defined(__aarch64__)
  std::ifstream cpuinfo("/proc/cpuinfo");  // qemu-user lets the host's through
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.find("CPU implementer") == 0) return false;
  }
  return true;
#else
  return false;
#endif
}

bool is_sentence(const std::string& what) {
  return what.size() >= 16 && std::count(what.begin(), what.end(), ' ') >= 2;
}

// ---- Child processes ----------------------------------------------------------------------------

bool Peer::say() const {
  const char token = 1;
  return ::send(descriptor_, &token, 1, MSG_NOSIGNAL) == 1;
}

bool Peer::hear() const {
  char token = 0;
  ssize_t count = 0;
  do {
    count = ::read(descriptor_, &token, 1);
  } while (count < 0 && errno == EINTR);
  return count == 1;
}

bool ChildResult::exited() const { return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0; }

bool ChildResult::died_of(int signal) const {
  return WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == signal;
}

ForkedChild::ForkedChild(const std::function<std::string(Peer&)>& body) {
  int line[2];
  int report[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0 ||
      ::pipe2(report, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "a line to the child");
  }
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    ::close(line[0]);
    ::close(report[0]);
    Peer peer(line[1]);
    std::string complaint;
    try {
      complaint = body(peer);
    } catch (const std::exception& error) {
      complaint = std::string("threw ") + error.what();
    }
    const ssize_t written = ::write(report[1], complaint.data(), complaint.size());
    ::_exit(written == static_cast<ssize_t>(complaint.size()) ? 0 : 1);
  }
  ::close(line[1]);
  ::close(report[1]);
  line_ = line[0];
  report_ = report[0];
  peer_ = Peer(line_);
}

ForkedChild::~ForkedChild() {
  if (pid_ > 0) wait();
}

ChildResult ForkedChild::wait() {
  ChildResult result;
  ::shutdown(line_, SHUT_WR);  // a child that still listens hears that nobody is there
  char buffer[512];
  for (;;) {
    const ssize_t count = ::read(report_, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    result.complaint.append(buffer, static_cast<std::size_t>(count));
  }
  while (::waitpid(pid_, &result.wait_status, 0) < 0 && errno == EINTR) {
  }
  ::close(line_);
  ::close(report_);
  pid_ = -1;
  return result;
}

bool eventually(const std::function<bool()>& condition) {
  constexpr int attempts = 6000;
  for (int i = 0; i < attempts; ++i) {
    if (condition()) return true;
    ::usleep(10'000);
  }
  return false;
}

ChildResult run_in_child(const std::function<std::string()>& body) {
  ForkedChild child([&](Peer&) { return body(); });
  return child.wait();
}

void die_silently_of_faults() {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  std::signal(SIGSEGV, SIG_DFL);
  cow::reinstall_handler();
}

}  // namespace support
