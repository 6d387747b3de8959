#include "template_starts.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <cow/cow.hpp>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>

#include "bench_folder.hpp"
#include "session.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace cow_bench {

namespace {

namespace bip = boost::interprocess;

constexpr const char* kChildOption = "--started-as";
constexpr std::size_t kHostPage = 4096;  // one load in each; of larger pages it is more than one

struct Report {
  pid_t process = 0;
  std::uint64_t sum = 0;
  double start_ns = 0;
  double pass_ns = 0;
};

/// Reads all pages, stores to one of a hundred. The sum of the loads.
std::uint64_t pass(std::span<std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < bytes.size(); at += kHostPage) {
    sum += std::to_integer<std::uint64_t>(*const_cast<const volatile std::byte*>(&bytes[at]));
  }
  const std::size_t pages = bytes.size() / kHostPage;
  constexpr std::size_t kPrime = 7919;  // scattered, and the same in every process
  for (std::size_t i = 0; i < pages / 100 + 1; ++i) {
    bytes[i * kPrime % pages * kHostPage + 8] = std::byte{1};
  }
  return sum;
}

/// Says what there is to say, and waits until the last one has. Processor time throughout: other
/// work of the machine is not in it.
void report_and_wait(std::uint64_t began_ns, std::span<std::byte> bytes, int reports, int hold) {
  const std::uint64_t begun = thread_time_ns();
  Report report{.process = ::getpid(), .start_ns = static_cast<double>(begun - began_ns)};
  report.sum = pass(bytes);
  report.pass_ns = static_cast<double>(thread_time_ns() - begun);
  if (::write(reports, &report, sizeof report) != sizeof report) std::_Exit(1);
  char byte = 0;
  while (::read(hold, &byte, 1) > 0) {
  }
}

std::unique_ptr<std::byte[]> bytes_of_file(const char* path, std::size_t bytes) {
  auto memory = std::make_unique_for_overwrite<std::byte[]>(bytes);
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::read(file, memory.get() + done, bytes - done);
    if (got <= 0) std::_Exit(1);
    done += static_cast<std::size_t>(got);
  }
  ::close(file);
  return memory;
}

void be_started(Start start, const char* source, std::size_t bytes) {
  const std::uint64_t began = thread_time_ns();
  const auto go_on = [&](std::span<std::byte> memory) {
    report_and_wait(began, memory, STDOUT_FILENO, STDIN_FILENO);
  };
  switch (start) {
    case Start::by_template: return go_on(cow::attach(source).bytes());
    case Start::by_descriptor: return go_on(cow::attach(std::stoi(source)).bytes());
    case Start::loaded_image: return go_on(cow::Region::load(source).bytes());
    case Start::read_file: {
      const std::unique_ptr<std::byte[]> memory = bytes_of_file(source, bytes);
      return go_on({memory.get(), bytes});
    }
    case Start::private_mapping: {
      const bip::shared_memory_object object(bip::open_only, source, bip::read_only);
      const bip::mapped_region region(object, bip::copy_on_write);
      return go_on({static_cast<std::byte*>(region.get_address()), region.get_size()});
    }
    case Start::forked: break;
  }
  std::_Exit(2);
}

