// Usage: cow_reads_probe [part of a name]. A line for each case: "ok", or "bad" with the reason.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>

#include "probe.hpp"

namespace probe {

const std::string& input_path() {
  static const std::string path = [] {
    const char* const folder = std::getenv("TMPDIR");
    return std::string(folder != nullptr ? folder : "/tmp") + "/cow-reads-" +
           std::to_string(::getpid());
  }();
  return path;
}

}  // namespace probe

namespace {

bool run(const probe::Case& one) {
  std::string complaint;
  try {
    complaint = one.run();
  } catch (const std::exception& error) {
    complaint = error.what();
  }
  std::printf("%s %s%s%s\n", complaint.empty() ? "ok" : "bad", one.name.c_str(),
              complaint.empty() ? "" : ": ", complaint.c_str());
  return complaint.empty();
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  {
    std::ofstream file(probe::input_path());
    for (std::size_t i = 0; i < probe::file_bytes; ++i) file.put(probe::content(i));
  }
  bool good = true;
  for (const auto& cases : {probe::call_cases(), probe::program_cases()}) {
    for (const probe::Case& one : cases) {
      if (argc < 2 || one.name.find(argv[1]) != std::string::npos) good &= run(one);
    }
  }
  ::unlink(probe::input_path().c_str());
  return good ? 0 : 1;
}
