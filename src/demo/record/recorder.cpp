#include "demo/record/recorder.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.hpp"
#include "demo/record/store_steps.hpp"
#include "tool/quantity.hpp"
#include "tool/store_one_byte.hpp"

namespace cow::demo {
namespace {

std::byte flipped(const Region& region, std::size_t offset) { return ~region.bytes()[offset]; }

// The whole store, and how the page was before and after it.
StoreStory make_story(Scene& scene, const StoreTelling& telling) {
  StoreStory story;
  Region& region = scene.region(telling.region);
  story.telling = telling;
  story.offset = stored_offset(region, telling.page);
  story.page_bytes = region.page_bytes();
  story.address = reinterpret_cast<std::uintptr_t>(region.data()) + story.offset;
  story.value = flipped(region, story.offset);
  story.thread = current_thread();
  story.before.mark = Mark{telling.region, telling.page};
  scene.look(story.before);
  story.bytes_before = bytes_at(scene, story.offset);
  return story;
}

void run_store(Scene& scene, StoreStory& story) {
  story.timed = tool::time_store(scene.region(story.telling.region), story.offset, story.value);
  story.times = tool::step_times(story.timed);
  story.after.mark = story.before.mark;
  scene.look(story.after);
  story.bytes_after = bytes_at(scene, story.offset);
}

}  // namespace

std::size_t stored_offset(const Region& region, std::size_t page) {
  const std::size_t begin = page * region.page_bytes();
  COW_CHECK(begin < region.size());
  return begin + std::min(region.page_bytes(), region.size() - begin) / 2;
}

std::string frame_text(const FrameId& id) {
  // Physical pages are many: their last digits tell them apart.
  return fmt::format("{:x}", id.file == 0 ? id.number & 0xfff : id.number);
}

void Recorder::show(Step step) {
  scene_.look(step);
  sink_(step);
}

void Recorder::ask(const Question& question, std::optional<Mark> mark) {
  Step step;
  step.focus = Focus::before;
  step.title = "Before you look";
  step.question = question;
  step.mark = std::move(mark);
  show(std::move(step));
}

StoreOutcome Recorder::store_in_steps(const StoreTelling& telling) {
  StoreStory story = make_story(scene_, telling);
  story.instruction = disassemble(store_instruction());
  sink_(step_before(story));
  sink_(step_instruction(story));
  // The last moment at which the room can guess: nothing has happened yet.
  if (telling.question.has_value()) ask(*telling.question, story.before.mark);
  run_store(scene_, story);
  for (const Step& step : steps_of_the_fault(story)) sink_(step);
  return {story.timed.record, story.times};
}

std::optional<StoreOutcome> Recorder::store_at_once(const StoreTelling& telling) {
  StoreStory story = make_story(scene_, telling);
  const PageView* const page = marked_page(story.before);
  const bool faults =
      page == nullptr || (page->look != PageLook::private_page && page->look != PageLook::leased);
  if (telling.question.has_value()) ask(*telling.question, story.before.mark);
  if (!faults) {
    tool::store_one_byte(scene_.region(telling.region).data() + story.offset, story.value);
    Step step;
    step.focus = Focus::event;
    step.title = fmt::format("A store to page {} of {}", telling.page, telling.region);
    step.sentence = telling.after;
    step.facts.push_back({"fault", "none: the page is writable already"});
    step.mark = story.before.mark;
    step.answered = telling.question;
    show(std::move(step));
    return std::nullopt;
  }
  run_store(scene_, story);
  sink_(step_at_once(story));
  return StoreOutcome{story.timed.record, story.times};
}

}  // namespace cow::demo
