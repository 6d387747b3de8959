// What the tests are written with: sentences, and what the kernel says of pages, frames and
// mappings. Nothing here believes what the graded file says of itself.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lab.hpp"

namespace grader {

/// What a test leaves for the process that waits for it, in memory that both have.
struct Verdict {
  enum class Is { none, green, red };
  std::atomic<Is> is;
  std::atomic<bool> told;             // somebody writes or has written the sentence
  bool alone;                         // no other process waits: the sentence is printed
  char sentence[400];                 // why it is red
  char doing[200];                    // what it was at, should it end without a word
  std::atomic<std::size_t> faults;    // SIGSEGV that reached the graded file's handler
  std::atomic<std::uintptr_t> at;     // address of the last one
  std::atomic<std::size_t> in_a_row;  // as many of the last had this address
  std::size_t results[3];             // of a measurement
};
extern Verdict* verdict;

/// Ends the test: it is red, for this reason.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// Says what the test is about to do.
void now(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// Where a page's bytes are, as /proc/self/maps has it.
struct Place {
  std::uint64_t file;    // inode; 0: no file
  std::uint64_t offset;  // of the page in it
  bool writable;
  bool operator==(const Place& other) const { return file == other.file && offset == other.offset; }
};

/// A space with the number of its pages, which the interface does not tell.
struct Pages {
  lab::Space* space;
  std::size_t count;

  volatile unsigned char& operator()(std::size_t page, std::size_t offset = 0) const;
  void fill(unsigned char seed) const;  // each page differently
  void check(unsigned char seed, std::size_t except, const char* whose) const;  // as fill() left it
  std::vector<Place> places() const;
  std::size_t mappings() const;  // lines of /proc/self/maps
};
constexpr std::size_t none = ~std::size_t{0};

Pages create(std::size_t pages);
Pages clone(const Pages& from);
void destroy(const Pages& pages);

/// What fill(seed) leaves in a page at an offset.
unsigned char filled(unsigned char seed, std::size_t page, std::size_t offset);

/// Frames with memory, of all memfds of this process.
std::size_t frames_in_use();
/// Lines of /proc/self/maps.
std::size_t mappings_in_use();
/// From now on a fault waits until so many threads have one, and their handlers run at once.
void handle_faults_together(std::size_t threads);
/// From now on handlers rest after each change of a mapping.
void slow_handlers_down();
/// Mappings that handlers have put in the place of others (MAP_FIXED).
std::size_t replaced_in_handlers();
inline std::size_t faults() { return verdict->faults; }

}  // namespace grader
