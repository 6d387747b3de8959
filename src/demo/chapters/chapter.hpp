#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "demo/record/recorder.hpp"

namespace cow::demo {

/// What the lecturer chose.
struct ChapterOptions {
  std::optional<std::string> file;        ///< its bytes instead of the chapter's own
  std::optional<std::size_t> page;        ///< to store to
  std::optional<std::size_t> size_bytes;  ///< of the region; nothing: the file's, or what is shown
  std::size_t pages_shown = 8;
};

/// One part of a lecture. It runs for real: every region, store and fault of it happens.
struct Chapter {
  const char* name = "";
  const char* title = "";
  const char* about = "";  ///< a line of the menu
  void (*run)(Recorder& recorder, const ChapterOptions& options) = nullptr;
  bool is_free = false;  ///< on a screen keys say what happens; `run` reads commands
};

/// In the order of a lecture.
[[nodiscard]] const std::vector<Chapter>& chapters();

/// The chapter of that name. Throws tool::ToolError that says which was meant, or which there are.
[[nodiscard]] const Chapter& chapter_named(const std::string& name);

void run_lazy_or_eager(Recorder& recorder, const ChapterOptions& options);
void run_one_store(Recorder& recorder, const ChapterOptions& options);
void run_parent_first(Recorder& recorder, const ChapterOptions& options);
void run_sole_owner(Recorder& recorder, const ChapterOptions& options);
void run_tree(Recorder& recorder, const ChapterOptions& options);
void run_fork(Recorder& recorder, const ChapterOptions& options);
void run_snapshot(Recorder& recorder, const ChapterOptions& options);
void run_read_efault(Recorder& recorder, const ChapterOptions& options);
void run_fragmentation(Recorder& recorder, const ChapterOptions& options);
void run_leak(Recorder& recorder, const ChapterOptions& options);
void run_rollback(Recorder& recorder, const ChapterOptions& options);
void run_kernel_way(Recorder& recorder, const ChapterOptions& options);
void run_wrong_count(Recorder& recorder, const ChapterOptions& options);
void run_free(Recorder& recorder, const ChapterOptions& options);

}  // namespace cow::demo
