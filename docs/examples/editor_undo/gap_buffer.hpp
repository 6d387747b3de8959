#pragma once

// An editor's text as a gap buffer, as Emacs has it: the text before the cursor at the beginning of
// the memory, the text behind it at the end, and a gap between them into which is typed. All of it
// is in the memory that it was given, and nothing of it knows of undo.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace examples {

class GapBuffer {
 public:
  /// The text that is in `memory`, or none if that is all zeros.
  explicit GapBuffer(std::span<std::byte> memory)
      : head_(reinterpret_cast<Head*>(memory.data())),
        text_(reinterpret_cast<char*>(memory.data()) + sizeof(Head)),
        capacity_(memory.size() - sizeof(Head)) {
    if (head_->gap_end == 0) head_->gap_end = capacity_;
  }

  [[nodiscard]] std::size_t size() const { return capacity_ - gap(); }

  void insert(std::size_t at, std::string_view what) {
    if (at > size() || what.size() > gap()) throw std::length_error("no room for that");
    move_gap(at);
    std::memcpy(text_ + head_->gap_begin, what.data(), what.size());
    head_->gap_begin += what.size();
  }

  /// Returns what was there.
  std::string erase(std::size_t at, std::size_t count) {
    if (at + count > size()) throw std::length_error("there is less text than that");
    move_gap(at);
    std::string erased(text_ + head_->gap_end, count);
    head_->gap_end += count;
    return erased;
  }

  /// Replaces a letter in all of the text.
  void replace_all(char from, char to) {
    std::replace(text_, text_ + head_->gap_begin, from, to);
    std::replace(text_ + head_->gap_end, text_ + capacity_, from, to);
  }

  [[nodiscard]] std::string text() const {
    std::string all(text_, head_->gap_begin);
    return all.append(text_ + head_->gap_end, capacity_ - head_->gap_end);
  }

 private:
  struct Head {
    std::size_t gap_begin;
    std::size_t gap_end;
  };

  [[nodiscard]] std::size_t gap() const { return head_->gap_end - head_->gap_begin; }

  void move_gap(std::size_t to) {
    const std::size_t from = head_->gap_begin;
    if (to < from) {
      std::memmove(text_ + head_->gap_end - (from - to), text_ + to, from - to);
    } else {
      std::memmove(text_ + from, text_ + head_->gap_end, to - from);
    }
    head_->gap_end = head_->gap_end + to - from;
    head_->gap_begin = to;
  }

  Head* head_;
  char* text_;
  std::size_t capacity_;
};

}  // namespace examples
