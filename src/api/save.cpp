#include <cow/image.hpp>
#include <cow/snapshot.hpp>

#include <filesystem>
#include <vector>

#include "api/control_call.hpp"
#include "api/image_writer.hpp"
#include "api/snapshot_state.hpp"
#include "base/error.hpp"
#include "mm/control/difference.hpp"
#include "os/named_file.hpp"

namespace cow {

namespace {

using Saving = ImageOutput<os::ReplacementFile>;

}  // namespace

void Snapshot::save(const std::filesystem::path& path, const SaveOptions& options) const {
  detail::SnapshotState& from = state();
  begin_control_call(*from.family());
  Saving saving = retry_in_shortage([&] { return Saving(from, ImageKind::full, options, path); });
  saving.writer.write_all();
  saving.writer.finish();
  saving.file.commit();
}

void Snapshot::save_delta(const Snapshot& base, const std::filesystem::path& path,
                          const SaveOptions& options) const {
  detail::SnapshotState& from = state();
  detail::SnapshotState& before = base.state();
  if (from.family() != before.family()) {
    throw_invalid_argument(
        "Snapshot::save_delta: the base belongs to another family; give a snapshot of the same "
        "region, its clones or ancestors, or save a complete image");
  }
  if (from.size_bytes() != before.size_bytes()) {
    throw_invalid_argument(
        "Snapshot::save_delta: the region had another size at the base (Region::grow), and a delta "
        "is for an image of its own size; save a complete image");
  }
  begin_control_call(*from.family());
  Saving saving = retry_in_shortage([&] { return Saving(from, ImageKind::delta, options, path); });
  saving.writer.set_base(before.image_id());
  const std::vector<PageSpan> changed =
      retry_in_shortage([&] { return difference(*from.family(), before.table(), from.table()); });
  for (const PageSpan span : changed) saving.writer.expect(span.count());
  for (const PageSpan span : changed) saving.writer.write(span);
  saving.writer.finish();
  saving.file.commit();
}

}  // namespace cow
