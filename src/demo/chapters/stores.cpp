// The chapters in which one store after the other is looked at: one-store, parent-first,
// sole-owner, tree.

#include <fmt/format.h>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/content.hpp"
#include "demo/chapters/told.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

void show_original(Recorder& recorder, const ChapterOptions& options) {
  Scene& scene = recorder.scene();
  Step step = told(Focus::event, "A region, A",
                   "Memory in pages. Behind each page lies a frame, which holds its bytes; the "
                   "number in a page is that of its frame.");
  step.facts.push_back({"size", tool::bytes_text(scene.region("A").size())});
  step.facts.push_back({"content", options.file.has_value() ? tool::printable(*options.file)
                                                            : "a letter of its own in each page"});
  recorder.show(std::move(step));
}

void clone(Recorder& recorder, const std::string& of, const std::string& name,
           const std::string& sentence) {
  Scene& scene = recorder.scene();
  scene.add(name, scene.region(of).clone());
  recorder.show(told(Focus::event, fmt::format("Clone it: {} = {}.clone()", name, of), sentence));
}

}  // namespace

void run_one_store(Recorder& recorder, const ChapterOptions& options) {
  const std::size_t page = add_original_to_store_to(recorder, options, "A");
  show_original(recorder, options);
  clone(recorder, "A", "B",
        "Nothing is copied. Both show the same frames, each of which has two owners now, and both "
        "are read-only.");
  recorder.store_in_steps(
      {"B", page, "A store to B is next. The page is read-only, and its frame has two owners.",
       "B has a frame of its own, and may write to it. A shows what it always did. The old frame "
       "has one owner less.",
       Question{"B stores one byte. How many frames are there afterwards, and which of the two "
                "regions shows another one than before?",
                "One more. The writer, B, shows another frame; A's page was not touched."}});
  recorder.store_at_once({"B", page, "",
                          "The second store to the page is an ordinary store: the "
                          "page is writable, and nobody is told.",
                          Question{"B stores to the same page again. How many faults is that?",
                                   "None. A page is copied at most once."}});
}

void run_parent_first(Recorder& recorder, const ChapterOptions& options) {
  const std::size_t page = add_original_to_store_to(recorder, options, "A");
  clone(recorder, "A", "B",
        "A was there first, and the frames were made for it. Both are equal "
        "now: each frame has two owners.");
  recorder.store_in_steps(
      {"A", page, "This time the original is stored to, not the clone.",
       "Who stores copies: A moved to a new frame, and B kept the old one. There is no rank "
       "among owners.",
       Question{"A, the original, stores first. Which of the two moves to another frame?",
                "A, as it is the one that stores. B must go on seeing the old bytes."}});
  recorder.store_at_once(
      {"B", page, "", "B was the last owner of the old frame: its store copied nothing.",
       Question{"Now B stores to the same page. Is anything copied?",
                "No. Nobody else shows B's frame any more, so B may just write."}});
}

void run_sole_owner(Recorder& recorder, const ChapterOptions& options) {
  const std::size_t page = add_original_to_store_to(recorder, options, "A");
  clone(recorder, "A", "B", "Two owners for each frame, and both regions are read-only.");
  recorder.scene().drop("B");
  recorder.show(told(Focus::event, "Drop the clone",
                     "Each frame has one owner again, but A's pages are still protected: nobody "
                     "went through them to change that."));
  recorder.store_in_steps(
      {"A", page, "A page is protected although nobody shares it.",
       "One fault, no frame, no copy. The reference count made the difference.",
       Question{"A stores. Is there a page fault? Is a page copied?",
                "A fault, yes: the page is read-only. A copy, no: the count is one."}});
  recorder.store_at_once({"A", page, "", "The page is writable: no fault any more."});
}

void run_tree(Recorder& recorder, const ChapterOptions& options) {
  const std::size_t page = add_original_to_store_to(recorder, options, "A");
  clone(recorder, "A", "B", "B is a clone of A.");
  clone(recorder, "B", "C",
        "C is a clone of the clone. It shows A's frames at once, not by way of "
        "B: three owners.");
  clone(recorder, "A", "D", "D is another one of A's: four owners.");
  recorder.store_at_once(
      {"B", page, "",
       "B left. A, C and D still share the frame: C does not follow B, of which it "
       "was cloned.",
       Question{"B stores. Its clone C was made before that. Which frame does C show, and how many "
                "owners does that one have?",
                "The old one, with three owners: A, C and D."}});
  recorder.scene().drop("A");
  recorder.show(told(Focus::event, "Drop A, the root",
                     "A is gone. What C and D show stays, as its frames still have owners."));
  recorder.store_at_once(
      {"C", page, "", "C left as well. D is the last owner of the first frame."});
  recorder.store_at_once({"D", page, "",
                          "A sole owner again, in a tree that has lost its root: nothing copied.",
                          Question{"D stores, the last one with the first frame. Is it copied?",
                                   "No. Its count is one, whoever owned it before."}});
  recorder.scene().drop("B");
  recorder.scene().drop("C");
  recorder.show(told(Focus::event, "Drop B and C",
                     "Frames that nobody shows go back. Members of a tree may be "
                     "dropped in any order."));
}

}  // namespace cow::demo
