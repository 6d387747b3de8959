#include "soak/world.hpp"

#include <algorithm>

namespace soak {

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// Pages of at least so many bytes; the environment may ask for more.
std::size_t granule(std::size_t bytes) { return std::max(bytes, support::page_bytes()); }

/// Small and large, pages of several sizes, windows on and off, one with reserved frames, and sizes
/// that are no whole number of pages.
std::vector<Shape> shapes() {
  return {
      {2 * mebibyte, {granule(0), 64, false}},
      {3 * mebibyte + 1000, {granule(0), 1, false}},
      {4 * mebibyte, {granule(std::size_t{16} << 10), 64, false}},
      {2 * mebibyte, {granule(0), 1, true}},
      {8 * mebibyte, {granule(0), 1, false}},
      {12 * mebibyte + 12, {granule(0), 4, false}},
      {20 * mebibyte, {granule(std::size_t{64} << 10), 64, false}},
      {64 * mebibyte, {granule(0), 64, false}},
  };
}

}  // namespace

World::World(const Options& chosen)
    : options(chosen), verdict(chosen.seed), rendezvous(chosen.threads), foreign(chosen.threads) {
  for (const Shape& shape : shapes()) {
    regions.push_back(std::make_unique<SharedRegion>(regions.size(), shape, chosen.threads));
  }
}

}  // namespace soak
