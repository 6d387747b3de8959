#include "measure/trace/trace_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include <fmt/format.h>

#include "measure/quantity.hpp"

namespace cow::measure {
namespace {

using trace::Event;
using trace::EventKind;
using trace::Header;

// A later library may append to events; more than this is no event.
constexpr std::uint32_t most_event_bytes = 1024;

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw TraceError(fmt::format("'{}' {}", printable(path), what));
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : path_(path) {
    // Asked before opening: opening a pipe would wait for someone to write to it.
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) refuse_errno();
    if (S_ISDIR(status.st_mode)) refuse(path, "is a directory; give the file that cow trace made");
    if (!S_ISREG(status.st_mode)) refuse(path, "is not a regular file, which a trace is");
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) refuse_errno();
    bytes_ = static_cast<std::uint64_t>(status.st_size);
  }
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  /// How many bytes there were: fewer at the end of the file.
  std::size_t read(std::uint64_t offset, std::span<char> buffer) const {
    std::size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t count = ::pread(descriptor_, buffer.data() + done, buffer.size() - done,
                                    static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) refuse_errno();
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

 private:
  [[noreturn]] void refuse_errno() const {
    if (errno == ENOENT) refuse(path_, "does not exist; cow trace -- PROGRAM makes a trace");
    refuse(path_, fmt::format("cannot be read ({})", std::strerror(errno)));
  }

  const std::string& path_;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
};

template <std::size_t N>
std::string text_of(const std::array<char, N>& field) {
  return {field.begin(), std::find(field.begin(), field.end(), '\0')};
}

bool is_power_of_two(std::uint64_t number) { return number != 0 && (number & (number - 1)) == 0; }

void check_header(const std::string& path, const Header& header) {
  if (header.version != trace::kVersion) {
    refuse(path, fmt::format("is a trace of version {}, and this cow reads version {}; use the cow "
                             "that was built with the program's libcow",
                             header.version, trace::kVersion));
  }
  const bool fits = header.header_bytes >= sizeof(Header) &&
                    header.header_bytes <= 16 * trace::kHeaderBytes &&
                    header.event_bytes >= sizeof(Event) && header.event_bytes <= most_event_bytes &&
                    is_power_of_two(header.page_bytes) && header.capacity > 0;
  if (!fits) {
    refuse(path, "is damaged: its header says what cannot be; record the program again");
  }
}

Header read_header(const OpenFile& file, const std::string& path) {
  Header header{};
  const std::size_t count = file.read(0, {reinterpret_cast<char*>(&header), sizeof(header)});
  if (count == 0) refuse(path, "is empty: nothing was recorded in it");
  const std::size_t compared = std::min(count, trace::kMagic.size());
  if (std::memcmp(header.magic.data(), trace::kMagic.data(), compared) != 0) {
    refuse(path, "is not a trace of libcow; cow trace -- PROGRAM makes one");
  }
  if (count < sizeof(header)) {
    refuse(path, "is cut off within its header; record the program again");
  }
  check_header(path, header);
  return header;
}

bool is_known(EventKind kind) {
  return kind >= EventKind::entries && kind <= EventKind::process_begun;
}

// Whether everything in it can be counted with.
bool makes_sense(const Event& event, const Header& header) {
  if (!is_known(event.kind) || event.look > trace::EntryLook::writable) return false;
  if (event.time_ns < header.started_ns) return false;
  const std::uint64_t numbers[] = {event.time_ns - header.started_ns,
                                   event.first_page,
                                   event.page_count,
                                   event.pages_copied,
                                   event.frame_slot,
                                   event.whole_ns,
                                   event.writable_after};
  return std::all_of(std::begin(numbers), std::end(numbers),
                     [](std::uint64_t number) { return number < most_trace_number; });
}

void take_event(const char* bytes, std::uint64_t number, TraceFile& trace) {
  Event event{};
  std::memcpy(&event, bytes, sizeof(event));
  if (event.number == 0 || event.kind == EventKind::none) {
    ++trace.unfinished;
  } else if (event.number != number || !makes_sense(event, trace.header)) {
    ++trace.unreadable;
  } else {
    trace.events.push_back(event);
  }
}

// Read in pieces: memory is taken for events that are there, not for those the header promises.
void read_events(const OpenFile& file, std::uint64_t count, TraceFile& trace) {
  constexpr std::uint64_t at_once = 1024;
  const std::uint64_t size = trace.header.event_bytes;
  std::vector<char> buffer(at_once * size);
  for (std::uint64_t first = 0; first < count; first += at_once) {
    const std::uint64_t wanted = std::min(at_once, count - first);
    const std::size_t bytes =
        file.read(trace.header.header_bytes + first * size, {buffer.data(), wanted * size});
    const std::uint64_t whole = bytes / size;
    for (std::uint64_t i = 0; i < whole; ++i) {
      take_event(buffer.data() + i * size, first + i + 1, trace);
    }
    if (whole < wanted) {
      trace.cut_off += count - first - whole;
      return;
    }
  }
}

}  // namespace

TraceFile read_trace(const std::string& path) {
  const OpenFile file(path);
  TraceFile trace;
  trace.path = path;
  trace.header = read_header(file, path);
  const Header& header = trace.header;
  trace.program = text_of(header.program);
  trace.kernel = text_of(header.kernel);
  trace.library = text_of(header.library);
  const std::uint64_t kept = std::min(header.claimed, header.capacity);
  trace.lost = header.claimed - kept;
  const std::uint64_t bytes = std::max<std::uint64_t>(file.bytes(), header.header_bytes);
  const std::uint64_t there = std::min(kept, (bytes - header.header_bytes) / header.event_bytes);
  trace.cut_off = kept - there;
  if (there > most_trace_events) {
    refuse(path,
           fmt::format("has {} events, and at most {} are read; record the program again "
                       "with --events {}",
                       with_commas(there), with_commas(most_trace_events), most_trace_events));
  }
  read_events(file, there, trace);
  return trace;
}

bool is_trace(const std::string& path) {
  try {
    const OpenFile file(path);
    std::array<char, trace::kMagic.size()> magic{};
    return file.read(0, magic) == magic.size() && magic == trace::kMagic;
  } catch (const TraceError&) {
    return false;
  }
}

}  // namespace cow::measure
