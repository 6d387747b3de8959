// The kernel stores, too: read(2) into a protected page, and the lease that makes it safe.

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/content.hpp"
#include "demo/chapters/told.hpp"
#include "tool/tool_error.hpp"

namespace cow::demo {
namespace {

constexpr std::string_view message = "from the kernel";

/// A pipe with a message in it.
class Pipe {
 public:
  Pipe() {
    if (::pipe(ends_) != 0 ||
        ::write(ends_[1], message.data(), message.size()) != static_cast<ssize_t>(message.size())) {
      throw tool::ToolError(
          fmt::format("there is no pipe to read from ({})", std::strerror(errno)));
    }
  }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int to_read_from() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

// What read(2) says, in words.
std::string read_into(std::byte* place) {
  const Pipe pipe;
  const ssize_t count = ::read(pipe.to_read_from(), place, message.size());
  if (count < 0) return fmt::format("-1, {}", errno == EFAULT ? "EFAULT" : std::strerror(errno));
  return fmt::format("{} bytes", count);
}

std::string text_at(const std::byte* place) {
  return std::string(reinterpret_cast<const char*>(place), message.size());
}

Step told_at(std::size_t page, std::string title, std::string sentence) {
  Step step = told(Focus::event, std::move(title), std::move(sentence));
  step.mark = Mark{"B", page};
  return step;
}

}  // namespace

void run_read_efault(Recorder& recorder, const ChapterOptions& options) {
  ChapterOptions letters = options;
  letters.file.reset();  // the text that is read is easier to see among letters
  letters.size_bytes.reset();
  Scene& scene = recorder.scene();
  const std::size_t page = add_original_to_store_to(recorder, letters, "A");
  Region& clone = scene.add("B", scene.region("A").clone());
  std::byte* const place = clone.data() + page * clone.page_bytes();
  recorder.show(told_at(page, "A clone, protected as ever",
                        "A store to B would fault, and libcow would copy the page. But it is not "
                        "only programs that store: read(2) lets the kernel do it."));

  const Question question{"read(fd, page of B, 15): the kernel stores into a protected page. What "
                          "does it do: fault, kill the process, or something else?",
                          "It returns EFAULT. The kernel sends no signal for its own stores."};
  recorder.ask(question, Mark{"B", page});
  Step refused = told_at(page, "read(2) into the protected page",
                         "No signal, no copy: a system call that fails although the same store by "
                         "the program works. Programs seldom expect that.");
  refused.facts = {{"read()", read_into(place)}, {"the page", text_at(place)}};
  refused.answered = question;
  recorder.show(std::move(refused));
  {
    const WriteLease lease = clone.write_lease(page * clone.page_bytes(), message.size());
    Step leased = told_at(page, "A lease first: B.write_lease(offset, length)",
                          "The lease did what a store would have done, before the kernel comes: B "
                          "has a frame of its own, and it stays writable for as long as the lease "
                          "lives.");
    recorder.show(std::move(leased));
    Step read = told_at(page, "read(2) into the leased page",
                        "Now it is a system call like any "
                        "other.");
    read.facts = {{"read()", read_into(place)}, {"the page", text_at(place)}};
    recorder.show(std::move(read));

    const Question later{"A snapshot of B is taken while the lease lives. It may not protect the "
                         "page. How does it keep what is there?",
                         "It copies the page at once, and leaves the kernel the frame it writes "
                         "to."};
    recorder.ask(later, Mark{"B", page});
    scene.add("S", clone.snapshot());
    Step kept = told_at(page, "S = B.snapshot()",
                        "S has its own copy of the leased page, and shares the others.");
    kept.answered = later;
    recorder.show(std::move(kept));
  }
  recorder.show(
      told_at(page, "The lease ends", "The page stays writable until somebody shares it again."));
}

}  // namespace cow::demo
