// A list of objects that lie elsewhere.

#include "base/intrusive_list.hpp"

#include <array>
#include <string>

#include "catch.hpp"

namespace {

struct Letter : cow::ListLink<Letter> {
  explicit Letter(char letter) : text(letter) {}
  char text;
};
using Letters = cow::IntrusiveList<Letter>;

std::string forwards(const Letters& letters) {
  std::string text;
  for (const Letter& letter : letters) text += letter.text;
  return text;
}

/// What is left when the members are taken out one by one from the front, which follows the links
/// that lead back, too.
std::string taken_out(Letters& letters) {
  std::string text;
  while (!letters.empty()) text += letters.pop_front().text;
  return text;
}

}  // namespace

TEST_CASE("members of a list stand in the order in which they were put to either end", "[base]") {
  Letter a('a');
  Letter b('b');
  Letter c('c');
  Letters letters;
  CHECK(letters.empty());
  letters.push_back(b);
  letters.push_back(c);
  letters.push_front(a);
  CHECK(letters.size() == 3);
  CHECK(forwards(letters) == "abc");
  CHECK(taken_out(letters) == "abc");
  letters.push_front(c);  // one that was taken out can come back
  CHECK(forwards(letters) == "c");
}

TEST_CASE("a member leaves a list from wherever it stands", "[base]") {
  const std::array<std::string, 4> rest = {"bcd", "acd", "abd", "abc"};
  for (std::size_t gone = 0; gone < rest.size(); ++gone) {
    std::array<Letter, 4> all = {Letter('a'), Letter('b'), Letter('c'), Letter('d')};
    Letters letters;
    for (Letter& letter : all) letters.push_back(letter);
    letters.remove(all[gone]);
    CHECK(letters.size() == 3);
    CHECK(forwards(letters) == rest[gone]);
    letters.push_back(all[gone]);
    CHECK(taken_out(letters) == rest[gone] + all[gone].text);
  }
}

TEST_CASE("a list that was cleared looks at none of its members again", "[base]") {
  Letters letters;
  Letter kept('k');
  {
    Letter gone('g');
    letters.push_back(gone);
    letters.clear();
  }
  CHECK(letters.empty());
  letters.push_back(kept);
  CHECK(forwards(letters) == "k");
}
