#pragma once

// What the command line says of a server. Each option has a value; the last one counts.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <cow/cow.hpp>

#include "../command_line.hpp"

struct Options {
  std::filesystem::path image = "data.cow";
  std::size_t most_bytes = std::size_t{16} << 30;
  cow::RegionOptions region{};  // without a choice, the mechanism of COW_MECHANISM
  std::string save_by = "backup";
  std::string save_limit;  // nothing: the database's own
  std::string path;        // of the socket; nothing: the port counts
  std::uint16_t port = 6379;
};

inline std::size_t number_of_option(const std::string& option, const std::string& text,
                                    std::size_t least,
                                    std::size_t most = std::numeric_limits<std::size_t>::max()) {
  if (const auto number = examples::number_of(text, least, most)) return *number;
  const bool is_bounded = most != std::numeric_limits<std::size_t>::max();
  throw std::invalid_argument(option + " takes a number from " + std::to_string(least) +
                              (is_bounded ? " to " + std::to_string(most) : " on") + ", and not '" +
                              text + "'");
}

inline std::string word_of_option(const std::string& option, const std::string& text,
                                  const std::string& one, const std::string& other) {
  if (text == one || text == other) return text;
  throw std::invalid_argument(option + " is " + one + " or " + other + ", and not '" + text + "'");
}

/// The words behind --serve. Throws std::invalid_argument for a value that cannot be.
inline Options read_options(const std::vector<std::string>& words) {
  Options options;
  const std::size_t least_bytes = std::size_t{1} << 20;  // a new database has that
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string& option = words[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 < words.size()) return words[i + 1];
      throw std::invalid_argument(option + " takes a value");
    };
    if (option == "--image") {
      options.image = value();
    } else if (option == "--unix") {
      options.path = value();
    } else if (option == "--port") {
      const std::size_t most = std::numeric_limits<std::uint16_t>::max();
      options.port = static_cast<std::uint16_t>(number_of_option(option, value(), 0, most));
    } else if (option == "--most-bytes") {
      options.most_bytes = number_of_option(option, value(), least_bytes);
    } else if (option == "--granule") {
      options.region.granule_bytes = number_of_option(option, value(), 0);
    } else if (option == "--save-limit") {
      options.save_limit = value();
    } else if (option == "--save-by") {
      options.save_by = word_of_option(option, value(), "backup", "fork");
    } else if (option == "--mechanism") {
      const bool is_kernel = word_of_option(option, value(), "handler", "kernel") == "kernel";
      options.region.mechanism = is_kernel ? cow::Mechanism::kernel : cow::Mechanism::handler;
    } else {
      examples::refuse_option(examples::kUsageOfKeyValueServer, option);
    }
  }
  return options;
}
