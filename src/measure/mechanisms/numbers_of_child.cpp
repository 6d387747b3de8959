#include "measure/mechanisms/numbers_of_child.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

#include "measure/host/child_process.hpp"
#include "measure/mechanisms/mapping.hpp"

namespace cow::measure {

namespace {

constexpr int exit_ok = 0;
constexpr int exit_failed = 3;
constexpr std::size_t most_sentence_bytes = 512;

/// Empty if it ended with exit_ok.
std::string what_went_wrong(pid_t child, const char* sentence) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return "could not be waited for";
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == exit_ok) return {};
  return how_it_ended(status) + (*sentence == '\0' ? "" : ": ") + sentence;
}

}  // namespace

std::vector<double> numbers_of_child(std::size_t count,
                                     const std::function<void(std::span<double>)>& body) {
  const std::size_t bytes = count * sizeof(double) + most_sentence_bytes;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) refused("mmap");
  const std::span<double> shared(static_cast<double*>(memory), count);
  char* const sentence = reinterpret_cast<char*>(shared.data() + count);
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      body(shared);
    } catch (const std::exception& error) {
      std::strncpy(sentence, error.what(), most_sentence_bytes - 1);
      ::_exit(exit_failed);
    }
    ::_exit(exit_ok);
  }
  const std::string wrong = child < 0 ? std::string("could not be forked: ") + std::strerror(errno)
                                      : what_went_wrong(child, sentence);
  std::vector<double> numbers(shared.begin(), shared.end());
  ::munmap(memory, bytes);
  if (!wrong.empty()) throw std::runtime_error("a child process that measures " + wrong);
  return numbers;
}

}  // namespace cow::measure
