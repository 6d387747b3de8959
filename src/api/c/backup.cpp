#include <cow/c/backup.h>

#include <chrono>
#include <cstddef>

#include <cow/backup.hpp>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"
#include "api/c/structs.hpp"

using cow::c::call;
using cow::c::check_struct;
using cow::c::give;
using cow::c::make_handle;
using cow::c::need;

namespace {

constexpr const char* kTheRegion = "the region";
constexpr const char* kTheBackup = "the backup";
constexpr const char* kTheResult = "the pointer for the result";

cow_backup_progress in_c(const cow::BackupProgress& progress) {
  return {sizeof(cow_backup_progress), progress.pages_done, progress.pages_total,
          progress.bytes_written, progress.extra_bytes};
}

cow_backup_report in_c(const cow::BackupReport& report) {
  const cow::StoreWaits& waits = report.waits;
  return {0,
          report.pages,
          report.bytes_written,
          report.duration.count(),
          report.cut.count(),
          waits.count,
          waits.p50.count(),
          waits.p99.count(),
          waits.max.count(),
          waits.total.count(),
          report.peak_extra_bytes};
}

cow::BackupOptions backup_options(const cow_backup_options* given, const char* name) {
  const cow_backup_options from = cow::c::options_of(given, name);
  cow::BackupOptions options;
  if (from.most_extra_bytes != 0) options.most_extra_bytes = from.most_extra_bytes;
  if (from.longest_stall_ms != 0) {
    options.longest_stall = std::chrono::milliseconds(from.longest_stall_ms);
  }
  if (from.progress != nullptr) {
    options.progress = [from](const cow::BackupProgress& progress) {
      const cow_backup_progress now = in_c(progress);
      return from.progress(from.context, &now) == 0;
    };
  }
  return options;
}

}  // namespace

int cow_region_backup(const cow_region* region, const char* path, const cow_backup_options* options,
                      cow_backup** backup) {
  constexpr const char* name = "cow_region_backup";
  return call(name, [&] {
    need(backup, name, kTheResult);
    const cow::Region& from = need(region, name, kTheRegion).value;
    const char* const to = &need(path, name, "the path");
    *backup = make_handle<cow_backup>(from.backup(to, backup_options(options, name))).release();
  });
}

int cow_region_backup_fd(const cow_region* region, int descriptor,
                         const cow_backup_options* options, cow_backup** backup) {
  constexpr const char* name = "cow_region_backup_fd";
  return call(name, [&] {
    need(backup, name, kTheResult);
    const cow::Region& from = need(region, name, kTheRegion).value;
    auto started = from.backup(descriptor, backup_options(options, name));
    *backup = make_handle<cow_backup>(std::move(started)).release();
  });
}

int cow_region_estimate_backup(const cow_region* region, const cow_backup_options* options,
                               cow_backup_estimate* estimate) {
  constexpr const char* name = "cow_region_estimate_backup";
  return call(name, [&] {
    check_struct(need(estimate, name, "the estimate to fill"), name);
    const cow::Region& from = need(region, name, kTheRegion).value;
    const cow::BackupEstimate found = from.estimate_backup(backup_options(options, name));
    give(*estimate, {0, found.pages, found.bytes_at_most, found.least_extra_bytes,
                     found.most_extra_bytes, found.cut.count(), found.duration.count()});
  });
}

int cow_backup_wait(cow_backup* backup, cow_backup_report* report) {
  constexpr const char* name = "cow_backup_wait";
  return call(name, [&] {
    if (report != nullptr) check_struct(*report, name);
    const cow::BackupReport done = need(backup, name, kTheBackup).value.wait();
    if (report != nullptr) give(*report, in_c(done));
  });
}

int cow_backup_done(const cow_backup* backup) {
  return backup == nullptr || backup->value.done() ? 1 : 0;
}

int cow_backup_get_progress(const cow_backup* backup, cow_backup_progress* progress) {
  constexpr const char* name = "cow_backup_get_progress";
  return call(name, [&] {
    check_struct(need(progress, name, "the progress to fill"), name);
    give(*progress, in_c(need(backup, name, kTheBackup).value.progress()));
  });
}

void cow_backup_cancel(cow_backup* backup) {
  if (backup != nullptr) backup->value.cancel();
}

void cow_backup_destroy(cow_backup* backup) { delete backup; }
