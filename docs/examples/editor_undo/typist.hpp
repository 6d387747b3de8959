#pragma once

// Somebody who types into a buffer, the same each time, and edits as a log of them keeps them.

#include <cstddef>
#include <random>
#include <string>

#include "gap_buffer.hpp"

namespace examples {

/// `removed` was replaced by `inserted`; to undo that is the same the other way round.
struct Edit {
  std::size_t at = 0;
  std::string removed{};
  std::string inserted{};

  void revert(GapBuffer& buffer) const {
    buffer.erase(at, inserted.size());
    buffer.insert(at, removed);
  }
};

/// Somebody who types: mostly at one place, now and then a little further on, seldom far away.
class Typist {
 public:
  /// Types once, and says what that was.
  Edit type(GapBuffer& buffer) {
    if (random_() % 200 == 0) cursor_ += random_() % (512 * 1024);
    if (random_() % 10 == 0) cursor_ += random_() % (4 * 1024);
    cursor_ %= buffer.size() - 16;
    Edit edit{.at = cursor_};
    if (random_() % 4 == 0) edit.removed = buffer.erase(edit.at, 1 + random_() % 8);
    edit.inserted.assign(random_() % 8, static_cast<char>('a' + random_() % 26));
    buffer.insert(edit.at, edit.inserted);
    cursor_ += edit.inserted.size();
    return edit;
  }

 private:
  std::mt19937_64 random_{1};
  std::size_t cursor_ = 1000;
};

}  // namespace examples
