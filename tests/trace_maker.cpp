#include "trace_maker.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "folder.hpp"

namespace support {

using cow::trace::EntryLook;
using cow::trace::Event;
using cow::trace::EventKind;
using cow::trace::Header;

namespace {

constexpr std::uint64_t start_ns = 1'000'000;
constexpr std::uint64_t bytes_a_page = 4096;  // not a page size: of the machine in the header
constexpr std::uint64_t region_address = 0x7f0000000000;

template <std::size_t N>
void put(std::array<char, N>& field, const std::string& text) {
  std::copy_n(text.begin(), std::min(text.size(), N - 1), field.begin());
}

}  // namespace

Header TraceMaker::usual_header() {
  Header header{};
  header.magic = cow::trace::kMagic;
  header.version = cow::trace::kVersion;
  header.header_bytes = cow::trace::kHeaderBytes;
  header.event_bytes = sizeof(Event);
  header.page_bytes = bytes_a_page;
  header.capacity = 65'536;
  header.started_ns = start_ns;
  header.started_utc_ns = 1'795'948'200'000'000'000;
  header.pid = main_pid;
  header.architecture = 62;
  put(header.kernel, "6.18.0");
  put(header.program, "/usr/bin/program");
  put(header.library, "0.1.0");
  return header;
}

Event& TraceMaker::add(EventKind kind, std::uint32_t space, std::uint32_t other) {
  Event event{};
  event.number = events_.size() + 1;
  event.time_ns = start_ns + event.number * 1000;
  event.pid = pid_;
  event.tid = tid_;
  event.kind = kind;
  event.family = family;
  event.space = space;
  event.other = other;
  events_.push_back(event);
  return events_.back();
}

Event& TraceMaker::made(std::uint32_t space, std::uint64_t pages, std::uint32_t other) {
  Event& event = add(EventKind::region_made, space, other);
  event.page_count = pages;
  event.address = region_address + space * (std::uint64_t{1} << 32);
  event.whole_ns = 300;
  return event;
}

Event& TraceMaker::snapshot(std::uint32_t space, std::uint64_t pages, std::uint32_t other) {
  Event& event = add(EventKind::snapshot_made, space, other);
  event.page_count = pages;
  event.whole_ns = 200;
  return event;
}

void TraceMaker::entries(std::uint32_t space, std::uint64_t first, std::uint64_t count,
                         std::uint64_t slot, EntryLook look) {
  Event& event = add(EventKind::entries, space);
  event.first_page = first;
  event.page_count = count;
  event.look = look;
  event.frame_file = look == EntryLook::zero ? 0 : 1;
  event.frame_slot = look == EntryLook::zero ? 0 : slot;
}

Event& TraceMaker::fault(std::uint32_t space, std::uint64_t page, std::uint64_t slot,
                         std::uint64_t copied, std::uint64_t writable_after) {
  entries(space, page, 1, slot, EntryLook::writable);
  Event& event = add(EventKind::fault, space);
  event.first_page = page;
  event.page_count = 1;
  event.pages_copied = copied;
  event.address = region_address + space * (std::uint64_t{1} << 32) + page * bytes_a_page + 8;
  event.instruction_pointer = 0x401000;
  event.error_code = 7;
  event.locate_ns = 100;
  event.allocate_ns = 200;
  event.copy_ns = static_cast<std::uint32_t>(copied * 300);
  event.map_ns = 250;
  event.whole_ns = 900;
  event.writable_after = writable_after;
  return event;
}

std::vector<std::byte> TraceMaker::bytes() const {
  Header written = header;
  if (written.claimed == 0) written.claimed = events_.size();
  std::vector<std::byte> bytes(header.header_bytes + events_.size() * sizeof(Event));
  std::memcpy(bytes.data(), &written, sizeof(written));
  if (!events_.empty()) {
    std::memcpy(bytes.data() + header.header_bytes, events_.data(), events_.size() * sizeof(Event));
  }
  return bytes;
}

std::string TraceMaker::save(const std::filesystem::path& path) const {
  write_file(path, bytes());
  return path.string();
}

TraceMaker usual_trace() {
  TraceMaker maker;
  maker.made(1, 64);
  maker.entries(1, 0, 64, 0, EntryLook::writable);  // a window of zeros: the whole leaf
  Event& first = maker.add(EventKind::fault, 1);
  first.page_count = 64;
  first.whole_ns = 2000;
  first.writable_after = 64;
  maker.entries(1, 0, 64, 0, EntryLook::read_only);
  maker.made(2, 64, 1);
  maker.fault(2, 17, 117, 1, 1);
  maker.fault(2, 18, 118, 1, 2);
  maker.fault(1, 17, 17, 0, 1);  // the sole owner by now
  maker.entries(2, 17, 2, 117, EntryLook::read_only);
  maker.snapshot(3, 64, 2);
  maker.fault(2, 17, 217, 1, 1);
  maker.entries(2, 17, 1, 117, EntryLook::read_only);
  maker.add(EventKind::restored, 2, 3).pages_copied = 1;
  maker.add(EventKind::region_gone, 1);
  maker.add(EventKind::snapshot_gone, 3);
  return maker;
}

TraceMaker trace_with_a_pid_twice() {
  constexpr std::uint32_t child = 200;
  TraceMaker maker;
  const auto begin_child = [&] {
    maker.run_as(TraceMaker::main_pid, TraceMaker::main_pid);
    maker.entries(1, 0, 1, 0, EntryLook::read_only);
    const std::uint64_t forked = maker.add(EventKind::process_forked).number;
    maker.run_as(child, child);
    maker.entries(1, 3, 1, 90, EntryLook::writable);  // that was leased
    maker.add(EventKind::process_begun, 0, TraceMaker::main_pid).first_page = forked;
  };
  maker.made(1, 4);
  maker.fault(1, 0, 0, 0, 1);
  begin_child();
  maker.fault(1, 1, 70, 0, 2);
  maker.made(5, 8);
  maker.entries(7, 0, 1, 72, EntryLook::writable);  // of a region that it did not live to see
  maker.fault(5, 0, 71, 0, 1);
  begin_child();
  maker.fault(1, 2, 70, 0, 2);
  maker.made(7, 4);
  return maker;
}

namespace {

/// Draws what happens; knows of a space no more than that it is there.
class RandomProgram {
 public:
  explicit RandomProgram(Random& random) : random_(random) {}

