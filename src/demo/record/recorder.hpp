#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include <cow/fault.hpp>

#include "demo/record/scene.hpp"
#include "demo/record/step.hpp"
#include "tool/observed_store.hpp"

namespace cow::demo {

/// A store that a chapter makes, and what it says about it.
struct StoreTelling {
  std::string region;
  std::size_t page = 0;
  std::string before;  ///< the sentence before it
  std::string after;   ///< the sentence when it is done
  std::optional<Question> question = {};
};

/// What a store came to.
struct StoreOutcome {
  FaultRecord record;
  tool::StepTimes times;
};

/// Records the steps of a chapter while it runs, and hands on each as soon as there is one. Who
/// takes them may make the chapter wait, or end it by an exception.
class Recorder {
 public:
  using Sink = std::function<void(const Step&)>;
  explicit Recorder(Sink sink) : sink_(std::move(sink)) {}

  [[nodiscard]] Scene& scene() { return scene_; }

  /// A step with what there is at this moment.
  void show(Step step);

  /// A step that asks, with what there is at this moment. The step that shows the answer has the
  /// same question as `answered`.
  void ask(const Question& question, std::optional<Mark> mark = {});

  /// One store and its fault in the textbook's steps. The store happens between the step with its
  /// instruction and the one with its fault. What lies between two looks from outside, the frame
  /// allocated and the bytes copied, is told as the fault's record has it.
  StoreOutcome store_in_steps(const StoreTelling& telling);

  /// The same in one step. A page that is writable already raises no fault: nothing then.
  std::optional<StoreOutcome> store_at_once(const StoreTelling& telling);

 private:
  Sink sink_;
  Scene scene_;
};

/// Where in a page the chapters store: in the middle, so that its address is not the page's.
[[nodiscard]] std::size_t stored_offset(const Region& region, std::size_t page);

/// "204": a frame's number, as in the offsets of /proc/self/maps without the page's zeros.
[[nodiscard]] std::string frame_text(const FrameId& id);

}  // namespace cow::demo
