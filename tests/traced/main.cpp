// A program that knows nothing of traces, for scripts/traced_test.py: the environment asks for one.
// With the argument "itself" it begins one of its own, too; with "in-order" it stores to all
// pages of a clone, one after the other.

#include <cow/cow.hpp>
#include <cstdio>
#include <exception>
#include <optional>
#include <string_view>

int main(int count, char** arguments) {
  try {
    std::optional<cow::Trace> own;
    if (count > 2 && std::string_view(arguments[1]) == "itself") own.emplace(arguments[2]);
    cow::Region region = cow::Region::create(std::size_t{1} << 20);
    for (std::size_t i = 0; i < region.size(); i += region.page_bytes()) {
      region.bytes()[i] = std::byte{1};
    }
    const cow::Snapshot past = region.snapshot();
    region.bytes()[0] = std::byte{2};
    cow::Region clone = region.clone();
    const bool is_in_order = count > 1 && std::string_view(arguments[1]) == "in-order";
    for (std::size_t i = 0; is_in_order && i < clone.size(); i += clone.page_bytes()) {
      clone.bytes()[i] = std::byte{3};
    }
    return std::to_integer<int>(past.bytes()[0]) == 1 ? 0 : 1;
  } catch (const std::exception& error) {
    std::puts(error.what());
    return 3;
  }
}
