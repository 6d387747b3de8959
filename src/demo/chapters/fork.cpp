// A real child process, whose faults are shown beside its parent's.

#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/content.hpp"
#include "demo/kernel/child_process.hpp"
#include "demo/record/step_json.hpp"
#include "demo/record/store_steps.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

using Json = nlohmann::ordered_json;

// In the child: stores where it is told to, and says what its pages show then.
std::string answer_of_child(Scene& scene, const std::string& request) {
  Region& region = scene.region("A");
  Json answer = Json::object();
  if (request != "look") {
    const std::size_t offset = stored_offset(region, std::stoul(request));
    const tool::TimedStore timed = tool::time_store(region, offset, ~region.bytes()[offset]);
    answer["address"] = timed.record.address;
    answer["error_code"] = timed.record.error_code;
    answer["copied"] = timed.record.pages_copied;
    answer["ns"] = tool::step_times(timed).total;
    answer["byte"] = std::to_integer<unsigned>(region.bytes()[offset]);
  }
  Step state;
  scene.look(state);
  answer["regions"] = regions_json(state.regions);
  return answer.dump();
}

// Asks the child, and puts what it shows below what the parent does.
Json ask_child(ChildProcess& child, Scene& scene, const std::string& request) {
  Json answer = Json::parse(child.ask(request));
  std::vector<RegionView> views = regions_of(answer.at("regions"));
  for (RegionView& view : views) view.name = "A child";
  scene.tell(std::move(views));
  return answer;
}

Step step_of_child(const Json& answer, std::size_t page, const std::string& sentence) {
  Step step;
  step.focus = Focus::event;
  step.title = fmt::format("The child stores to page {}", page);
  step.sentence = sentence;
  step.facts = {{"address", tool::hex(answer.at("address").get<std::uint64_t>()) +
                                ", the same as in the parent"},
                {"error code", tool::hex(answer.at("error_code").get<std::uint64_t>())},
                {"copied", tool::counted(answer.at("copied").get<std::size_t>(), "page")},
                {"took", tool::time_text(answer.at("ns").get<std::uint64_t>())},
                {"child's byte", fmt::format("{:#04x}", answer.at("byte").get<unsigned>())}};
  step.mark = Mark{"A child", page};
  return step;
}

}  // namespace

void run_fork(Recorder& recorder, const ChapterOptions& options) {
  const std::size_t page = page_to_store_to(options, options.pages_shown / 2);
  Scene& scene = recorder.scene();
  add_original(recorder, options, "A", page);
  Step alone;
  alone.focus = Focus::overview;
  alone.title = "A region, and a process that will fork";
  alone.sentence = "Both processes will have the region at the same address, as with any memory.";
  alone.facts = {{"process", std::to_string(::getpid())}};
  recorder.show(std::move(alone));

  const Question question{"fork() makes a second process with the same memory. How many pages "
                          "does it copy?",
                          "None. Both processes show the same frames."};
  recorder.ask(question);
  ChildProcess child(
      [&scene](const std::string& request) { return answer_of_child(scene, request); });
  ask_child(child, scene, "look");
  Step forked;
  forked.focus = Focus::event;
  forked.title = "fork()";
  forked.sentence = "Two processes, two page tables, the same frames. Every page is read-only in "
                    "both. The row below is what the child says of itself.";
  forked.facts = {{"parent", std::to_string(::getpid())}, {"child", std::to_string(child.pid())}};
  forked.answered = question;
  recorder.show(std::move(forked));

  Step stored = step_of_child(
      ask_child(child, scene, std::to_string(page)), page,
      "The fault happened in the child, and the child's handler resolved it. The copy is in a "
      "frame file of the child's own: a number with + before it.");
  recorder.show(std::move(stored));
  const std::size_t next = page == 0 ? 1 : page - 1;
  recorder.store_at_once(
      {"A", next, "",
       "The parent copies, too, when it stores first: its page moves, the child's "
       "stays.",
       Question{"Now the parent stores, to another page. Who copies?",
                "The parent: whoever stores first. The child shows what was there at the fork."}});
  Step last = step_of_child(ask_child(child, scene, std::to_string(next)), next,
                            "The child stores to the same page. It cannot know whether its parent "
                            "still shows the frame, so it copies.");
  recorder.show(std::move(last));
  Step gone;
  gone.focus = Focus::event;
  gone.title = "The child exits";
  gone.sentence = "Its frames go back with it.";
  gone.facts = {{"the child", child.end()}};
  scene.tell({});
  recorder.show(std::move(gone));
}

}  // namespace cow::demo
