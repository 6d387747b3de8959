// The table alone, with which a lecture begins: the same edits in a lazy and in an eager clone.

#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "demo/chapters/chapter.hpp"
#include "tool/comparison.hpp"
#include "tool/comparison_table.hpp"
#include "tool/input_file.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::demo {
namespace {

// Who shows a table indents it.
std::string without_indent(const std::string& line) {
  constexpr std::size_t indent = 3;
  return line.starts_with(std::string(indent, ' ')) ? line.substr(indent) : line;
}

/// What a program prints on 80 columns, as lines.
class PrintedLines {
 public:
  PrintedLines() : file_(::open_memstream(&text_, &size_)) {
    if (file_ == nullptr) throw tool::ToolError("there is no memory for a table");
  }
  ~PrintedLines() {
    std::fclose(file_);
    std::free(text_);  // NOLINT(cppcoreguidelines-no-malloc): open_memstream's
  }
  PrintedLines(const PrintedLines&) = delete;
  PrintedLines& operator=(const PrintedLines&) = delete;

  [[nodiscard]] std::FILE* file() { return file_; }
  [[nodiscard]] std::vector<std::string> lines() {
    std::fflush(file_);
    std::vector<std::string> lines;
    const std::string all(text_, size_);
    for (std::size_t begin = 0; begin < all.size();) {
      const std::size_t end = std::min(all.find('\n', begin), all.size());
      lines.push_back(without_indent(all.substr(begin, end - begin)));
      begin = end + 1;
    }
    return lines;
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

Step table_step(std::string title, std::string sentence, PrintedLines& printed) {
  Step step;
  step.focus = Focus::table;
  step.title = std::move(title);
  step.sentence = std::move(sentence);
  step.table = printed.lines();
  return step;
}

std::string title_of(const tool::ComparisonRow& row) {
  return fmt::format("{} of the pages edited", tool::percent_text(row.fraction));
}

std::string sentence_of(const tool::ComparisonRow& row) {
  switch (row.winner()) {
    case tool::Winner::lazy:
      return fmt::format("Lazy wins, {} times as fast: it copies what is edited, and neighbours "
                         "where edits are close.",
                         tool::fixed(row.ratio(), 1));
    case tool::Winner::eager:
      return fmt::format("Eager wins, {} times as fast: one long copy costs less than all those "
                         "faults.",
                         tool::fixed(row.ratio(), 1));
    case tool::Winner::draw: break;
  }
  return "A draw: within 5 % of each other.";
}

}  // namespace

void run_lazy_or_eager(Recorder& recorder, const ChapterOptions& options) {
  const tool::InputFile file = tool::read_input_file(options.file);
  const tool::ComparisonSubject subject =
      tool::make_comparison_subject(tool::in_size(file.content, options.size_bytes),
                                    options.size_bytes.value_or(tool::comparison_min_bytes));
  Step intro;
  intro.focus = Focus::overview;
  intro.title = "Two ways to clone the same region";
  intro.sentence = "The same random edits, one byte in each of some pages, in both.";
  intro.facts = {
      {"file", tool::printable(file.path)},
      {"region", tool::bytes_text(subject.plain.size())},
      {"lazy", "copies a page when it is first stored to"},
      {"eager", "copies every page when it is cloned"},
      {"times", fmt::format("the median of {} runs of each, in turn", tool::comparison_runs)}};
  recorder.show(std::move(intro));
  const Question question{
      "Cloning lazily costs almost nothing, and then a page fault for each page that is edited. "
      "From which share of edited pages on does it pay to copy everything at once?",
      "Where the rows turn, on this machine: see who is faster in each."};
  recorder.ask(question);

  tool::ByteCheck check;
  std::vector<tool::ComparisonRow> rows;
  PrintedLines printed;
  tool::Screen screen(printed.file(), false, tool::Terminal{});
  tool::ComparisonTable table(screen);
  table.print_head();
  for (const double fraction : tool::comparison_fractions) {
    rows.push_back(tool::compare_clones(subject.region, subject.plain, fraction,
                                        tool::pages_to_edit(subject.pages(), fraction), check));
    table.print_row(rows.back());
    recorder.show(table_step(title_of(rows.back()), sentence_of(rows.back()), printed));
  }
  if (!check.passed()) {
    throw tool::ToolError(check.mismatches().front() +
                          "; this is a bug in libcow, please report it");
  }
  PrintedLines verdict;
  tool::Screen last(verdict.file(), false, tool::Terminal{});
  tool::ComparisonTable(last).print_verdict(rows);
  last.flush();
  std::string sentence;
  for (const std::string& line : verdict.lines()) sentence += line + " ";
  Step step = table_step("Who wins where", sentence, printed);
  step.facts.push_back({"checked", tool::bytes_text(check.bytes_compared()) +
                                       " of both clones and the original, all as they should be"});
  step.answered = question;
  recorder.show(std::move(step));
}

}  // namespace cow::demo
