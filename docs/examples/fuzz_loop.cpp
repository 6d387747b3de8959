// A fuzz loop that puts its target back after each input. The target is an interpreter with a state
// that lasts (fuzz_loop/target.hpp), all of it in a region: restoring a snapshot costs what the
// input stored to, however large the state is. No process is made, and nothing is built anew.
//
// Beside it what fuzzers do instead: fork() for each input, build the state anew, copy all of it.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "fuzz_loop/fuzzer.hpp"
#include "fuzz_loop/in_process.hpp"
#include "fuzz_loop/ways.hpp"
#include "kernel_counts.hpp"
#include "measured.hpp"

namespace {

using examples::Campaign;
using examples::claim;
using examples::Found;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = kib * kib;

/// What was missing for the kernel's mechanism, or nothing.
std::string kernel_is_missing() {
  try {
    static_cast<void>(cow::Region::create(1, {.mechanism = cow::Mechanism::kernel}));
    return "";
  } catch (const std::system_error& error) {
    return error.what();
  }
}

/// A campaign with a way to reset that lives as long as it.
template <typename Way>
Campaign campaign(std::shared_ptr<Way> way, const std::string& prefix = "") {
  return Campaign([way](auto input, auto& coverage) { return way->run(input, coverage); }, prefix);
}

// ---- What is claimed ----------------------------------------------------------------------------

/// Runs until the bug is found, and after every round compares the state with what it was at first.
template <typename Way>
Found find(std::shared_ptr<Way> way) {
  const std::vector<std::byte> at_first(way->state().begin(), way->state().end());
  Campaign rounds([way, &at_first](auto input, auto& coverage) {
    const auto outcome = way->run(input, coverage);
    claim(std::ranges::equal(way->state(), at_first), "after a reset the state is the same bytes");
    return outcome;
  });
  for (std::size_t round = 0; round < 100'000 && !rounds.found(); ++round) rounds.round();
  claim(rounds.found().has_value(), "the planted bug is found within 100,000 rounds");
  return *rounds.found();
}

void claim_that_resets_are_right() {
  constexpr std::size_t bytes = 64 * kib;
  const auto by_fork = std::make_shared<examples::ForkWay>(bytes);
  const Found found = find(by_fork);  // first, as there are no regions yet
  using examples::RestoreWay;
  const auto same = [&found](const Found& other, const char* way) {
    claim(other == found, std::string("by ") + way + " the bug is found with the same input");
  };
  same(find(std::make_shared<RestoreWay>(bytes, cow::Mechanism::handler)), "restore (handler)");
  if (kernel_is_missing().empty()) {
    same(find(std::make_shared<RestoreWay>(bytes, cow::Mechanism::kernel)), "restore (kernel)");
  }
  same(find(std::make_shared<examples::BuildWay>(bytes)), "building anew");
  same(find(std::make_shared<examples::CopyWay>(bytes)), "copying");

  Campaign careless = campaign(std::make_shared<examples::NoWay>(bytes));
  for (int round = 0; round < 100'000 && !careless.found(); ++round) careless.round();
  claim(careless.found().has_value(), "without a reset some input is blamed as well");
  examples::Coverage unused;
  const std::string& blamed = careless.found()->input;
  const examples::Input input(blamed.begin(), blamed.end());
  const auto again = examples::CopyWay(bytes).run(input, unused);
  claim(again != examples::Outcome::corrupted,
        "without a reset an input is blamed that does nothing by itself");
  std::printf("Each way finds the planted bug in round %zu, with the input\n    %s\n"
              "and after every round the state is the same bytes. Without a reset the input\n"
              "    %s\nis blamed in round %zu, and by itself it does nothing.\n\n",
              found.round, found.input.c_str(), blamed.c_str(), careless.found()->round);
}

// ---- What is measured ---------------------------------------------------------------------------

struct Scene {
  std::size_t bytes;
  std::string prefix;  ///< of every input
};

/// Seconds of a block of rounds, with one way.
using Block = std::function<double(std::size_t rounds)>;

Block block_of(Campaign rounds) {
  return [all = std::make_shared<Campaign>(std::move(rounds))](std::size_t count) {
    return examples::seconds_of([&] {
      for (std::size_t i = 0; i < count; ++i) all->round();
    });
  };
}

/// Rounds a second, or nothing where a way cannot be had.
std::vector<std::optional<double>> measure(const Scene& scene, std::size_t turns,
                                           std::size_t rounds) {
  // In a process that has no regions, as libcow has something to do at each fork() of one that has.
  const examples::InProcess forks([&] {
    return block_of(campaign(std::make_shared<examples::ForkWay>(scene.bytes), scene.prefix));
  });
  using examples::RestoreWay;
  const auto restore = [&](cow::Mechanism mechanism) {
    return block_of(campaign(std::make_shared<RestoreWay>(scene.bytes, mechanism), scene.prefix));
  };
  std::vector<std::optional<Block>> blocks;
  blocks.emplace_back(restore(cow::Mechanism::handler));
  blocks.emplace_back();
  if (kernel_is_missing().empty()) blocks.back() = restore(cow::Mechanism::kernel);
  blocks.emplace_back([&](std::size_t count) { return forks(count); });
  blocks.emplace_back(
      block_of(campaign(std::make_shared<examples::BuildWay>(scene.bytes), scene.prefix)));
  blocks.emplace_back(
      block_of(campaign(std::make_shared<examples::CopyWay>(scene.bytes), scene.prefix)));

  std::vector<std::vector<double>> seconds(blocks.size());
  for (std::size_t turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const std::size_t which = (i + turn) % blocks.size();
      if (blocks[which]) seconds[which].push_back((*blocks[which])(rounds));
    }
  }
  std::vector<std::optional<double>> rates;
  for (const std::vector<double>& each : seconds) {
    rates.emplace_back();
    if (!each.empty()) rates.back() = static_cast<double>(rounds) / examples::median(each);
  }
  return rates;
}

void print(const Scene& scene, const std::vector<std::optional<double>>& rates) {
  const std::string name =
      std::to_string(scene.bytes / kib) + " KiB of state" + (scene.prefix.empty() ? "" : ", all");
  std::printf("%-26s", name.c_str());
  for (const std::optional<double>& rate : rates) {
    if (rate) std::printf("%10.0f", *rate);
    if (!rate) std::printf("%10s", "not here");
  }
  std::printf("\n");
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const bool quick = examples::is_quick(count, arguments, examples::kUsageOfFuzzLoop);
    const std::vector<Scene> scenes = {{quick ? 2 * mib : 32 * mib, ""},
                                       {quick ? mib : 8 * mib, ""},
                                       {64 * kib, ""},
                                       {quick ? mib : 8 * mib, "*"}};
    claim_that_resets_are_right();
    std::printf("%-26s%10s%10s%10s%10s%10s\n%-26s%10s%10s%10s%10s%10s\n", "Rounds a second",
                "restore", "restore", "fork()", "build", "copy", "", "handler", "kernel", "",
                "anew", "all");
    for (const Scene& scene : scenes) print(scene, measure(scene, quick ? 3 : 11, quick ? 10 : 50));
    std::printf("all: each input stores to every page.\n\n%s\n", examples::machine().c_str());
    const std::string missing = kernel_is_missing();
    if (!missing.empty()) std::printf("The kernel's mechanism: %s\n", missing.c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fuzz_loop: %s\n", error.what());
    return 1;
  }
}
