#include "demo/record/store_steps.hpp"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "tool/fault_decode.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

using tool::bytes_text;
using tool::hex;
using tool::time_text;

std::string byte_text(std::byte value) {
  return fmt::format("{:#04x}", std::to_integer<unsigned>(value));
}

std::string bytes_text_of(const NamedBytes& bytes) {
  std::string text;
  for (const auto& [name, value] : bytes) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, byte_text(value));
  }
  return text;
}

std::string page_text(const StoreStory& story) {
  return fmt::format("page {} of {}", story.telling.page, story.telling.region);
}

bool copied(const StoreStory& story) { return story.timed.record.pages_copied > 0; }

FrameId frame_after(const StoreStory& story) {
  const PageView* const page = marked_page(story.after);
  return page != nullptr && page->frame.has_value() ? *page->frame : FrameId{};
}

std::string frame_before_text(const StoreStory& story) {
  const PageView* const page = marked_page(story.before);
  return page != nullptr && page->frame.has_value() ? frame_text(*page->frame) : "none";
}

Step with_state(const Step& state, Focus focus, std::string title, std::string sentence) {
  Step step = state;
  step.focus = focus;
  step.title = std::move(title);
  step.sentence = std::move(sentence);
  return step;
}

std::vector<TimedPart> parts(const StoreStory& story, Focus now) {
  const tool::StepTimes& times = story.times;
  return {{"fault", times.fault, now == Focus::fault},
          {"allocate", times.allocate, now == Focus::allocate},
          {"copy", times.copy, now == Focus::copy},
          {"map", times.map, now == Focus::map},
          {"again", times.resume, now == Focus::again}};
}

Fact instruction_fact(const StoreStory& story) {
  if (story.instruction.has_value()) return {"instruction", story.instruction->text};
  return {"instruction", "this build has no disassembler (Capstone)"};
}

Step step_fault(const StoreStory& story) {
  const FaultRecord& record = story.timed.record;
  Step step = with_state(story.before, Focus::fault, "The page fault, as the processor reported it",
                         "The processor did not store. The kernel found no reason to allow it and "
                         "sent SIGSEGV; libcow's handler runs now, on this thread.");
  step.facts.push_back(
      {"address", fmt::format("{} = {} + {}", hex(record.address), page_text(story),
                              hex(story.offset % story.page_bytes))});
  if (record.has_error_code) {
    std::string bits;
    for (const auto& field : tool::decode_fault(tool::this_architecture(), record.error_code)) {
      bits += fmt::format("{}{}", bits.empty() ? "" : "  ", tool::assignment_text(field));
    }
    step.facts.push_back({tool::error_code_name(tool::this_architecture()),
                          fmt::format("{}: {}", hex(record.error_code), bits)});
    for (const auto& field : tool::decode_fault(tool::this_architecture(), record.error_code)) {
      if (step.facts.size() > 3) break;  // the first two say it: why, and what it was
      step.facts.push_back({"", fmt::format("{}: {}", field.name, field.meaning)});
    }
  } else {
    step.facts.push_back({tool::error_code_name(tool::this_architecture()),
                          "no record: this system does not pass it on"});
  }
  step.facts.push_back({"instruction", fmt::format("at {}", hex(record.instruction_pointer))});
  step.facts.push_back({"thread", std::to_string(story.thread)});
  return step;
}

Step step_allocate(const StoreStory& story) {
  Step step = with_state(story.before, Focus::allocate, "Allocate a frame",
                         "A copy needs a place. Nobody shows the new frame yet.");
  const FrameId id = frame_after(story);
  step.facts.push_back({"frame", fmt::format("{}, at {} of the frame file", frame_text(id),
                                             hex(story.timed.record.file_offset_after))});
  const auto same = [&](const FrameView& frame) { return frame.id == id; };
  if (std::none_of(step.frames.begin(), step.frames.end(), same)) step.frames.push_back({id, 0});
  return step;
}

Step step_copy(const StoreStory& story) {
  Step step = step_allocate(story);
  step.focus = Focus::copy;
  step.title = "Copy the content";
  step.sentence = "One page is copied, whatever the size of the region.";
  step.facts = {{"bytes", fmt::format("{} from frame {} to frame {}", bytes_text(story.page_bytes),
                                      frame_before_text(story), frame_text(frame_after(story)))}};
  return step;
}

Step step_map(const StoreStory& story) {
  Step step = with_state(story.after, Focus::map, "Update the mapping",
                         "One mmap lets the page show the new frame, and allows stores.");
  if (!copied(story)) {
    step.title = "Nobody else shows the frame: just allow it";
    step.sentence = "The count says that this page is the last one to show its frame. No frame is "
                    "allocated, nothing is copied; the page becomes writable.";
  }
  if (story.timed.record.before == PageState::zero) {
    step.sentence = "The page had no frame: it gets one of zeros.";
  }
  step.facts.push_back({"frame", fmt::format("before {}, now {}", frame_before_text(story),
                                             frame_text(frame_after(story)))});
  return step;
}

