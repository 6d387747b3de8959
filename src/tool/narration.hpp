#pragma once

#include <cstdint>
#include <string_view>

#include <cow/region.hpp>

#include "tool/screen.hpp"

namespace cow::tool {

struct DemoResult;
struct FaultField;
struct MapsLine;
struct ObservedStore;

/// Tells the first part of `cow demo`: one store to a clone, in numbered steps.
class Narration {
 public:
  explicit Narration(Screen& screen) : screen_(screen) {}

  void tell_file(const DemoResult& result, const Region& original);
  void tell_clone(const DemoResult& result, const Region& clone);
  /// The page before the store, the fault, its four steps, the page after it.
  void tell_store(const DemoResult& result);
  void tell_check(const DemoResult& result, bool original_intact, bool clone_right);

 private:
  void tell_before(const DemoResult& result);
  void tell_fault(const ObservedStore& store);
  void tell_steps(const DemoResult& result);
  void tell_after(const DemoResult& result);
  void tell_maps_line(const ObservedStore& store, bool after);
  void tell_check_line(std::string_view name, std::string_view claim, bool holds);

  Screen& screen_;
};

/// What the second part compares.
void print_comparison_intro(Screen& screen, const DemoResult& result);
void print_comparison_check(Screen& screen, std::uint64_t bytes_compared, bool passed);

}  // namespace cow::tool
