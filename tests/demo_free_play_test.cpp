// Free play in `cow demo`: what each command comes to, and what cannot be done.

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "demo/chapters/free_play.hpp"
#include "demo/record/store_steps.hpp"

using namespace cow::demo;

namespace {

/// Free play by lines of words, and the steps it left.
struct Played {
  std::vector<Step> steps;
  Recorder recorder{[this](const Step& step) { steps.push_back(step); }};
  FreePlay play;

  explicit Played(const ChapterOptions& options = {}) : play(recorder, options) {}

  const Step& obey(const std::string& line) {
    play.obey(line);
    return steps.back();
  }
};

std::optional<FrameId> frame_of(const Step& step, const std::string& region, std::size_t page) {
  for (const RegionView& view : step.regions) {
    if (view.name == region) return view.shown.at(page).frame;
  }
  return std::nullopt;
}

bool is_refused(const Step& step) { return step.title == "That cannot be done"; }

}  // namespace

TEST_CASE("In free play a store to a clone moves its page, and a restore brings it back",
          "[demo]") {
  Played played;
  played.obey("clone A");
  const Step shared = played.obey("snapshot B");
  CHECK(frame_of(shared, "B", 3) == frame_of(shared, "A", 3));
  const Step& stored = played.obey("store B 3");
  CHECK(frame_of(stored, "B", 3) != frame_of(stored, "A", 3));
  CHECK(frame_of(stored, "S1", 3) == frame_of(stored, "A", 3));
  CHECK_FALSE(is_refused(played.obey("restore B")));
  CHECK(played.recorder.scene().region("B").bytes()[0] ==
        played.recorder.scene().region("A").bytes()[0]);
  CHECK(played.play.rows() == std::vector<std::string>{"A", "B", "S1"});
  CHECK_FALSE(is_refused(played.obey("drop S1")));
  CHECK(played.play.rows() == std::vector<std::string>{"A", "B"});
}

TEST_CASE("In free play a child of fork stores to pages of its own", "[demo]") {
  Played played;
  const Step forked = played.obey("fork");
  CHECK(frame_of(forked, "A child", 5) == frame_of(forked, "A", 5));
  const Step& stored = played.obey("store A child 5");
  CHECK_FALSE(is_refused(stored));
  CHECK(frame_of(stored, "A", 5) == frame_of(forked, "A", 5));
  CHECK(frame_of(stored, "A child", 5) != frame_of(stored, "A", 5));
  CHECK(is_refused(played.obey("fork")));
  const Step& ended = played.obey("drop A child");
  CHECK(ended.title == "The child exits");
  CHECK(ended.facts.at(0).value == "it ended with 0");
  CHECK(played.play.rows() == std::vector<std::string>{"A"});
}

TEST_CASE("In free play what cannot be done is said, and changes nothing", "[demo]") {
  Played played;
  played.obey("snapshot A");
  for (const char* line : {"store S1 0", "store A 8", "store A", "store A x", "clone Q", "drop Q",
                           "restore A S9", "drop A", "fly"}) {
    CAPTURE(line);
    CHECK(is_refused(played.obey(line)));
    CHECK(played.play.rows() == std::vector<std::string>{"A", "S1"});
  }
}

TEST_CASE("In free play any page can be stored to, and is shown, unless a child shows others",
          "[demo]") {
  ChapterOptions options;
  options.size_bytes = std::size_t{4} << 20;
  Played played(options);
  played.obey("clone A");
  for (const char* line : {"store B 60", "store A 0", "store B 61", "store A 63"}) {
    CAPTURE(line);
    const Step& stored = played.obey(line);
    CHECK_FALSE(is_refused(stored));
    CHECK(marked_page(stored) != nullptr);
  }
  played.obey("fork");
  CHECK(is_refused(played.obey("store A 0")));
  CHECK(is_refused(played.obey("store A child 0")));
  CHECK_FALSE(is_refused(played.obey("store A child 62")));
  played.obey("drop A child");
  CHECK_FALSE(is_refused(played.obey("store A 0")));
}

TEST_CASE("In free play there are never more rows than a small screen shows", "[demo]") {
  Played played;
  for (std::size_t i = 1; i < FreePlay::most_rows; ++i) {
    CHECK_FALSE(is_refused(played.obey("clone A")));
  }
  CHECK(is_refused(played.obey("clone A")));
  CHECK(is_refused(played.obey("snapshot A")));
  CHECK(is_refused(played.obey("fork")));
  CHECK_FALSE(is_refused(played.obey("drop C")));
  CHECK_FALSE(is_refused(played.obey("clone A")));
}
