#include "family.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "../kernel_counts.hpp"
#include "../measured.hpp"

namespace claims {

namespace {

Work work_of(const std::function<void()>& call) {
  const std::uint64_t before = examples::page_faults();
  Work work{.seconds = examples::seconds_of(call)};
  work.kernel_faults = static_cast<double>(examples::page_faults() - before);
  return work;
}

void fill(std::byte* memory, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) memory[i] = static_cast<std::byte>(1 + i % 251);
}

/// Memory as programs have it, in small pages: what is counted is not to depend on a setting.
class Plain {
 public:
  explicit Plain(std::size_t bytes)
      : first_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
        bytes_(bytes) {
    if (first_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    ::madvise(first_, bytes, MADV_NOHUGEPAGE);  // refused where there are no huge pages
  }
  Plain(Plain&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), bytes_(other.bytes_) {}
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;
  Plain& operator=(Plain&&) = delete;
  ~Plain() {
    if (first_ != nullptr) ::munmap(first_, bytes_);
  }
  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(first_); }
  [[nodiscard]] std::size_t size() const { return bytes_; }

 private:
  void* first_;
  std::size_t bytes_;
};

// ---- Clones of a region -------------------------------------------------------------------------

class Clones final : public Family {
 public:
  Clones(std::size_t bytes, const cow::RegionOptions& options)
      : original_(cow::Region::create(bytes, options)) {
    fill(original_.data(), bytes);
  }
  void share() override { clones_.push_back(original_.clone()); }
  Work store(std::size_t sharer, Stride pages) override {
    const std::uint64_t before = clones_.at(sharer).stats().faults;
    Work work = store_to(clones_.at(sharer).data(), pages);
    work.signals = static_cast<double>(clones_.at(sharer).stats().faults - before);
    return work;
  }
  Work load(std::size_t sharer) override {
    const cow::Region& clone = clones_.at(sharer);
    return load_from(clone.data(), clone.size() / examples::page_size());
  }
  [[nodiscard]] std::size_t memory_bytes() const override { return examples::all_memory_bytes(); }
  [[nodiscard]] std::size_t table_bytes() const override {
    return examples::status_bytes("VmPTE") + cow::process_stats().bytes_metadata;
  }
  [[nodiscard]] std::size_t mappings(std::size_t sharer) const override {
    return examples::mappings_in(clones_.at(sharer).data(), original_.size());
  }
  /// Copies of the kernel's are anonymous memory, and shared pages are not.
  [[nodiscard]] std::size_t copied_pages(std::size_t sharer) const override {
    const cow::Region& clone = clones_.at(sharer);
    const cow::RegionStats stats = clone.stats();
    if (stats.mechanism == cow::Mechanism::handler) return stats.pages_copied;
    return examples::bytes_in("Anonymous", clone.data(), clone.size()) / examples::page_size();
  }

