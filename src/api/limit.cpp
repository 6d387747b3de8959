// A limit for the memory of a family, and who is called when it is reached: a thread of libcow's
// own, as the store that reaches it is in the fault handler.

#include "api/limit.hpp"

#include <cow/region.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "mm/space/leaving.hpp"
#include "os/lock.hpp"
#include "os/own_thread.hpp"

namespace cow {

namespace {

struct Limit {
  std::weak_ptr<Family> family;
  const Family* name;  ///< to be compared alone
  std::size_t most_bytes;
  std::function<void(std::size_t)> when_reached;
  std::uint64_t number = 0;  ///< each has a greater one than those before
  bool is_above = false;     ///< of the thread alone
};

/// The limits of this process and their thread. Never destroyed: the thread goes with the process.
class Limits {
 public:
  static Limits& of_this_process() {
    Limits* now = made.load();
    if (now != nullptr) return *now;
    auto* const mine = new Limits;
    if (made.compare_exchange_strong(now, mine)) return *mine;
    delete mine;  // another thread was first
    return *now;
  }

  // In a child. Another thread of the parent may have been in the middle of anything here, the
  // mutex held: it stays as it is.
  static void forget_in_child() noexcept {
    Limits* const parents = made.exchange(nullptr);
    if (parents == nullptr) return;
    parents->left_before_ = left;
    left = parents;
  }

  void set(const std::shared_ptr<Family>& family, std::size_t most_bytes,
           std::function<void(std::size_t)> when_reached) {
    const auto limit =
        std::make_shared<Limit>(Limit{family, family.get(), most_bytes, std::move(when_reached)});
    start();
    std::shared_ptr<Limit> replaced;  // what its function owns goes without the lock
    std::unique_lock lock(mutex_);
    limits_.reserve(limits_.size() + 1);  // from here on nothing fails
    limit->number = ++last_number_;
    replaced = take_out(*family);
    limits_.push_back(limit);
    tell_frames(*family, most_bytes, &reached_);
    reached_.announce();  // it may be reached already
    wait_for_removed(*family, lock);
  }

  /// Returns when its function does not run and the thread has let go of the family, unless it is
  /// that function that calls.
  void remove(Family& family) {
    std::shared_ptr<Limit> removed;
    std::unique_lock lock(mutex_);
    removed = take_out(family);
    tell_frames(family, 0, nullptr);
    wait_for_removed(family, lock);
  }

 private:
  Limits() = default;

  // With the mutex held, so that of two threads that set limits at once one is told of last in both
  // places. Frames call no function of this class.
  static void tell_frames(Family& family, std::size_t most_bytes,
                          os::EventCount* reached) noexcept {
    const std::size_t most_frames = most_bytes / family.geometry().page_bytes();
    const Section section(family, Section::Intent::look);
    family.frames().limit().set(std::max<std::size_t>(most_frames, 1), most_bytes, reached);
  }

  // A family has one at most.
  std::shared_ptr<Limit> take_out(const Family& family) noexcept {
    const auto found = std::find_if(limits_.begin(), limits_.end(),
                                    [&](const auto& limit) { return limit->name == &family; });
    if (found == limits_.end()) return nullptr;
    std::shared_ptr<Limit> limit = std::move(*found);
    limits_.erase(found);
    return limit;
  }

  [[nodiscard]] bool is_set(const Limit& limit) const noexcept {
    return std::any_of(limits_.begin(), limits_.end(),
                       [&](const auto& each) { return each.get() == &limit; });
  }

  void wait_for_removed(const Family& family, std::unique_lock<std::mutex>& lock) {
    if (std::this_thread::get_id() == thread_) return;
    returned_.wait(lock, [&] {
      return looked_at_ == nullptr || looked_at_->name != &family || is_set(*looked_at_);
    });
  }

  void start() {
    const std::lock_guard guard(mutex_);
    if (is_started_) return;
    os::start_detached_thread([this] { run(); });
    is_started_ = true;
  }

  void run() noexcept {
    {
      const std::lock_guard guard(mutex_);
      thread_ = std::this_thread::get_id();
    }
    for (;;) {
      const std::uint32_t seen = reached_.seen();
      if (!look_at_all()) reached_.wait(seen);
    }
  }

  // True if a function was called: what it did, or others meanwhile, is worth another look.
  bool look_at_all() {
    bool was_called = false;
    std::uint64_t number = 0;
    while (const std::shared_ptr<Limit> limit = begin_next_after(number)) {
      number = limit->number;
      std::size_t bytes = 0;
      if (has_passed(*limit, bytes) && is_still_set(*limit)) {
        limit->when_reached(bytes);
        was_called = true;
      }
      end();
    }
    return was_called;
  }

  // Forgets it if its family has gone: then the caller has the last of it. Takes no memory. From
  // here to end() whoever removes it waits: its function may run, its family may be held.
  std::shared_ptr<Limit> begin_next_after(std::uint64_t number) noexcept {
    const std::lock_guard guard(mutex_);
    const auto next = std::find_if(limits_.begin(), limits_.end(),
                                   [&](const auto& limit) { return limit->number > number; });
    if (next == limits_.end()) return nullptr;
    std::shared_ptr<Limit> limit = *next;
    if (limit->family.expired()) limits_.erase(next);
    looked_at_ = limit.get();
    return limit;
  }

  static bool has_passed(Limit& limit, std::size_t& bytes) {
    const std::shared_ptr<Family> family = limit.family.lock();
    if (family == nullptr) return false;
    const std::size_t most_bytes = limit.most_bytes;
    bool fell_below = false;
    try {
      const Section section(*family, Section::Intent::look);
      FrameLimit& frames = family->frames().limit();
      fell_below = frames.take_fell_below();
      bytes = bytes_in_use(*family);
      frames.say_above(bytes >= most_bytes);
    } catch (const std::system_error&) {
      return false;  // a descriptor of the family was closed, say: every control call tells
    }
    const bool was_above = limit.is_above && !fell_below;
    limit.is_above = bytes >= most_bytes;
    return limit.is_above && !was_above;
  }

  [[nodiscard]] bool is_still_set(const Limit& limit) {
    const std::lock_guard guard(mutex_);
    return is_set(limit);
  }
  void end() {
    const std::lock_guard guard(mutex_);
    looked_at_ = nullptr;
    returned_.notify_all();
  }

  static std::atomic<Limits*> made;  // no lock, which fork() might find held
  static Limits* left;               // the parent's, and before them those of its own parent

  os::EventCount reached_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::shared_ptr<Limit>> limits_;  // in the order of their numbers
  std::uint64_t last_number_ = 0;
  const Limit* looked_at_ = nullptr;  ///< by the thread, which may hold its family
  std::thread::id thread_;
  bool is_started_ = false;
  Limits* left_before_ = nullptr;
};

std::atomic<Limits*> Limits::made{nullptr};
Limits* Limits::left = nullptr;

}  // namespace

void forget_limits() noexcept { Limits::forget_in_child(); }

void Region::limit_family_bytes(std::size_t most_bytes,
                                std::function<void(std::size_t)> when_reached) {
  AddressSpace& space = state().space();
  begin_control_call(space.family());
  Limits& limits = Limits::of_this_process();
  if (when_reached == nullptr) {
    limits.remove(space.family());
  } else {
    limits.set(space.shared_family(), most_bytes, std::move(when_reached));
  }
}

}  // namespace cow
