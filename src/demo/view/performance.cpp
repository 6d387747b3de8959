#include "demo/view/performance.hpp"

#include <utility>

namespace cow::demo {

Performance::Performance(const Chapter& chapter, const ChapterOptions& options)
    : recording_{chapter.name, chapter.title, {}},
      thread_([this, &chapter, options] { run(chapter, options); }) {}

Performance::~Performance() {
  {
    const std::scoped_lock hold(lock_);
    is_left_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Performance::run(const Chapter& chapter, const ChapterOptions& options) {
  std::exception_ptr error;
  try {
    {
      std::unique_lock hold(lock_);
      changed_.wait(hold, [this] { return is_left_ || wanted_ > 0; });
      if (is_left_) return;
    }
    Recorder recorder([this](const Step& step) { take(step); });
    chapter.run(recorder, options);
  } catch (const Left&) {
    return;
  } catch (...) {
    error = std::current_exception();
  }
  {
    const std::scoped_lock hold(lock_);
    has_ended_ = true;
    error_ = error;
  }
  changed_.notify_all();
}

// Hands the step over, and waits until another one is wanted.
void Performance::take(const Step& step) {
  std::unique_lock hold(lock_);
  recording_.steps.push_back(step);
  changed_.notify_all();
  changed_.wait(hold, [this] { return is_left_ || wanted_ > recording_.steps.size(); });
  if (is_left_) throw Left{};
}

bool Performance::advance() {
  std::unique_lock hold(lock_);
  const std::size_t before = recording_.steps.size();
  wanted_ = before + 1;
  changed_.notify_all();
  changed_.wait(hold, [&] { return has_ended_ || recording_.steps.size() > before; });
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  return recording_.steps.size() > before;
}

}  // namespace cow::demo
