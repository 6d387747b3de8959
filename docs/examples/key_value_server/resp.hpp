#pragma once

// The protocol, as Redis speaks it (RESP2). A command is an array of strings, or a line of words as
// somebody types them. It arrives in whatever pieces the network makes of it, several at once when
// the client pipelines, so the reader keeps what is not complete yet.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace resp {

using Words = std::vector<std::string>;

constexpr std::size_t kMostCommandBytes = std::size_t{512} << 20;
constexpr std::size_t kMostLineBytes = std::size_t{64} << 10;
constexpr std::int64_t kMostWords = 1 << 20;

/// The whole text as a number; nothing if it is anything else.
inline std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

/// Takes bytes and gives commands.
class CommandReader {
 public:
  enum class Next { command, incomplete, broken };

  void append(std::string_view received) {
    buffer_.erase(0, position_);
    position_ = 0;
    buffer_.append(received);
  }

  /// The next complete command. After `broken` the connection is to be closed: where the next
  /// command begins cannot be known. error() is then the sentence for the client.
  Next next(Words& words) {
    while (expected_ == 0) {
      std::string_view line;
      const Next found = next_line(line);
      if (found != Next::command) return found;
      if (line.starts_with('*')) {
        const auto count = number(line.substr(1));
        if (!count || *count > kMostWords) return broken("invalid multibulk length");
        expected_ = static_cast<std::size_t>(std::max<std::int64_t>(*count, 0));
        words_.clear();
        bytes_ = 0;
      } else if (split(line)) {
        words = std::move(words_);
        return Next::command;
      }
    }
    while (words_.size() < expected_) {
      const Next found = next_word();
      if (found != Next::command) return found;
    }
    expected_ = 0;
    words = std::move(words_);
    return Next::command;
  }

  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  // A line that has arrived as a whole, without its end.
  Next next_line(std::string_view& line) {
    const std::size_t end = buffer_.find('\n', position_);
    if (end == std::string::npos) {
      return buffer_.size() - position_ > kMostLineBytes ? broken("too big inline request")
                                                         : Next::incomplete;
    }
    line = std::string_view(buffer_).substr(position_, end - position_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    position_ = end + 1;
    return Next::command;
  }

  // "$5", and the five bytes.
  Next next_word() {
    if (!word_bytes_) {
      std::string_view line;
      const Next found = next_line(line);
      if (found != Next::command) return found;
      if (!line.starts_with('$')) {
        return broken("expected '$', got '" + std::string(line.substr(0, 1)) + "'");
      }
      const auto bytes = number(line.substr(1));
      if (!bytes || *bytes < 0) return broken("invalid bulk length");
      bytes_ += static_cast<std::size_t>(*bytes);
      if (static_cast<std::uint64_t>(*bytes) > kMostCommandBytes || bytes_ > kMostCommandBytes) {
        return broken("invalid bulk length");
      }
      word_bytes_ = static_cast<std::size_t>(*bytes);
    }
    if (buffer_.size() - position_ < *word_bytes_ + 2) return Next::incomplete;
    const std::string_view word = std::string_view(buffer_).substr(position_, *word_bytes_ + 2);
    if (!word.ends_with("\r\n")) return broken("a string is longer than it said");
    words_.emplace_back(word.substr(0, *word_bytes_));
    position_ += word.size();
    word_bytes_.reset();
    return Next::command;
  }

  bool split(std::string_view line) {
    words_.clear();
    for (std::size_t begin = 0; begin < line.size();) {
      const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
      if (end > begin) words_.emplace_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    return !words_.empty();
  }

  Next broken(const std::string& why) {
    error_ = "ERR Protocol error: " + why;
    return Next::broken;
  }

  std::string buffer_;
  std::size_t position_ = 0;               // where in it the next command, or the rest of one, is
  std::size_t expected_ = 0;               // words of the array that is arriving, 0 between arrays
  std::optional<std::size_t> word_bytes_;  // length of the word that is arriving
  std::size_t bytes_ = 0;                  // in all words of it
  Words words_;
  std::string error_;
};

/// Replies are appended to what waits to be sent.
inline void add_line(std::string& out, char kind, std::string_view text) {
  out += kind;
  out += text;
  out += "\r\n";
}
inline void add_ok(std::string& out) { add_line(out, '+', "OK"); }
inline void add_error(std::string& out, std::string_view text) { add_line(out, '-', text); }
inline void add_integer(std::string& out, std::int64_t value) {
  add_line(out, ':', std::to_string(value));
}
inline void add_array(std::string& out, std::size_t count) {
  add_line(out, '*', std::to_string(count));
}
inline void add_null(std::string& out) { add_line(out, '$', "-1"); }
inline void add_text(std::string& out, std::string_view text) {
  add_line(out, '$', std::to_string(text.size()));
  out += text;
  out += "\r\n";
}

}  // namespace resp
