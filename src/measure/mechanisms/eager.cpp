// All bytes are copied at once. The copy lies in memory that is kept from one begin() to the next:
// from the second one on, the kernel has no frames to find and to clear for it.

#include <algorithm>
#include <cstring>
#include <optional>

#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/table.hpp"

namespace cow::measure {

namespace {

class EagerMemory : public Memory {
 public:
  explicit EagerMemory(const MemoryOptions& options) : memory_(plain_memory(options)) {}

  std::span<std::byte> bytes() override { return memory_.bytes(); }

  void begin() override {
    if (!image_) image_.emplace(Mapping::anonymous(bytes().size()));
    std::memcpy(image_->bytes().data(), bytes().data(), bytes().size());
    is_image_of_now_ = false;
  }

  void end() override {}

  void try_out(const std::function<void(std::span<std::byte>)>& stores) override {
    if (!is_image_of_now_) {
      begin();
      is_image_of_now_ = true;
    }
    stores(bytes());
    std::memcpy(bytes().data(), image_->bytes().data(), bytes().size());
  }

 private:
  Mapping memory_;
  std::optional<Mapping> image_;
  bool is_image_of_now_ = false;
};

}  // namespace

const Mechanism table::eager = {
    .name = "eager",
    .title = "eager copy",
    .what = "Copies all bytes with memcpy, into memory that is kept from one copy to the next.",
    .keeps_stores = true,
    .rolls_back = true,
    .has_granules = false,
    .has_files = true,
    .why_not = always,
    .make = [](const MemoryOptions& options) -> std::unique_ptr<Memory> {
      return std::make_unique<EagerMemory>(options);
    }};

}  // namespace cow::measure
