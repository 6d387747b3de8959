#include "os/lock_order.hpp"

#if defined(COW_CHECKS)

#include <array>
#include <cstddef>

namespace cow::os {

namespace {

// What a thread holds is written down in a table and not in the thread's own storage: a thread
// whose stack lies in a region has that in the region, too, and the fault handler would fault on
// it. Only its address is asked for, which tells threads apart.
alignas(64) __attribute__((tls_model("initial-exec"))) thread_local char t_self;

// One word for each thread that holds a lock, so that a signal may come at any time:
//
//    63         22 21             8 7          0
//   |  the thread |  families held | other ranks |
//
// A word of zero is free; no word says that its thread holds nothing.
using Word = std::uint64_t;
constexpr auto kRankBits = static_cast<unsigned>(LockRank::metadata_heap);  // all but a family's
constexpr unsigned kThreadShift = 22;
constexpr Word kOneFamily = Word{1} << kRankBits;
constexpr Word kHeldMask = (Word{1} << kThreadShift) - 1;
constexpr Word kFamiliesMask = kHeldMask & ~(kOneFamily - 1);

constexpr std::size_t kWords = 1024;
constexpr std::size_t kProbes = 64;  // places in which the word of a thread may be
std::array<std::atomic<Word>, kWords> g_held;

Word this_thread() noexcept {
  return reinterpret_cast<std::uintptr_t>(&t_self) / 64 << kThreadShift;
}

std::atomic<Word>& word_at(Word thread, std::size_t probe) noexcept {
  const Word hash = (thread >> kThreadShift) * 0x9e3779b97f4a7c15 >> 32;
  return g_held[(hash + probe) % kWords];
}

// The word of the thread, or else, if it is wanted, a free one; null if there is none.
std::atomic<Word>* find(Word thread, bool or_free) noexcept {
  std::atomic<Word>* free = nullptr;
  for (std::size_t probe = 0; probe < kProbes; ++probe) {
    std::atomic<Word>& word = word_at(thread, probe);
    const Word now = word.load(std::memory_order_relaxed);
    if ((now & ~kHeldMask) == thread) return &word;
    if (now == 0 && free == nullptr) free = &word;
  }
  return or_free ? free : nullptr;
}

// What taking a lock of this rank adds to the word. Families are counted, above all other bits.
constexpr Word bit_of(LockRank rank) noexcept {
  if (rank == LockRank::family) return kOneFamily;
  const auto place = static_cast<unsigned>(rank);
  return Word{1} << (rank < LockRank::family ? place : place - 1);
}

// Everything that may not be held by who takes a lock of this rank.
constexpr Word from_rank_on(LockRank rank) noexcept {
  const Word others_from = rank == LockRank::family ? bit_of(LockRank::store_gate) : bit_of(rank);
  const Word others = (kOneFamily - 1) & ~(others_from - 1);
  return rank <= LockRank::family ? others | kFamiliesMask : others;
}

Word held_by(Word thread) noexcept {
  const std::atomic<Word>* const word = find(thread, false);
  return word == nullptr ? 0 : word->load(std::memory_order_relaxed) & kHeldMask;
}

}  // namespace

void LockOrder::check_may_take() const noexcept {
  const Word held = held_by(this_thread());
  Word forbidden = held & from_rank_on(rank_);
  const bool has_list = (held & bit_of(LockRank::family_list)) != 0;
  if (rank_ == LockRank::family && has_list) forbidden &= ~kFamiliesMask;
  const bool lock_is_taken_in_order = forbidden == 0;
  COW_CHECK(lock_is_taken_in_order);
}

void LockOrder::note_taken() noexcept {
  const Word thread = this_thread();
  holder_.store(thread, std::memory_order_relaxed);
  for (;;) {
    std::atomic<Word>* const word = find(thread, true);
    const bool has_room_for_this_thread = word != nullptr;
    COW_CHECK(has_room_for_this_thread);
    Word now = word->load(std::memory_order_relaxed);
    if (now != 0 && (now & ~kHeldMask) != thread) continue;  // taken by another one meanwhile
    const Word next = (now == 0 ? thread : now) + bit_of(rank_);
    if (word->compare_exchange_strong(now, next, std::memory_order_relaxed)) return;
  }
}

void LockOrder::note_given_back() noexcept {
  const bool lock_is_given_back_by_its_holder = is_mine();
  COW_CHECK(lock_is_given_back_by_its_holder);
  holder_.store(0, std::memory_order_relaxed);
  for (;;) {
    std::atomic<Word>* const word = find(this_thread(), false);
    const bool thread_holds_something = word != nullptr;
    COW_CHECK(thread_holds_something);
    Word now = word->load(std::memory_order_relaxed);
    const Word left = now - bit_of(rank_);
    const Word next = (left & kHeldMask) == 0 ? 0 : left;
    if (word->compare_exchange_strong(now, next, std::memory_order_relaxed)) return;
  }
}

bool LockOrder::is_mine() const noexcept {
  return holder_.load(std::memory_order_relaxed) == this_thread();
}

void forget_other_holders() noexcept {
  const Word thread = this_thread();
  for (std::atomic<Word>& word : g_held) {
    if ((word.load(std::memory_order_relaxed) & ~kHeldMask) != thread) {
      word.store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace cow::os

#endif