Step step_again(const StoreStory& story) {
  Step step = with_state(story.after, Focus::again, "The instruction again",
                         "The handler returns to the same instruction. The processor runs it once "
                         "more, and nothing is in its way.");
  step.facts.push_back(instruction_fact(story));
  step.facts.push_back({"at", hex(story.timed.record.instruction_pointer)});
  return step;
}

Step step_after(const StoreStory& story) {
  Step step = with_state(story.after, Focus::after,
                         fmt::format("After the store: {}", page_text(story)), story.telling.after);
  step.facts.push_back({"bytes", bytes_text_of(story.bytes_after)});
  step.facts.push_back({"page", fmt::format("{}: {}", tool::name_of(story.timed.record.after),
                                            tool::describe(story.timed.record.after))});
  step.facts.push_back({"took", time_text(story.times.total)});
  step.answered = story.telling.question;
  return step;
}

}  // namespace

Step step_before(const StoreStory& story) {
  Step step =
      with_state(story.before, Focus::before, fmt::format("Before the store: {}", page_text(story)),
                 story.telling.before);
  step.facts.push_back({"bytes", bytes_text_of(story.bytes_before)});
  const PageView* const page = marked_page(story.before);
  if (page != nullptr) {
    step.facts.push_back(
        {"page", fmt::format("{}, frame {}", name_of(page->look), frame_before_text(story))});
  }
  return step;
}

Step step_instruction(const StoreStory& story) {
  Step step = with_state(story.before, Focus::instruction, "The instruction that will store",
                         fmt::format("One instruction, which stores {} through a register. It "
                                     "does not know of pages.",
                                     byte_text(story.value)));
  step.facts.push_back(instruction_fact(story));
  const std::uintptr_t place = store_instruction();
  step.facts.push_back({"at", fmt::format("{} ({})", hex(place), tool::function_text(place))});
  if (!story.instruction.has_value()) return step;
  step.facts.push_back({"bytes", story.instruction->bytes});
  if (!story.instruction->base_register.empty()) {
    step.facts.push_back(
        {"register",
         fmt::format("{} = {}: {} + {}", story.instruction->base_register, hex(story.address),
                     page_text(story), hex(story.offset % story.page_bytes))});
  }
  return step;
}

std::vector<Step> steps_of_the_fault(const StoreStory& story) {
  std::vector<Step> steps = {step_fault(story)};
  if (copied(story)) {
    steps.push_back(step_allocate(story));
    steps.push_back(step_copy(story));
  }
  steps.push_back(step_map(story));
  steps.push_back(step_again(story));
  for (Step& step : steps) step.times = parts(story, step.focus);
  steps.push_back(step_after(story));
  return steps;
}

Step step_at_once(const StoreStory& story) {
  Step step = with_state(story.after, Focus::event, fmt::format("A store to {}", page_text(story)),
                         story.telling.after);
  const char* const what = copied(story) ? "one page copied" : "nothing copied";
  step.facts.push_back(
      {"fault", fmt::format("{}; frame before {}, now {}", what, frame_before_text(story),
                            frame_text(frame_after(story)))});
  step.facts.push_back({"bytes", bytes_text_of(story.bytes_after)});
  step.facts.push_back({"took", time_text(story.times.total)});
  step.answered = story.telling.question;
  return step;
}

const PageView* marked_page(const Step& step) {
  if (!step.mark.has_value()) return nullptr;
  for (const RegionView& region : step.regions) {
    if (region.name != step.mark->region || step.mark->page < region.first_page) continue;
    const std::size_t index = step.mark->page - region.first_page;
    return index < region.shown.size() ? &region.shown[index] : nullptr;
  }
  return nullptr;
}

NamedBytes bytes_at(Scene& scene, std::size_t offset) {
  NamedBytes bytes;
  for (const std::string& name : scene.names()) {
    const auto content = scene.has_region(name) ? std::as_const(scene.region(name)).bytes()
                                                : scene.snapshot(name).bytes();
    if (offset < content.size()) bytes.emplace_back(name, content[offset]);
  }
  return bytes;
}

long current_thread() { return static_cast<long>(::gettid()); }

std::uintptr_t store_instruction() {
  static const std::uintptr_t address = [] {
    RegionOptions options;
    options.mechanism = Mechanism::handler;
    Region trial = Region::create(1, options);
    return tool::time_store(trial, 0, std::byte{1}).record.instruction_pointer;
  }();
  return address;
}

}  // namespace cow::demo
