#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>

#include "demo/chapters/chapter.hpp"
#include "demo/record/step.hpp"

namespace cow::demo {

/// A chapter that runs on a thread of its own, and no further than it is asked to: what a step
/// shows happens when somebody wants to see it. It ends with its performance, wherever it is.
class Performance {
 public:
  Performance(const Chapter& chapter, const ChapterOptions& options);
  ~Performance();
  Performance(const Performance&) = delete;
  Performance& operator=(const Performance&) = delete;

  /// Lets the next step happen; false if the chapter has ended. Throws what the chapter threw.
  bool advance();

  /// What has happened so far.
  [[nodiscard]] const Recording& recording() const { return recording_; }
  [[nodiscard]] bool has_ended() const { return has_ended_; }

 private:
  struct Left {};  ///< thrown through a chapter that nobody watches any more

  void run(const Chapter& chapter, const ChapterOptions& options);
  void take(const Step& step);

  Recording recording_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::size_t wanted_ = 0;  ///< steps
  bool is_left_ = false;
  bool has_ended_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace cow::demo
