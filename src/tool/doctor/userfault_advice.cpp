// userfaultfd, without privilege and with.

#include <fmt/format.h>

#include "tool/doctor/subjects.hpp"

namespace cow::tool {

using measure::Findings;
using measure::Number;
using measure::UserfaultFacts;

namespace {

std::string features_of(const UserfaultFacts& facts) {
  const std::uint64_t bits = facts.features.value_or(0);
  std::vector<std::string_view> names;
  const auto offer = [&](std::uint64_t bit, std::string_view name) {
    if ((bits & bit) != 0) names.push_back(name);
  };
  offer(measure::kUserfaultWriteProtect, "write-protection");
  offer(measure::kUserfaultWriteProtectFiles, "of shared memory");
  offer(measure::kUserfaultSigbus, "SIGBUS instead of a message");
  offer(measure::kUserfaultAsynchronous, "marks without a stop");
  return names.empty() ? "none of those of interest" : fmt::format("{}", fmt::join(names, ", "));
}

std::string setting(const Number& unprivileged) {
  return unprivileged ? fmt::format(" (vm.unprivileged_userfaultfd is {})", *unprivileged) : "";
}

}  // namespace

void add_userfault_lines(const Findings& findings, Lines& lines) {
  const UserfaultFacts& facts = findings.userfault;
  if (!facts.of_user_mode.worked) return;  // the call has a line of its own
  if (facts.asynchronous_write.worked) {
    lines.push_back({Level::ok, "userfaultfd",
                     fmt::format("Programs may have it for their own faults; it offers {}.",
                                 features_of(facts)),
                     ""});
  } else {
    lines.push_back(
        {Level::limits, "userfaultfd",
         fmt::format("It can be opened, but asking it for asynchronous write-protection "
                     "of files {}; it offers {}.",
                     how_it_ended(facts.asynchronous_write), features_of(facts)),
         "Mechanism::kernel needs Linux 6.7; until then take the handler."});
  }
  if (!facts.of_all_faults.worked) {
    lines.push_back(
        {Level::note, "userfaultfd, full",
         fmt::format("For faults of the kernel itself, it {}{}. libcow does not ask for that.",
                     how_it_ended(facts.of_all_faults), setting(facts.unprivileged)),
         "Nothing, for libcow. Who needs it sets vm.unprivileged_userfaultfd=1, has "
         "CAP_SYS_PTRACE, or may open /dev/userfaultfd."});
  }
}

}  // namespace cow::tool
