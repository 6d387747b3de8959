// The same as MAP_PRIVATE, through Boost.Interprocess: what a program that has it would write.

#include "measure/mechanisms/table.hpp"

#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>

#include <exception>
#include <optional>

#include "measure/mechanisms/mapping.hpp"

namespace cow::measure {

namespace {

namespace bip = boost::interprocess;

class BoostMemory : public Memory {
 public:
  explicit BoostMemory(const MemoryOptions& options)
      : file_(filled_file(options)),
        original_(options.file.empty() ? Mapping::shared(file_, options.bytes)
                                       : Mapping::read_only(file_, bytes_of(file_))),
        mapping_(("/proc/self/fd/" + std::to_string(file_.number())).c_str(), bip::read_only) {}

  std::span<std::byte> bytes() override { return clone_ ? span_of(*clone_) : original_.bytes(); }

  void begin() override { clone_.emplace(new_clone()); }

  void end() override { clone_.reset(); }

  // Its advise(advice_dontneed) is posix_madvise, which keeps the copies: a new mapping each time.
  void try_out(const std::function<void(std::span<std::byte>)>& stores) override {
    const bip::mapped_region trial = new_clone();
    stores(span_of(trial));
  }

 private:
  static std::span<std::byte> span_of(const bip::mapped_region& region) {
    return {static_cast<std::byte*>(region.get_address()), region.get_size()};
  }

  [[nodiscard]] bip::mapped_region new_clone() const {
    return bip::mapped_region(mapping_, bip::copy_on_write, 0, original_.bytes().size());
  }

  Descriptor file_;
  Mapping original_;  ///< a program's view before begin(); of a file that was asked for, read-only
  bip::file_mapping mapping_;
  std::optional<bip::mapped_region> clone_;
};

std::string why_no_boost() {
  try {
    BoostMemory({.bytes = host_page_bytes()}).begin();
  } catch (const std::exception& error) {
    return std::string("Boost.Interprocess cannot map a memory file: ") + error.what();
  }
  return {};
}

std::unique_ptr<Memory> make_with_boost(const MemoryOptions& options) {
  return std::make_unique<BoostMemory>(options);
}

}  // namespace

const Mechanism table::boost_private = {
    .name = "boost-private",
    .title = "Boost.Interprocess, copy_on_write",
    .what = "Each clone is a new mapped_region with copy_on_write of a memory file; to go back, it "
            "is made anew.",
    .keeps_stores = false,
    .rolls_back = true,
    .has_granules = false,
    .has_files = true,
    .why_not = why_no_boost,
    .make = make_with_boost};

}  // namespace cow::measure
