#pragma once

// The service of worker_pool: a dictionary that knows how often each word was seen. A request is a
// text. Its words are counted in, those that are new are learned, and the answer is a score made of
// the counts: so it is right only if nobody has counted anything in before.

#include <cow/managed_region.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace examples {

struct WordHash {
  std::size_t operator()(std::string_view word) const {
    return std::hash<std::string_view>()(word);
  }
  std::size_t operator()(const cow::string& word) const {
    return (*this)(std::string_view(word.data(), word.size()));
  }
};

struct WordEqual {
  template <typename Left, typename Right>
  bool operator()(const Left& left, const Right& right) const {
    return std::string_view(left.data(), left.size()) ==
           std::string_view(right.data(), right.size());
  }
};

/// Words, and how often each was seen. It refers to its parts by offset pointers: its bytes are the
/// same dictionary wherever they lie, in a region, in a copy, or after a fork.
using Dictionary = cow::unordered_map<cow::string, std::uint64_t, WordHash, WordEqual>;

/// A word for each number: two letters for each two digits.
inline std::string word_of(std::uint64_t number) {
  std::string word;
  do {
    word += "bcdfghjklmnpqrstvwxz"[number % 20];
    word += "aeiou"[number / 20 % 5];
    number /= 100;
  } while (number > 0);
  return word;
}

/// How often a word was seen while the dictionary was warmed up.
inline std::uint64_t warm_count(std::uint64_t number) { return number * 2'654'435'761 % 1'000; }

/// One more of a word; returns how many there are.
inline std::uint64_t count_in(Dictionary& dictionary, std::string_view word) {
  auto found = dictionary.find(word, WordHash(), WordEqual());
  if (found == dictionary.end()) {
    const cow::string key(word.data(), word.size(), dictionary.get_allocator());
    found = dictionary.emplace(key, 0).first;
  }
  return ++found->second;
}

inline bool knows(const Dictionary& dictionary, std::string_view word) {
  return dictionary.find(word, WordHash(), WordEqual()) != dictionary.end();
}

/// A text, and the answer that is right.
struct Request {
  std::vector<std::string> words;
  std::uint64_t score = 0;
};

inline std::uint64_t score_after(std::uint64_t score, std::uint64_t count) {
  return score * 31 + count;
}

/// What a worker does.
inline std::uint64_t handle(Dictionary& dictionary, const Request& request) {
  std::uint64_t score = 0;
  for (const std::string& word : request.words) {
    score = score_after(score, count_in(dictionary, word));
  }
  return score;
}

/// Texts of words that the dictionary has, one in eight of them new to it. What is right is
/// computed from the numbers of the words, without a dictionary.
inline std::vector<Request> make_requests(std::size_t count, std::size_t words_each,
                                          std::uint64_t known_words) {
  std::vector<Request> requests(count);
  std::uint64_t random = 1;
  for (Request& request : requests) {
    std::unordered_map<std::uint64_t, std::uint64_t> seen;
    for (std::size_t i = 0; i < words_each; ++i) {
      random = random * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
      const std::uint64_t known = (random >> 33) % known_words;
      const std::uint64_t number = i % 8 == 7 ? known_words + known : known;
      const std::uint64_t before = number < known_words ? warm_count(number) : 0;
      request.words.push_back(word_of(number));
      request.score = score_after(request.score, before + ++seen[number]);
    }
  }
  return requests;
}

}  // namespace examples
