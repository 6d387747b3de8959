// A side channel: how long a first store takes tells one sharer what the other has done.

#include <algorithm>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/content.hpp"
#include "demo/chapters/told.hpp"
#include "tool/observed_store.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

constexpr std::size_t trials = 400;

/// How long a first store took, and what the other one had done.
struct Trial {
  bool other_stored = false;
  std::uint64_t ns = 0;
};

// The other one stores to its page or not, as a coin says; then we store to ours, and time it.
Trial try_once(const Region& origin, bool other_stores) {
  constexpr std::size_t page = 2;
  Region other = origin.clone(CloneMode::eager);
  Region ours = other.clone();
  const std::size_t offset = stored_offset(ours, page);
  if (other_stores) other.data()[offset] = std::byte{'!'};
  return {other_stores, tool::step_times(tool::time_store(ours, offset, std::byte{'?'})).total};
}

std::uint64_t median_of(const std::vector<Trial>& all, bool other_stored) {
  std::vector<std::uint64_t> times;
  for (const Trial& trial : all) {
    if (trial.other_stored == other_stored) times.push_back(trial.ns);
  }
  if (times.empty()) return 0;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

void run_leak(Recorder& recorder, const ChapterOptions& options) {
  Scene& scene = recorder.scene();
  Region& origin = add_letters(recorder, options, "A", 0);
  scene.add("B", origin.clone());
  recorder.show(told(Focus::overview, "Two who share, and may not know of each other",
                     "B cannot read what A stores: that is what copies are for. But B has a "
                     "clock."));
  const Question question{
      "B stores to a page and times it. Can it tell from the time alone whether A had stored to "
      "that page before?",
      "Yes, mostly: a store that has to copy takes longer than one that has not."};
  recorder.ask(question);

  const Region quiet = origin.clone(CloneMode::eager);
  std::mt19937_64 coin(std::random_device{}());
  std::vector<Trial> seen;
  for (std::size_t i = 0; i < trials; ++i) seen.push_back(try_once(quiet, coin() % 2 == 0));
  const std::uint64_t alone = median_of(seen, true);
  const std::uint64_t shared = median_of(seen, false);
  const std::uint64_t threshold = (alone + shared) / 2;
  std::size_t right = 0;
  std::size_t stored = 0;
  for (std::size_t i = 0; i < trials; ++i) {
    const Trial trial = try_once(quiet, coin() % 2 == 0);
    const bool guess = (trial.ns < threshold) == (alone < shared);
    if (guess == trial.other_stored) ++right;
    if (trial.other_stored) ++stored;
  }
  Step table = told(Focus::table, "A guess from the time alone",
                    "The first half of the stores set a threshold, the second half was guessed by "
                    "it. Half right is what a coin would be.");
  table.table = {
      fmt::format("{:<34}{:>12}", "A had done before", "B's store"),
      fmt::format("{:<34}{:>12}", "nothing: B has to copy", tool::time_text(shared)),
      fmt::format("{:<34}{:>12}", "a store: B is the sole owner", tool::time_text(alone))};
  table.facts = {
      {"guessed", fmt::format("{} of {} right; A had stored in {}", right, trials, stored)}};
  table.answered = question;
  recorder.show(std::move(table));
  recorder.show(told(Focus::event, "What follows",
                     "Pages shared between those who must not learn of each other are a side "
                     "channel, whoever copies them. For secrets, clone eagerly: nothing is shared "
                     "then."));
  scene.drop("B");
  scene.add("B", origin.clone(CloneMode::eager));
  recorder.show(told(Focus::event, "B = A.clone(CloneMode::eager)",
                     "Every frame has one owner, and no store tells anything. It costs what the "
                     "first chapter showed."));
}

}  // namespace cow::demo
