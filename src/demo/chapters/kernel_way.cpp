// The kernel's own copy on write: fork() and MAP_PRIVATE, and libcow with Mechanism::kernel.

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <system_error>

#include <cow/fault.hpp>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/content.hpp"
#include "demo/chapters/told.hpp"
#include "demo/kernel/child_process.hpp"
#include "demo/kernel/private_memory.hpp"
#include "demo/record/step_json.hpp"
#include "tool/quantity.hpp"
#include "tool/store_one_byte.hpp"

namespace cow::demo {
namespace {

using Json = nlohmann::ordered_json;

std::vector<RegionView> views_of(const PrivateMemory& memory, const std::string& name) {
  const auto view = memory.look(name);
  return view.has_value() ? std::vector<RegionView>{*view} : std::vector<RegionView>{};
}

std::string answer_of_child(PrivateMemory& memory, const std::string& request) {
  Json answer = {{"faults", 0}};
  if (request != "look") answer["faults"] = memory.store(std::stoul(request), std::byte{'!'});
  answer["regions"] = regions_json(views_of(memory, "child"));
  return answer.dump();
}

/// Private memory in this process and in a child of it.
class TwoProcesses {
 public:
  TwoProcesses(Scene& scene, std::size_t pages)
      : scene_(scene),
        memory_(pages),
        child_([this](const std::string& request) { return answer_of_child(memory_, request); }) {
    look();
  }

  [[nodiscard]] bool can_be_seen() const { return memory_.look("").has_value(); }
  std::uint64_t store_in_child(std::size_t page) {
    const Json answer = Json::parse(child_.ask(std::to_string(page)));
    look();
    return answer.at("faults").get<std::uint64_t>();
  }
  std::uint64_t store_here(std::size_t page) {
    const std::uint64_t faults = memory_.store(page, std::byte{'!'});
    look();
    return faults;
  }

 private:
  void look() {
    std::vector<RegionView> views = views_of(memory_, "parent");
    const Json answer = Json::parse(child_.ask("look"));
    for (RegionView& view : regions_of(answer.at("regions"))) views.push_back(std::move(view));
    scene_.tell(std::move(views));
  }

  Scene& scene_;
  PrivateMemory memory_;
  ChildProcess child_;
};

Step store_step(const char* who, std::size_t page, std::uint64_t faults, std::string sentence) {
  Step step =
      told(Focus::event, fmt::format("The {} stores to page {}", who, page), std::move(sentence));
  step.facts = {{"page faults", fmt::format("{}, counted by the kernel; no signal", faults)}};
  step.mark = Mark{who, page};
  return step;
}

void show_private_memory(Recorder& recorder, const ChapterOptions& options, std::size_t page) {
  TwoProcesses processes(recorder.scene(), options.pages_shown);
  Step forked = told(Focus::overview, "mmap with MAP_PRIVATE, then fork()",
                     "Nothing of libcow is in this. The kernel made both page tables show the same "
                     "physical pages, read-only, and counts who maps each.");
  if (!processes.can_be_seen()) {
    forked.facts = {{"states", "/proc/self/pagemap cannot be read here: they are not shown"}};
  } else {
    forked.facts = {{"numbers", "the last digits of physical pages; - where only who has "
                                "CAP_SYS_ADMIN may know them"}};
  }
  recorder.show(std::move(forked));
  const Question question{"The child stores one byte. Who handles the page fault, and is there a "
                          "signal?",
                          "The kernel, within the store. There is no signal."};
  recorder.ask(question, Mark{"child", page});
  Step first = store_step("child", page, processes.store_in_child(page),
                          "The kernel copied the page: the child shows another one. What libcow's "
                          "handler does, the kernel's does here, without leaving it.");
  first.answered = question;
  recorder.show(std::move(first));
  recorder.show(store_step("parent", page, processes.store_here(page),
                           "A fault again, as the page was read-only. Nobody else maps it, so "
                           "nothing is copied: the kernel knows the sole owner, too."));
  recorder.scene().tell({});
}

void show_kernel_mechanism(Recorder& recorder, const ChapterOptions& options, std::size_t page) {
  Step step = told(Focus::event, "libcow with Mechanism::kernel",
                   "The same regions, clones and snapshots, but the kernel copies, and libcow asks "
                   "it afterwards what was stored to.");
  try {
    RegionOptions kernel;
    kernel.mechanism = Mechanism::kernel;
    Region original = Region::create(
        options.pages_shown * Region::create(1, one_page_a_fault()).page_bytes(), kernel);
    std::fill(original.bytes().begin(), original.bytes().end(), std::byte{'a'});
    Region clone = original.clone();
    FaultRecord record;
    std::size_t signals = 0;
    const std::uint64_t before = minor_faults();
    {
      const FaultRecorder recording(&record, 1);
      tool::store_one_byte(clone.data() + page * clone.page_bytes(), std::byte{'!'});
      signals = recording.size();
    }
    const std::uint64_t faults = minor_faults() - before;
    step.facts = {
        {"page faults", fmt::format("{}, counted by the kernel", faults)},
        {"signals", fmt::format("{}: libcow's handler was not called", signals)},
        {"private", tool::counted(clone.stats().pages_private, "page") + " of the clone"}};
  } catch (const std::system_error& error) {
    step.facts = {{"not here", error.what()}};
  }
  recorder.show(std::move(step));
}

}  // namespace

void run_kernel_way(Recorder& recorder, const ChapterOptions& options) {
  const std::size_t page = options.pages_shown / 2;
  show_private_memory(recorder, options, page);
  show_kernel_mechanism(recorder, options, page);
  Step step = told(Focus::table, "Three ways to copy on write", "What each can and cannot.");
  step.table = {"                   who copies   a store costs     clones  snapshots",
                "fork, MAP_PRIVATE  the kernel   a fault           no      no",
                "a handler          the handler  fault and signal  yes     yes",
                "Mechanism::kernel  the kernel   a fault           yes     yes"};
  recorder.show(std::move(step));
}

}  // namespace cow::demo
