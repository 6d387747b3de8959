#include <cow/backup.hpp>
#include <cow/region.hpp>

#include <string>
#include <utility>

#include "api/backup_estimate.hpp"
#include "api/backup_file.hpp"
#include "api/backup_state.hpp"
#include "api/backup_stream.hpp"
#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "api/state.hpp"
#include "base/error.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

ImageHeader header_of(const AddressSpace& space, std::size_t size_bytes, ImageKind kind) {
  ImageHeader header = new_header(kind, size_bytes, space.family().geometry().page_bytes());
  os::fill_randomly(header.id.data(), header.id.size());
  return header;
}

/// `make_target(const ImageHeader&, const std::atomic<bool>& is_cancelled)`.
template <class MakeTarget>
std::shared_ptr<detail::BackupState> begin_backup(detail::RegionState& region,
                                                  const BackupOptions& options, ImageKind kind,
                                                  const MakeTarget& make_target) {
  if (options.longest_stall < std::chrono::milliseconds::zero()) {
    throw_invalid_argument("Region::backup: BackupOptions::longest_stall is negative, " +
                           std::to_string(options.longest_stall.count()) +
                           " ms; give zero or more, or milliseconds::max() to wait for ever");
  }
  const std::uint64_t begun_ns = os::monotonic_ns();
  AddressSpace& source = region.space();
  begin_control_call(source.family());
  auto made = retry_in_shortage(
      [&] { return detail::make_state<detail::BackupState>(source.shared_family(), options); });
  const ImageHeader header = header_of(source, region.size_bytes(), kind);
  retry_in_shortage([&] { made->begin(source, make_target(header, made->is_cancelled())); });
  retry_in_shortage([&] { made->cut(region); });
  retry_in_shortage([&] { made->take_stock(source); });
  made->start(begun_ns);
  return made;
}

}  // namespace

Backup Region::backup(const std::filesystem::path& path, const BackupOptions& options) const {
  return Backup(begin_backup(
      state(), options, ImageKind::full,
      [&](const ImageHeader& header, const std::atomic<bool>&) -> std::unique_ptr<BackupTarget> {
        return std::make_unique<BackupFile>(path, header);
      }));
}

Backup Region::backup(int descriptor, const BackupOptions& options) const {
  return Backup(begin_backup(state(), options, ImageKind::stream,
                             [&](const ImageHeader& header, const std::atomic<bool>& is_cancelled)
                                 -> std::unique_ptr<BackupTarget> {
                               return std::make_unique<BackupStream>(
                                   descriptor, options.longest_stall, is_cancelled, header);
                             }));
}

BackupEstimate Region::estimate_backup(const BackupOptions& options) const {
  return detail::estimate_backup(state().space(), options);
}

Backup::Backup(std::shared_ptr<detail::BackupState> state) noexcept : state_(std::move(state)) {}
Backup::Backup(Backup&& other) noexcept = default;
Backup& Backup::operator=(Backup&& other) noexcept = default;
Backup::~Backup() = default;

detail::BackupState& Backup::state() const {
  if (state_ == nullptr) {
    throw_misuse("this backup was moved from; use the object it was moved to");
  }
  return *state_;
}

BackupReport Backup::wait() { return state().wait(); }
bool Backup::done() const { return state().done(); }
BackupProgress Backup::progress() const { return state().progress(); }
void Backup::cancel() noexcept {
  if (state_ != nullptr) state_->cancel();
}

}  // namespace cow
