#include "tool/suggestion.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

// Letters put in, left out, changed, or two of them exchanged (Damerau and Levenshtein).
std::size_t distance(const std::string& left, const std::string& right) {
  std::vector<std::size_t> before(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t changed = left[i - 1] == right[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + changed});
      const bool exchanged =
          i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
      if (exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last.back();
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> names_of_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::string refusal(const char* kind, const std::string& word,
                    const std::vector<std::string>& names) {
  std::string sentence = fmt::format("there is no {} '{}'", kind, printable(word));
  if (const auto meant = nearest(word, names))
    sentence += fmt::format("; did you mean {}?", *meant);
  return sentence;
}

}  // namespace

std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& names) {
  std::optional<std::string> best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& name : names) {
    const bool begins_it = word.size() > 2 && name.starts_with(word);
    const std::size_t far = begins_it ? 0 : distance(word, name);
    if (far < least && far < name.size()) {
      least = far;
      best = name;
    }
  }
  return best;
}

std::optional<std::string> unknown_word(const CLI::App& app,
                                        const std::vector<std::string>& arguments) {
  const CLI::App* command = &app;
  for (const std::string& word : arguments) {
    if (word == "--") break;
    const bool is_option = word.size() > 1 && word[0] == '-' && word[1] != '.' &&
                           std::isdigit(static_cast<unsigned char>(word[1])) == 0;
    if (is_option) {
      const std::string name = word.substr(0, word.find('='));
      const std::vector<std::string> names = names_of_options(*command);
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        return refusal("option", name, names);
      }
    } else if (command == &app) {
      const std::vector<std::string> names = names_of_commands(app);
      if (std::find(names.begin(), names.end(), word) == names.end()) {
        return refusal("command", word, names);
      }
      command = app.get_subcommand(word);
    }
  }
  return std::nullopt;
}

}  // namespace cow::tool
