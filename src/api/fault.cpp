#include <cow/fault.hpp>

#include <algorithm>
#include <atomic>

#include "api/control_call.hpp"
#include "api/recorder.hpp"
#include "base/error.hpp"
#include "fault/dispatch.hpp"
#include "fault/registry.hpp"

namespace cow {

namespace {

struct Recording {
  FaultRecord* records = nullptr;
  std::size_t capacity = 0;
  std::atomic<std::size_t> heard{0};
  std::atomic<std::size_t> written{0};
  std::atomic<std::uint64_t> current{0};  // the one FaultRecorder there can be; 0: none
  std::atomic<std::uint64_t> made{0};
  FaultListener listener;
};
void record_fault(void* self, const ResolvedFault& fault) noexcept;

Recording g_recording{nullptr, 0, {}, {}, {}, {}, {&record_fault, &g_recording}};

FaultRecord describe(const ResolvedFault& fault) noexcept {
  FaultRecord record;
  record.address = fault.report.address;
  record.instruction_pointer = fault.report.instruction_pointer;
  record.error_code = fault.report.error_code;
  record.has_error_code = fault.report.has_error_code;
  record.page = fault.page.value;
  record.pages_taken = fault.steps.pages_taken;
  record.pages_copied = fault.steps.pages_copied;
  record.before = static_cast<PageState>(fault.steps.before.kind);
  record.after = static_cast<PageState>(fault.steps.after.kind);
  record.file_offset_before = fault.steps.before.file_offset;
  record.file_offset_after = fault.steps.after.file_offset;
  record.entered_ns = fault.steps.cause.entered_ns;
  record.located_ns = fault.steps.located_ns;
  record.allocated_ns = fault.steps.allocated_ns;
  record.copied_ns = fault.steps.copied_ns;
  record.mapped_ns = fault.steps.mapped_ns;
  return record;
}

void record_fault(void* self, const ResolvedFault& fault) noexcept {
  Recording& recording = *static_cast<Recording*>(self);
  const std::size_t index = recording.heard.fetch_add(1);
  if (index < recording.capacity) recording.records[index] = describe(fault);
  recording.written.fetch_add(1);
}

bool lies_in_a_region(const FaultRecord* record) noexcept {
  const Registry::Reader reader(Registry::instance());
  return reader.find(reinterpret_cast<std::uintptr_t>(record)) != nullptr;
}

}  // namespace

void forget_recorder() noexcept {
  forget_fault_listener();
  g_recording.current.store(0);
}

bool owns_sigsegv() noexcept { return os::fault_handler_is_installed(); }

void reinstall_handler() {
  check_stack();
  ensure_handler_installed();
}

bool try_handle_fault(int signal, void* siginfo, void* context) noexcept {
  return signal == os::kFaultSignal && handle_fault(os::decode_fault(siginfo, context));
}

FaultRecorder::FaultRecorder(FaultRecord* records, std::size_t capacity)
    : recording_(g_recording.made.fetch_add(1) + 1) {
  if (lies_in_a_region(records) || (capacity > 0 && lies_in_a_region(records + capacity - 1))) {
    throw_misuse(
        "the records of a FaultRecorder lie in a region; give it other memory, since it is written "
        "to in the middle of a fault");
  }
  std::uint64_t none = 0;
  if (!g_recording.current.compare_exchange_strong(none, recording_)) {
    throw_misuse("a FaultRecorder exists already; there can be only one at a time");
  }
  g_recording.records = records;
  g_recording.capacity = capacity;
  g_recording.heard.store(0);
  g_recording.written.store(0);
  set_fault_listener(&g_recording.listener);
}

FaultRecorder::~FaultRecorder() {
  if (g_recording.current.load() != recording_) return;  // it ended in fork()
  set_fault_listener(nullptr);
  g_recording.current.store(0);
}

std::size_t FaultRecorder::size() const noexcept {
  // Records are written side by side: only when none is being written is the last one complete.
  if (g_recording.current.load() != recording_) return 0;
  const std::size_t written = g_recording.written.load();
  const std::size_t heard = g_recording.heard.load();
  if (written != heard) Registry::instance().wait_for_readers();
  return std::min(heard, g_recording.capacity);
}

}  // namespace cow
