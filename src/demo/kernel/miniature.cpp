#include "demo/kernel/miniature.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace cow::demo {
namespace {

constexpr std::size_t pages = 4;    ///< of a region
constexpr std::size_t frames = 16;  ///< of the file
constexpr std::size_t no_frame = frames;

/// A region: addresses, and which frame each page shows.
struct Space {
  std::byte* begin = nullptr;
  std::array<std::size_t, pages> table{};
  std::array<bool, pages> writable{};

  [[nodiscard]] bool exists() const { return begin != nullptr; }
};

class Miniature {
 public:
  explicit Miniature(CountBug bug)
      : bug_(bug),
        page_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        file_(::memfd_create("cow-miniature", MFD_CLOEXEC)) {
    if (file_ < 0 || ::ftruncate(file_, static_cast<off_t>(frames * page_bytes_)) != 0) {
      throw std::system_error(errno, std::generic_category(), "memfd_create");
    }
    all_ = static_cast<std::byte*>(map(nullptr, frames, 0, PROT_READ | PROT_WRITE));
    current_ = this;
    struct sigaction action {};
    action.sa_sigaction = &Miniature::on_fault;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, nullptr);
  }

  Space create() {
    Space space;
    space.begin = reserve();
    for (std::size_t page = 0; page < pages; ++page) {
      space.table[page] = allocate();
      show(space, page, true);
    }
    return space;
  }

  Space clone(Space& of) {
    Space space;
    space.begin = reserve();
    space.table = of.table;
    for (std::size_t page = 0; page < pages; ++page) {
      if (bug_ != CountBug::clone_does_not_count) ++counts_[space.table[page]];
      show(space, page, false);
      show(of, page, false);
    }
    return space;
  }

  void drop(Space& space) {
    ::munmap(space.begin, pages * page_bytes_);
    space.begin = nullptr;
    for (const std::size_t frame : space.table) {
      if (bug_ != CountBug::drop_does_not_count && counts_[frame] > 0) --counts_[frame];
    }
  }

  void watch(Space& a, Space& b, Space& c) { watched_ = {&a, &b, &c}; }

  [[nodiscard]] std::size_t frames_in_use() const {
    std::size_t in_use = 0;
    for (const std::size_t count : counts_) in_use += count > 0 ? 1 : 0;
    return in_use;
  }
  [[nodiscard]] std::size_t pages_copied() const { return pages_copied_; }
  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }

 private:
  void* map(void* where, std::size_t count, std::size_t frame, int protection) const {
    void* const memory = ::mmap(where, count * page_bytes_, protection,
                                MAP_SHARED | (where != nullptr ? MAP_FIXED : 0), file_,
                                static_cast<off_t>(frame * page_bytes_));
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    return memory;
  }

  std::byte* reserve() { return static_cast<std::byte*>(map(nullptr, pages, 0, PROT_NONE)); }

  std::size_t allocate() {
    for (std::size_t frame = 0; frame < frames; ++frame) {
      if (counts_[frame] > 0) continue;
      counts_[frame] = 1;
      return frame;
    }
    return no_frame;
  }

  void show(Space& space, std::size_t page, bool writable) {
    map(space.begin + page * page_bytes_, 1, space.table[page],
        writable ? PROT_READ | PROT_WRITE : PROT_READ);
    space.writable[page] = writable;
  }

  // The whole of copy-on-write. All depends on the count.
  void resolve(Space& space, std::size_t page) {
    const std::size_t old_frame = space.table[page];
    if (counts_[old_frame] > 1) {
      const std::size_t new_frame = allocate();
      if (new_frame == no_frame) ::_exit(1);
      std::memcpy(all_ + new_frame * page_bytes_, all_ + old_frame * page_bytes_, page_bytes_);
      --counts_[old_frame];
      space.table[page] = new_frame;
      ++pages_copied_;
    }
    show(space, page, true);
  }

  static void on_fault(int /*signal*/, siginfo_t* info, void* /*context*/) {
    const auto* const address = static_cast<const std::byte*>(info->si_addr);
    const std::size_t bytes = pages * current_->page_bytes_;
    for (Space* const space : current_->watched_) {
      if (!space->exists() || address < space->begin || space->begin + bytes <= address) continue;
      current_->resolve(*space,
                        static_cast<std::size_t>(address - space->begin) / current_->page_bytes_);
      return;
    }
    ::_exit(1);
  }

  static inline Miniature* current_ = nullptr;

  CountBug bug_;
  std::size_t page_bytes_;
  int file_;
  std::byte* all_ = nullptr;
  std::array<std::size_t, frames> counts_{};
  std::array<Space*, 3> watched_{};
  std::size_t pages_copied_ = 0;
};

void store(const Space& space, char value) {
  *reinterpret_cast<volatile char*>(space.begin) = value;
}

unsigned load(const Space& space) {
  return static_cast<unsigned>(*reinterpret_cast<const volatile unsigned char*>(space.begin));
}

RegionView view_of(const Space& space, const char* name) {
  RegionView view;
  view.name = name;
  view.address = reinterpret_cast<std::uintptr_t>(space.begin);
  view.pages = pages;
  for (std::size_t page = 0; page < pages; ++page) {
    view.shown.push_back({space.writable[page] ? PageLook::private_page : PageLook::shared,
                          FrameId{1, space.table[page]}});
  }
  return view;
}

}  // namespace

MiniatureReport run_miniature(CountBug bug, MiniatureStory story) {
  Miniature miniature(bug);
  Space a = miniature.create();
  Space c;
  Space b;
  miniature.watch(a, b, c);
  std::memset(a.begin, 'a', pages * miniature.page_bytes());
  b = miniature.clone(a);
  MiniatureReport report;
  if (story == MiniatureStory::b_stores) {
    store(b, 'B');
  } else {
    miniature.drop(b);
  }
  if (story == MiniatureStory::b_goes_a_stores) store(a, 'A');
  if (story == MiniatureStory::b_goes_c_comes) {
    c = miniature.create();
    std::memset(c.begin, 'C', pages * miniature.page_bytes());
  }
  report.a = load(a);
  report.regions.push_back(view_of(a, "A"));
  if (b.exists()) {
    report.b = load(b);
    report.regions.push_back(view_of(b, "B"));
  }
  if (c.exists()) {
    report.c = load(c);
    report.regions.push_back(view_of(c, "C"));
  }
  report.frames_in_use = miniature.frames_in_use();
  report.pages_copied = miniature.pages_copied();
  return report;
}

}  // namespace cow::demo
