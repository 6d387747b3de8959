// fork(), the way to clone memory that every Unix has.

#include <optional>

#include "measure/mechanisms/forked_child.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/table.hpp"

namespace cow::measure {

namespace {

class ForkMemory : public Memory {
 public:
  explicit ForkMemory(const MemoryOptions& options) : memory_(plain_memory(options)) {}

  std::span<std::byte> bytes() override { return memory_.bytes(); }

  void begin() override { image_.emplace(); }

  void end() override {
    if (image_) image_->end();
    image_.reset();
  }

  void try_out(const std::function<void(std::span<std::byte>)>& stores) override {
    reap(fork_child([&] { stores(bytes()); }));
  }

 private:
  Mapping memory_;
  std::optional<SleepingChild> image_;
};

}  // namespace

const Mechanism table::fork = {
    .name = "fork",
    .title = "fork()",
    .what = "A child process sleeps with the bytes as they were, and the parent stores; to go "
            "back, the child stores and ends.",
    .keeps_stores = true,
    .rolls_back = true,
    .has_granules = false,
    .has_files = true,
    .why_not = always,
    .make = [](const MemoryOptions& options) -> std::unique_ptr<Memory> {
      return std::make_unique<ForkMemory>(options);
    }};

}  // namespace cow::measure
