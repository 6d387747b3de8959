// Figures and progress of cow bench, as text; and how much memory there is room for.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "catch.hpp"
#include "folder.hpp"
#include "measure/host/memory_room.hpp"
#include "tool/bench/progress_line.hpp"
#include "tool/bench/result_text.hpp"
#include "tool/bench/text.hpp"

using cow::measure::Interval;
using cow::measure::MemoryRoom;
using cow::measure::Progress;
using cow::tool::cut_to;
using cow::tool::digits;
using cow::tool::figure;
using cow::tool::progress_text;

TEST_CASE("a figure has three digits that matter and the unit that suits it", "[tool]") {
  CHECK(digits(0) == "0");
  CHECK(digits(0.01234) == "0.0123");
  CHECK(digits(0.5) == "0.50");
  CHECK(digits(9.994) == "9.99");
  CHECK(digits(9.995) == "10.0");
  CHECK(digits(99.94) == "99.9");
  CHECK(digits(99.96) == "100");
  CHECK(digits(999.4) == "999");
  CHECK(digits(999.6) == "1,000");
  CHECK(digits(1234567) == "1,234,567");
  CHECK(figure(999.4, "ns") == "999 ns");
  CHECK(figure(999.6, "ns") == "1.00 us");
  CHECK(figure(999'600, "ns") == "1.00 ms");
  CHECK(figure(12.34e9, "ns") == "12.3 s");
  CHECK(figure(1023, "bytes") == "1,023 bytes");
  CHECK(figure(64 << 20, "bytes") == "64 MiB");
  CHECK(figure(2.5, "faults") == "2.50 faults");
  CHECK(figure(3, "faults") == "3 faults");
  CHECK(figure(Interval{990, 1010}, "ns") == "0.99 to 1.01 us");
}

TEST_CASE("text is cut between characters", "[tool]") {
  CHECK(cut_to("abc", 5) == "abc");
  CHECK(cut_to("abc", 2) == "ab");
  CHECK(cut_to("µµµ", 2) == "µµ");
  CHECK(cut_to("", 2).empty());
}

TEST_CASE("the line of progress says how far it is and fits its columns", "[tool]") {
  Progress progress{0.42, 83.2, "share", "64 MiB, 1 % of the pages, random"};
  CHECK(progress_text(progress, 79) ==
        "[########............]  42 %  1:24 left  share: 64 MiB, 1 % of the pages, rando");
  CHECK(progress_text(progress, 50).size() == 50);
  progress.done = 7;
  progress.left_s = -1;
  CHECK(progress_text(progress, 79).starts_with("[####################] 100 %  0:00 left"));
  progress.workload = "a\nb\x1b[2J";
  CHECK(progress_text(progress, 79).find_first_of("\n\x1b") == std::string::npos);
}

TEST_CASE("what all rows of a workload are warned of is said once", "[tool]") {
  cow::measure::Result result;
  for (const char* mechanism : {"handler", "fork", "mprotect"}) {
    cow::measure::Row row;
    row.experiment = "trace";
    row.workload = "a program";
    row.mechanism = mechanism;
    row.samples = {1, 2, 3};
    row.warnings = {"of all rows"};
    result.rows.push_back(row);
  }
  result.rows[1].warnings.emplace_back("of one row");
  result.rows[2].status = cow::measure::Status::skipped;
  result.rows[2].reason = "it cannot be had";
  result.rows[2].warnings.clear();
  const auto printed = [&] {
    std::FILE* const file = std::tmpfile();
    REQUIRE(file != nullptr);
    cow::tool::Screen screen(file, false, {});
    cow::tool::print_result(screen, result, {});
    std::string text(static_cast<std::size_t>(std::ftell(file)), ' ');
    std::rewind(file);
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
  };
  const auto times = [](const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
  };
  CHECK(times(printed(), "of all rows") == 1);
  CHECK(times(printed(), "of one row") == 1);
  result.rows[1].warnings = {"of all rows"};
  result.rows[0].warnings.clear();
  CHECK(times(printed(), "of all rows") == 1);
}

TEST_CASE("the room for memory is what the tightest of system and groups leaves", "[measure]") {
  const support::Folder root;
  const auto write = [&](const std::string& name, const std::string& text) {
    const std::filesystem::path path = root / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  };
  const auto room = [&] { return cow::measure::memory_room(root.path().string()); };
  CHECK_FALSE(room().has_value());
  write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    1000 kB\n");
  REQUIRE(room().has_value());
  CHECK(room()->bytes == 1'024'000);
  CHECK(room()->whose == "the system");
  // The second version: the group above is the tighter one, and has pages of files to drop.
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "5000\n");
  CHECK(room()->bytes == 1'024'000);
  write("sys/fs/cgroup/a/memory.max", "10000\n");
  write("sys/fs/cgroup/a/memory.current", "9000\n");
  write("sys/fs/cgroup/a/memory.stat", "anon 6000\ninactive_file 2500\n");
  CHECK(room()->bytes == 3500);
  CHECK(room()->whose == "the control group /a");
  // The first version.
  write("proc/self/cgroup", "5:cpu,memory:/job\n4:cpuset:/\n0::/\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2000\n");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "2100\n");
  CHECK(room()->bytes == 0);
  CHECK(room()->whose == "the control group /job");
}
