#include <cow/cow.hpp>

#include <cstdint>
#include <fstream>
#include <string>

#include "ahead_rows.hpp"
#include "fork_sides.hpp"

namespace cow_bench {

namespace {

constexpr const char* setting_file = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

std::string chosen_setting() {
  std::ifstream file(setting_file);
  std::string line;
  std::getline(file, line);
  const std::size_t open = line.find('[');
  const std::size_t close = line.find(']');
  return open < close && close != std::string::npos ? line.substr(open + 1, close - open - 1) : "";
}

bool choose_setting(const std::string& value) {
  std::ofstream file(setting_file);
  file << value << std::flush;
  return static_cast<bool>(file) && chosen_setting() == value;
}

/// Huge pages for shared memory that asks for them, until the end of the scope.
class HugePagesAllowed {
 public:
  HugePagesAllowed() : before_(chosen_setting()) {
    const bool enough = before_ == "advise" || before_ == "always" || before_ == "force";
    allowed_ = enough || (!before_.empty() && choose_setting("advise"));
  }
  HugePagesAllowed(const HugePagesAllowed&) = delete;
  HugePagesAllowed& operator=(const HugePagesAllowed&) = delete;
  ~HugePagesAllowed() {
    if (allowed_ && chosen_setting() != before_) {
      choose_setting(before_);
    }
  }
  [[nodiscard]] explicit operator bool() const { return allowed_; }

 private:
  std::string before_;
  bool allowed_ = false;
};

}  // namespace

Group huge_snapshot_against_fork() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Row returned{.what = "first snapshot of 1 GiB fully written, huge pages allowed",
               .ours = "snapshot()",
               .theirs = "fork() of a process with 1 GiB, until it returns",
               .most = 1.0 / 50};
  Row reaped{.what = returned.what,
             .ours = returned.ours,
             .theirs = "the same, until the child is reaped"};
  const auto leave_out = [&](const char* reason) {
    returned.left_out = reason;
    return Group{.rows = {returned}};
  };
  const HugePagesAllowed allowed;
  if (!allowed) {
    return leave_out("this system does not allow huge pages for shared memory, and changing "
                     "/sys/kernel/mm/transparent_hugepage/shmem_enabled was refused");
  }
  SideProcess other(2, [bytes] { return prepare_forks(bytes); });
  cow::RegionOptions options;
  options.huge_pages = true;
  take_turns(
      rounds(11),
      [&](bool wanted) {
        // A new one each time: the kernel splits a huge page once a part of it was protected.
        const cow::Region region = written_region(bytes, options);
        const std::uint64_t start = now_ns();
        const cow::Snapshot snapshot = region.snapshot();
        keep(wanted, returned.our_samples, elapsed_ns(start));
      },
      [&](bool wanted) {
        const std::vector<double> times = other.measure().values();
        keep(wanted, returned.their_samples, times[0]);
        keep(wanted, reaped.their_samples, times[1]);
      });
  reaped.our_samples = returned.our_samples;
  return {.rows = {returned, reaped}};
}

}  // namespace cow_bench
