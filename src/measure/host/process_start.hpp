#pragma once

// What a process has from whoever started it, put right before the work.

namespace cow::measure {

/// Input, output and errors are descriptors 0 to 2 afterwards: of those that were closed every read
/// and write still fails, and no file that is opened later takes its number.
void open_standard_descriptors();

/// No signal is blocked. The end of a child is waited for, whether or not our parent ignored
/// SIGCHLD, and a write beyond RLIMIT_FSIZE fails instead of ending the process.
void take_back_signals();

/// The same but for what the doctor looks at: other signals stay blocked. And SIGALRM, which ends
/// what hangs, is neither ignored nor blocked.
void take_back_signals_of_children();

/// While one is there a write beyond RLIMIT_FSIZE fails instead of ending the process.
class FileSizeErrors {
 public:
  FileSizeErrors();
  ~FileSizeErrors();
  FileSizeErrors(const FileSizeErrors&) = delete;
  FileSizeErrors& operator=(const FileSizeErrors&) = delete;

 private:
  void (*before_)(int);
};

}  // namespace cow::measure