 private:
  cow::Region original_;
  std::vector<cow::Region> clones_{};
};

// ---- Children of fork() -------------------------------------------------------------------------

/// A child that shares memory with its parent, and does what it is asked for.
class Child {
 public:
  explicit Child(const Plain& memory) {
    if (::pipe(orders_.data()) != 0 || ::pipe(answers_.data()) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
    process_ = ::fork();
    if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (process_ == 0) serve(memory);
  }
  Child(Child&& other) noexcept
      : orders_(other.orders_),
        answers_(other.answers_),
        process_(std::exchange(other.process_, -1)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    for (const int end : {orders_[0], orders_[1], answers_[0], answers_[1]}) ::close(end);
  }

  /// A stride of no pages is an order to load from all of them.
  [[nodiscard]] Work ask(Stride pages) const {
    Work work;
    if (::write(orders_[1], &pages, sizeof pages) != sizeof pages ||
        ::read(answers_[0], &work, sizeof work) != sizeof work) {
      throw std::runtime_error("a child of fork() is gone");
    }
    return work;
  }
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  [[noreturn]] void serve(const Plain& memory) const {
    ::close(orders_[1]);
    for (Stride pages; ::read(orders_[0], &pages, sizeof pages) == sizeof pages;) {
      const Work work = pages.count > 0
                            ? store_to(memory.data(), pages)
                            : load_from(memory.data(), memory.size() / examples::page_size());
      if (::write(answers_[1], &work, sizeof work) != sizeof work) break;
    }
    std::_Exit(0);
  }

  std::array<int, 2> orders_{};
  std::array<int, 2> answers_{};
  pid_t process_ = -1;
};

class Children final : public Family {
 public:
  explicit Children(std::size_t bytes) : memory_(bytes) { fill(memory_.data(), bytes); }
  void share() override { children_.emplace_back(memory_); }
  Work store(std::size_t sharer, Stride pages) override { return children_.at(sharer).ask(pages); }
  Work load(std::size_t sharer) override { return children_.at(sharer).ask({}); }
  /// "Pss_Anon" counts what several share by parts, so that the sum has it once.
  [[nodiscard]] std::size_t memory_bytes() const override {
    std::size_t sum = examples::memory_bytes("Pss_Anon");
    for (const Child& child : children_) sum += examples::memory_bytes("Pss_Anon", child.process());
    return sum;
  }
  [[nodiscard]] std::size_t table_bytes() const override {
    std::size_t sum = examples::status_bytes("VmPTE");
    for (const Child& child : children_) sum += examples::status_bytes("VmPTE", child.process());
    return sum;
  }
  [[nodiscard]] std::size_t mappings(std::size_t sharer) const override {
    return examples::mappings_in(memory_.data(), memory_.size(), children_.at(sharer).process());
  }
  /// What a child has copied it shares with nobody.
  [[nodiscard]] std::size_t copied_pages(std::size_t sharer) const override {
    return examples::bytes_in("Private_Dirty", memory_.data(), memory_.size(),
                              children_.at(sharer).process()) /
           examples::page_size();
  }

 private:
  Plain memory_;
  std::vector<Child> children_{};
};

// ---- Copies, made at once -----------------------------------------------------------------------

class Copies final : public Family {
 public:
  explicit Copies(std::size_t bytes) : original_(bytes) { fill(original_.data(), bytes); }
  void share() override {
    copies_.emplace_back(original_.size());
    std::memcpy(copies_.back().data(), original_.data(), original_.size());
  }
  Work store(std::size_t sharer, Stride pages) override {
    return store_to(copies_.at(sharer).data(), pages);
  }
  Work load(std::size_t sharer) override {
    return load_from(copies_.at(sharer).data(), original_.size() / examples::page_size());
  }
  [[nodiscard]] std::size_t memory_bytes() const override { return examples::all_memory_bytes(); }
  [[nodiscard]] std::size_t table_bytes() const override { return examples::status_bytes("VmPTE"); }
  [[nodiscard]] std::size_t mappings(std::size_t sharer) const override {
    return examples::mappings_in(copies_.at(sharer).data(), original_.size());
  }
  [[nodiscard]] std::size_t copied_pages(std::size_t sharer) const override {
    return copies_.at(sharer).size() / examples::page_size();
  }

 private:
  Plain original_;
  std::vector<Plain> copies_{};
};

}  // namespace

Work store_to(std::byte* memory, Stride pages) {
  const std::size_t page = examples::page_size();
  return work_of([&] {
    for (std::size_t i = 0; i < pages.count; ++i) {
      *static_cast<volatile std::byte*>(memory + (pages.first + i * pages.step) * page) =
          std::byte{7};
    }
  });
}

Work load_from(const std::byte* memory, std::size_t pages) {
  const std::size_t page = examples::page_size();
  return work_of([&] {
    for (std::size_t i = 0; i < pages; ++i) {
      static_cast<void>(*static_cast<const volatile std::byte*>(memory + i * page));
    }
  });
}

std::unique_ptr<Family> family(Way way, std::size_t bytes, const cow::RegionOptions& options) {
  cow::RegionOptions chosen = options;
  switch (way) {
    case Way::fork: return std::make_unique<Children>(bytes);
    case Way::copy: return std::make_unique<Copies>(bytes);
    case Way::handler: chosen.mechanism = cow::Mechanism::handler; break;
    case Way::kernel: chosen.mechanism = cow::Mechanism::kernel; break;
  }
  return std::make_unique<Clones>(bytes, chosen);
}

}  // namespace claims
