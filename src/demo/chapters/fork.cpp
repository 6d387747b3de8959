// A real child process, whose faults are shown beside its parent's.

#include <unistd.h>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/child_regions.hpp"
#include "demo/chapters/content.hpp"

namespace cow::demo {

void run_fork(Recorder& recorder, const ChapterOptions& options) {
  Scene& scene = recorder.scene();
  const std::size_t page = add_original_to_store_to(recorder, options, "A");
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
  ChildRegions child(scene);
  Step forked;
  forked.focus = Focus::event;
  forked.title = "fork()";
  forked.sentence = "Two processes, two page tables, the same frames. Every page is read-only in "
                    "both. The row below is what the child says of itself.";
  forked.facts = {{"parent", std::to_string(::getpid())}, {"child", std::to_string(child.pid())}};
  forked.answered = question;
  recorder.show(std::move(forked));

  Step stored = child.store("A", page);
  stored.sentence =
      "The fault happened in the child, and the child's handler resolved it. The copy is in a "
      "frame file of the child's own: a number with + before it.";
  recorder.show(std::move(stored));
  const std::size_t next = page == 0 ? 1 : page - 1;
  recorder.store_at_once(
      {"A", next, "",
       "The parent copies, too, when it stores first: its page moves, the child's "
       "stays.",
       Question{"Now the parent stores, to another page. Who copies?",
                "The parent: whoever stores first. The child shows what was there at the fork."}});
  Step last = child.store("A", next);
  last.sentence =
      "The child stores to the same page. It cannot know whether its parent still shows "
      "the frame, so it copies.";
  recorder.show(std::move(last));
  Step gone;
  gone.focus = Focus::event;
  gone.title = "The child exits";
  gone.sentence = "Its frames go back with it.";
  gone.facts = {{"the child", child.end()}};
  recorder.show(std::move(gone));
}

}  // namespace cow::demo
