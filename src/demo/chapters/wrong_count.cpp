// What happens with a wrong reference count: a miniature with the bug, in a child process.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/told.hpp"
#include "demo/kernel/child_process.hpp"
#include "demo/kernel/miniature.hpp"
#include "demo/record/step_json.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

using Json = nlohmann::ordered_json;

std::string report_text(CountBug bug, MiniatureStory story) {
  const MiniatureReport report = run_miniature(bug, story);
  return Json({{"regions", regions_json(report.regions)},
               {"a", report.a},
               {"b", report.b},
               {"c", report.c},
               {"frames", report.frames_in_use},
               {"copied", report.pages_copied}})
      .dump();
}

std::string letter(const Json& report, const char* region) {
  return fmt::format("'{}'", static_cast<char>(report.at(region).get<unsigned>()));
}

// Runs it where it can harm nobody, and shows what it left behind.
void show_run(Recorder& recorder, CountBug bug, MiniatureStory story, Step step) {
  ChildProcess child([=](const std::string&) { return report_text(bug, story); });
  const Json report = Json::parse(child.ask("run"));
  recorder.scene().tell(regions_of(report.at("regions")));
  step.facts.push_back({"A's byte", letter(report, "a")});
  if (story == MiniatureStory::b_stores) step.facts.push_back({"B's byte", letter(report, "b")});
  if (story == MiniatureStory::b_goes_c_comes) {
    step.facts.push_back({"C's byte", letter(report, "c")});
  }
  step.facts.push_back({"copied", tool::counted(report.at("copied").get<std::size_t>(), "page")});
  step.facts.push_back({"in use", tool::counted(report.at("frames").get<std::size_t>(), "frame") +
                                      " by the counts"});
  step.facts.push_back({"the child", child.end()});
  step.mark = Mark{"A", 0};
  recorder.show(std::move(step));
}

}  // namespace

void run_wrong_count(Recorder& recorder, const ChapterOptions& /*options*/) {
  recorder.show(told(Focus::overview, "A miniature of copy-on-write",
                     "A file of frames, a count for each, and a handler of SIGSEGV: if the count "
                     "is above one, copy; else just write. A has 'a' in it, B is its clone. Each "
                     "run is in a child process of its own."));
  show_run(recorder, CountBug::none, MiniatureStory::b_stores,
           told(Focus::event, "Counts that are right",
                "B stores 'B'. The count was two: copied. A keeps its 'a'."));

  const Question low{"A bug: clone() forgets to count. B stores 'B'. What does A show?",
                     "'B': the handler found a count of one, took B for the sole owner, and let it "
                     "write to the frame that A shows, too."};
  recorder.ask(low);
  Step step = told(Focus::event, "A count too low: the store is seen by the other one",
                   "No crash, no message. A has changed, and nobody stored to it: isolation is "
                   "gone.");
  step.answered = low;
  show_run(recorder, CountBug::clone_does_not_count, MiniatureStory::b_stores, std::move(step));

  const Question freed{"The same bug. B is dropped, then C is made and filled with 'C'. A still "
                       "lives. What does A show?",
                       "'C': with B the last count went, A's frames were given to C. Somebody "
                       "else's data, in memory that A never touched."};
  recorder.ask(freed);
  step = told(Focus::event, "A count too low: freed while it is in use",
              "It is the worst of all: what A shows is whatever comes next.");
  step.answered = freed;
  show_run(recorder, CountBug::clone_does_not_count, MiniatureStory::b_goes_c_comes,
           std::move(step));

  const Question high{"The other bug: drop() forgets to count down. B is dropped, then A stores. "
                      "Does A show the right bytes?",
                      "Yes. But it copied for nobody, and frames that nobody shows are never given "
                      "back."};
  recorder.ask(high);
  step = told(Focus::event, "A count too high: a leak",
              "All bytes are right. It only grows, and copies too much: such a bug is found by "
              "counting frames, not by looking at bytes.");
  step.answered = high;
  show_run(recorder, CountBug::drop_does_not_count, MiniatureStory::b_goes_a_stores,
           std::move(step));
}

}  // namespace cow::demo