double proportional_bytes(pid_t process) {
  std::ifstream smaps("/proc/" + std::to_string(process) + "/smaps_rollup");
  for (std::string line; std::getline(smaps, line);) {
    std::size_t kib = 0;
    if (std::sscanf(line.c_str(), "Pss: %zu kB", &kib) == 1)
      return 1024.0 * static_cast<double>(kib);
  }
  return 0;
}

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) refuse(errno, "pipe2");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int in() const { return ends_[1]; }
  [[nodiscard]] int out() const { return ends_[0]; }
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) ::close(std::exchange(ends_[end], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

Report next_report(const Pipe& reports) {
  Report report;
  if (::read(reports.out(), &report, sizeof report) != sizeof report) refuse(EPIPE, "read");
  return report;
}

}  // namespace

const char* name_of(Start start) {
  switch (start) {
    case Start::by_template: return "attach_name";
    case Start::by_descriptor: return "attach_descriptor";
    case Start::private_mapping: return "boost_copy_on_write";
    case Start::forked: return "fork_server";
    case Start::loaded_image: return "load_image";
    case Start::read_file: return "read_file";
  }
  return "";
}

struct Prepared::Source {
  Start way{};
  std::size_t bytes = 0;
  Folder folder{};
  std::string name{};
  std::uint64_t sum = 0;
  int descriptor = -1;

  pid_t spawn(const Pipe& reports, const Pipe& hold) const;
  pid_t fork_server(const Pipe& reports, Pipe& hold, std::size_t processes) const;
};

Prepared::Prepared(Start start, std::size_t bytes) : source_(new Source{start, bytes}) {
  Source& source = *source_;
  const cow::Region region = filled_region(bytes);
  for (std::size_t at = 0; at < bytes; at += kHostPage) {
    source.sum += std::to_integer<std::uint64_t>(region.bytes()[at]);
  }
  source.name = "cow-bench-" + std::to_string(::getpid());
  switch (start) {
    case Start::by_template: cow::publish(source.name, region.snapshot()); break;
    case Start::by_descriptor: {
      source.descriptor = cow::publish(region.snapshot());
      ::fcntl(source.descriptor, F_SETFD, 0);  // to be inherited
      source.name = std::to_string(source.descriptor);
      break;
    }
    case Start::private_mapping: {
      bip::shared_memory_object object(bip::create_only, source.name.c_str(), bip::read_write);
      object.truncate(static_cast<bip::offset_t>(bytes));
      const bip::mapped_region memory(object, bip::read_write);
      std::memcpy(memory.get_address(), region.data(), bytes);
      break;
    }
    case Start::loaded_image:
      source.name = source.folder / "image";
      region.snapshot().save(source.name);
      break;
    case Start::forked:
    case Start::read_file:
      source.name = source.folder / "bytes";
      write_file(source.name, region, 1);
      break;
  }
}

Prepared::~Prepared() {
  if (source_->way == Start::by_template) cow::unpublish(source_->name);
  if (source_->way == Start::private_mapping) {
    bip::shared_memory_object::remove(source_->name.c_str());
  }
  if (source_->descriptor >= 0) ::close(source_->descriptor);
}

pid_t Prepared::Source::spawn(const Pipe& reports, const Pipe& hold) const {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, hold.out(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, reports.in(), STDOUT_FILENO);
  std::string option = kChildOption;
  std::string kind = std::to_string(static_cast<int>(way));
  std::string where = name;
  std::string size = std::to_string(bytes);
  char* arguments[] = {option.data(), option.data(), kind.data(),
                       where.data(),  size.data(),   nullptr};
  pid_t child = -1;
  const int error = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) refuse(error, "posix_spawn");
  return child;
}

// One process that has the bytes in plain memory, and forks the others.
pid_t Prepared::Source::fork_server(const Pipe& reports, Pipe& hold, std::size_t processes) const {
  const pid_t server = ::fork();
  if (server != 0) return server;
  hold.close_end(1);
  const std::unique_ptr<std::byte[]> own = bytes_of_file(name.c_str(), bytes);
  for (std::size_t i = 0; i < processes; ++i) {
    const std::uint64_t began = thread_time_ns();
    if (::fork() == 0) {
      report_and_wait(0, {own.get(), bytes}, reports.in(), hold.out());
      std::_Exit(0);
    }
    // The rest of what the start takes; its child says its own.
    const Report report{.start_ns = static_cast<double>(thread_time_ns() - began)};
    if (::write(reports.in(), &report, sizeof report) != sizeof report) std::_Exit(1);
  }
  char byte = 0;
  while (::read(hold.out(), &byte, 1) > 0) {
  }
  while (::wait(nullptr) > 0) {
  }
  std::_Exit(0);
}

Started Prepared::start(std::size_t processes) const {
  const Source& source = *source_;
  Pipe reports;
  Pipe hold;
  std::vector<pid_t> children;
  std::vector<pid_t> all;
  Started started;
  const bool forks = source.way == Start::forked;
  if (forks) {
    children.push_back(source.fork_server(reports, hold, processes));
    all = children;
  }
  std::vector<double> forking_ns;
  for (std::size_t i = 0; i < (forks ? 2 : 1) * processes; ++i) {
    if (!forks) children.push_back(source.spawn(reports, hold));
    const Report report = next_report(reports);
    if (report.process == 0) {  // the server's, of one more fork()
      forking_ns.push_back(report.start_ns);
      continue;
    }
    if (report.sum != source.sum) {
      throw std::runtime_error(std::string(name_of(source.way)) + ": a process saw other bytes");
    }
    started.start_ns.push_back(report.start_ns);
    started.pass_ns.push_back(report.pass_ns);
    all.push_back(report.process);
  }
  for (std::size_t i = 0; i < forking_ns.size(); ++i) started.start_ns[i] += forking_ns[i];
  for (const pid_t process : all) started.memory_bytes += proportional_bytes(process);
  hold.close_end(1);
  for (const pid_t child : children) {
    int status = 0;
    if (::waitpid(child, &status, 0) != child || status != 0) refuse(ECHILD, name_of(source.way));
  }
  return started;
}

std::optional<int> run_as_started(int argc, char** argv) {
  if (argc != 5 || std::strcmp(argv[1], kChildOption) != 0) return std::nullopt;
  be_started(static_cast<Start>(std::stoi(argv[2])), argv[3], std::stoull(argv[4]));
  return 0;
}

}  // namespace cow_bench
