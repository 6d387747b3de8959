// libcow's own handler, taken apart by its recorder.

#include <cow/fault.hpp>
#include <cow/region.hpp>

#include <algorithm>
#include <optional>
#include <vector>

#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/timed_faults.hpp"

namespace cow::measure {

namespace {

class Recorded final : public TimedFaults {
 public:
  Recorded(std::size_t bytes, Kept kept)
      : kept_(kept),
        region_(cow::Region::create(bytes,
                                    {.max_window_pages = 1, .mechanism = cow::Mechanism::handler})),
        records_(bytes / host_page_bytes()) {
    store_to_every_page(region_.bytes());
  }

  std::span<std::byte> bytes() override { return clone_ ? clone_->bytes() : region_.bytes(); }

  void begin() override {
    if (kept_ == Kept::snapshot) {
      snapshot_ = region_.snapshot();
    } else {
      clone_ = region_.clone();
    }
    recorder_.emplace(records_.data(), records_.size());
    taken_ = 0;
  }
  void end() override {
    recorder_.reset();
    snapshot_.reset();
    clone_.reset();
  }
  [[nodiscard]] std::span<const std::string_view> steps() const override {
    static constexpr std::array<std::string_view, 5> names = {"delivery", "lookup", "allocate",
                                                              "copy", "map"};
    return names;
  }
  [[nodiscard]] std::optional<StepTimes> times() override {
    if (!recorder_ || recorder_->size() != taken_ + 1) return std::nullopt;
    const cow::FaultRecord& record = records_[taken_++];
    // A step that the fault did not need has the time 0.
    StepTimes times = {record.entered_ns, record.located_ns, record.allocated_ns, record.copied_ns,
                       record.mapped_ns};
    for (std::size_t i = 1; i < times.size(); ++i) times[i] = std::max(times[i], times[i - 1]);
    return times;
  }

 private:
  const Kept kept_;
  cow::Region region_;
  std::optional<cow::Snapshot> snapshot_;
  std::optional<cow::Region> clone_;
  std::vector<cow::FaultRecord> records_;
  std::optional<cow::FaultRecorder> recorder_;
  std::size_t taken_ = 0;
};

}  // namespace

std::unique_ptr<TimedFaults> timed_handler(std::size_t bytes, Kept kept) {
  return std::make_unique<Recorded>(bytes, kept);
}

}  // namespace cow::measure
