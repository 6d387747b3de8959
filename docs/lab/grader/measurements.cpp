// How many copies and mappings, beside the fewest that any solution could do with.
#include <algorithm>
#include <numeric>
#include <random>

#include "checks.hpp"
#include "tests.hpp"

namespace grader {

namespace {

constexpr std::size_t pages = 256;

std::vector<std::size_t> every(std::size_t step) {
  std::vector<std::size_t> order(pages / step);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i * step;
  return order;
}

void store_to(const Pages& space, const std::vector<std::size_t>& order) {
  const std::size_t frames = frames_in_use();
  const std::size_t before = faults();
  for (const std::size_t page : order) space(page) = 9;
  verdict->results[0] = frames_in_use() - frames;
  verdict->results[1] = space.mappings();
  verdict->results[2] = faults() - before;
}

Pages filled_space() {
  const Pages a = create(pages);
  a.fill(1);
  return a;
}

void in_order() {
  const Pages a = filled_space();
  store_to(clone(a), every(1));
}

void in_random_order() {
  std::vector<std::size_t> order = every(1);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  const Pages a = filled_space();
  store_to(clone(a), order);
}

void every_second() {
  const Pages a = filled_space();
  store_to(clone(a), every(2));
}

void left_alone() {
  const Pages a = filled_space();
  const Pages b = clone(a);
  destroy(a);
  store_to(b, every(1));
}

}  // namespace

std::vector<Measurement> measurements() {
  return {
      {"each of 256 pages, in order", pages, 1, in_order},
      {"each, in random order", pages, 1, in_random_order},
      {"every second page", pages / 2, pages, every_second},
      {"each, the other side gone", 0, 1, left_alone},
  };
}

}  // namespace grader