  TraceMaker run(std::size_t steps) {
    maker_.made(next_++, pages);
    regions_.push_back(1);
    for (std::size_t i = 0; i < steps; ++i) step();
    return std::move(maker_);
  }

 private:
  static constexpr std::uint64_t pages = 48;

  void step() {
    change_some(random_.one_in(3) ? other_space() : region());
    switch (random_.below(8)) {
      case 0:
        maker_.made(next_, pages, region());
        regions_.push_back(next_++);
        return;
      case 1:
        if (random_.one_in(2)) change_some(next_);  // before it is made
        maker_.snapshot(next_, pages, region());
        snapshots_.push_back(next_++);
        return;
      case 2: drop(regions_, 1, EventKind::region_gone); return;
      case 3: drop(snapshots_, 0, EventKind::snapshot_gone); return;
      case 4:
        if (!snapshots_.empty()) maker_.add(EventKind::restored, region(), snapshot());
        return;
      default: {
        Event& fault = maker_.add(EventKind::fault, region());
        fault.first_page = random_.below(pages);
        fault.page_count = 1;
        fault.pages_copied = random_.below(2);
        fault.whole_ns = random_.below(3000);
        fault.copy_ns = static_cast<std::uint32_t>(random_.below(3000));
      }
    }
  }

  void change_some(std::uint32_t space) {
    for (std::size_t i = random_.below(4); i > 0; --i) {
      const std::uint64_t first = random_.below(pages);
      maker_.entries(space, first, random_.between(1, pages - first), random_.below(200),
                     static_cast<EntryLook>(random_.below(3)));
    }
  }

  void drop(std::vector<std::uint32_t>& from, std::size_t least, EventKind kind) {
    if (from.size() <= least) return;
    const std::size_t index = random_.below(from.size());
    maker_.add(kind, from[index]);
    from.erase(from.begin() + static_cast<std::ptrdiff_t>(index));
  }

  std::uint32_t region() { return regions_[random_.below(regions_.size())]; }
  std::uint32_t snapshot() { return snapshots_[random_.below(snapshots_.size())]; }
  std::uint32_t other_space() { return snapshots_.empty() ? region() : snapshot(); }

  Random& random_;
  TraceMaker maker_;
  std::uint32_t next_ = 1;
  std::vector<std::uint32_t> regions_;
  std::vector<std::uint32_t> snapshots_;
};

}  // namespace

TraceMaker random_trace(Random& random, std::size_t steps) {
  return RandomProgram(random).run(steps);
}

}  // namespace support
