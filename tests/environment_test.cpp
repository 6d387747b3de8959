// Where something was measured: measure/host, as far as it is read from files.

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "catch.hpp"
#include "folder.hpp"
#include "measure/host/cgroup.hpp"
#include "measure/host/environment.hpp"
#include "measure/host/facts.hpp"
#include "support.hpp"

namespace {

using namespace cow::measure;

/// Files of a /proc and a /sys that are not this machine's.
class PretendedSystem {
 public:
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root() + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  [[nodiscard]] std::string root() const { return folder_.path().string(); }
  [[nodiscard]] std::map<std::string, std::uint64_t> limits() const {
    std::map<std::string, std::uint64_t> found;
    for (const CgroupLimit& limit : cgroup_limits(root())) found[limit.name] = limit.value;
    return found;
  }

 private:
  support::Folder folder_;
};

using Limits = std::map<std::string, std::uint64_t>;

}  // namespace

TEST_CASE("limits of control groups of version 2 are the least of the group and those above it",
          "[measure]") {
  const PretendedSystem system;
  system.write("/proc/self/cgroup", "0::/service/part\n");
  system.write("/proc/self/mountinfo",
               "41 31 0:38 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
  system.write("/sys/fs/cgroup/service/part/memory.max", "max\n");
  system.write("/sys/fs/cgroup/service/memory.max", "1073741824\n");
  system.write("/sys/fs/cgroup/memory.max", "2147483648\n");
  system.write("/sys/fs/cgroup/service/part/memory.swap.max", "0\n");
  system.write("/sys/fs/cgroup/service/part/pids.max", "max\n");
  system.write("/sys/fs/cgroup/service/part/cpu.max", "150000 100000\n");
  CHECK(system.limits() ==
        Limits{{"memory_bytes", 1073741824}, {"swap_bytes", 0}, {"cpu_percent", 150}});
}

TEST_CASE("limits of control groups of version 1 are read where each kind is mounted",
          "[measure]") {
  const PretendedSystem system;
  // As a container has it: its own group is at the mount point.
  system.write("/proc/self/cgroup", "8:pids:/box\n4:memory:/box\n1:cpu,cpuacct:/box\n");
  system.write("/proc/self/mountinfo", "35 31 0:32 /box /cg/memory rw - cgroup cgroup rw,memory\n"
                                       "39 31 0:36 /box /cg/pids rw - cgroup cgroup rw,pids\n"
                                       "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
  system.write("/cg/memory/memory.limit_in_bytes", "536870912\n");
  system.write("/cg/memory/memory.memsw.limit_in_bytes", "9223372036854771712\n");
  system.write("/cg/pids/pids.max", "64\n");
  system.write("/cg/cpu/box/cpu.cfs_quota_us", "-1\n");
  system.write("/cg/cpu/box/cpu.cfs_period_us", "100000\n");
  CHECK(system.limits() == Limits{{"memory_bytes", 536870912}, {"pids", 64}});
}

TEST_CASE("without /proc there are no limits of control groups, and no error", "[measure]") {
  CHECK(PretendedSystem().limits().empty());
}

TEST_CASE("a fact that a file does not say is absent", "[measure]") {
  const PretendedSystem system;
  system.write("/empty", "");
  system.write("/words", "some words\n");
  system.write("/status", "Name:\tcow\nVmLck:\t     8 kB\nNothing:\n");
  const std::string root = system.root();
  CHECK_FALSE(first_line(root + "/missing").has_value());
  CHECK_FALSE(first_line(root + "/empty").has_value());
  CHECK_FALSE(number_in(root + "/words").has_value());
  CHECK_FALSE(field(root + "/status", "Nothing").has_value());
  CHECK_FALSE(field(root + "/status", "Missing").has_value());
  CHECK(bytes_field(root + "/status", "VmLck") == 8192U);
  CHECK(chosen_word("always [madvise] never") == "madvise");
  CHECK(chosen_word("0") == "0");
}

TEST_CASE("the environment has no null and no empty word in it", "[measure]") {
  const nlohmann::ordered_json found = environment();
  for (const char* key : {"kernel", "architecture", "cores", "page_bytes", "build"}) {
    INFO(key);
    CHECK(found.contains(key));
  }
  const nlohmann::ordered_json flat = found.flatten();
  for (const auto& [path, value] : flat.items()) {
    INFO(path);
    CHECK_FALSE(value.is_null());
    if (value.is_string() && path != "/build/flags") CHECK_FALSE(value.get<std::string>().empty());
  }
  const nlohmann::ordered_json google = google_context();
  for (const char* key : {"date", "host_name", "num_cpus", "load_avg", "library_build_type"}) {
    INFO(key);
    CHECK(google.contains(key));
  }
}
